"""Trained networks that ship: the weights of each, beside a card.

The card NAME.json says which network the weights in NAME.safetensors belong to, how
they were made, and how good the network was found to be. The weights are kept as
float16, which halves the files.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from companion.nearest import nearest
from companion.runtime import save_file

GIVEN = (
    "network",
    "arguments",
    "recipe",
    "settings",
    "command",
    "commit",
    "seconds",
    "steps",
    "data",
    "device",
    "threads",
    "torch",
    "date",
    "values",
)
ADDED = ("sha256", "bytes", "parameters")


def pretrained(
    name: str, device: torch.device | str | None = None, *, folder: Path | None = None
) -> nn.Module:
    """A network that ships with the companion, ready to draw or to judge.

    It is in evaluation mode, with weights in float32 that are frozen: gradients may
    pass through it to its input, but nothing trains it. The random numbers that come
    after are those that would have come without it.

    Raises: ValueError for a name that is not among `names()`; FileNotFoundError or
        ValueError if the weights or the card are missing, damaged, or do not belong
        together, naming the file and the command that makes it anew.
    """
    card = read_card(name, folder=folder)
    remedy = _remedy(card["recipe"])
    try:
        # Its first weights are drawn on the CPU, and thrown away.
        with torch.random.fork_rng(devices=[]):
            network = build(card["network"], card["arguments"])
    except ValueError as error:
        raise ValueError(f"{_path(name, 'json', folder)}: {error} {remedy}") from error
    path = _path(name, "safetensors", folder)
    content = _content(path, remedy)
    damaged = f"The weights {path} are damaged or of another network. {remedy}"
    try:
        weights = load(content)
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise ValueError(damaged) from error
    if card["sha256"] != _checksum(weights):
        raise ValueError(damaged)
    return network.to(device).eval().requires_grad_(False)


def read_card(name: str, *, folder: Path | None = None) -> dict[str, Any]:
    """What is known of a shipped network: how it was made, what it was measured at.

    Raises: ValueError for a name that is not among `names()`, or a card that is
        damaged; FileNotFoundError if it is missing.
    """
    there = names(folder)
    if name not in there:
        raise ValueError(
            f"There is no pretrained network {name!r}; there are "
            f"{', '.join(there) or 'none'}"
            f"{nearest(str(name), there)}"
        )
    path = _path(name, "json", folder)
    try:
        card = json.loads(_content(path, _remedy()))
    except ValueError as error:
        raise ValueError(f"The card {path} is no JSON. {_remedy()}") from error
    if not isinstance(card, dict):
        raise ValueError(f"The card {path} is no table of names. {_remedy()}")
    if missing := [key for key in GIVEN + ADDED if key not in card]:
        raise ValueError(f"The card {path} lacks {missing}. {_remedy()}")
    for key in ("arguments", "settings", "values"):
        if not isinstance(card[key], dict):
            raise ValueError(f"{key!r} of the card {path} is no table. {_remedy()}")
    return card


def names(folder: Path | None = None) -> list[str]:
    """The names of the networks that ship."""
    files = (folder or Path(__file__).parent).iterdir()
    return sorted({f.stem for f in files if f.suffix in (".json", ".safetensors")})


def build(network: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The untrained network that a card names, as "companion.models.gan:MLPGenerator".

    Raises: ValueError for anything but a network that a module of companion.models
        defines, since a card may come from elsewhere, and for arguments that it does
        not take.
    """
    module, _, name = str(network).partition(":")
    kind = None
    if re.fullmatch(r"companion\.models\.\w+", module) and find_spec(module):
        kind = vars(import_module(module)).get(name)
    is_network = isinstance(kind, type) and issubclass(kind, nn.Module)
    if not is_network or kind.__module__ != module:
        raise ValueError(
            f"{network!r} is no network of companion.models; name one like "
            "'companion.models.gan:MLPGenerator'."
        )
    try:
        return kind(**arguments)
    except Exception as error:  # what is wrong in a foreign card fails in many ways
        raise ValueError(
            f"{network} cannot be built with {arguments}: {error}"
        ) from error


def write_pretrained(
    name: str,
    network: nn.Module,
    card: Mapping[str, Any],
    *,
    folder: Path | None = None,
) -> None:
    """Write weights and card for `pretrained`, which is sure to read them.

    Floating-point tensors are rounded to float16. The card holds all of `GIVEN`; the
    checksum of the weights, the size of their file and the number of parameters are
    added.

    Raises: ValueError for a bad name, a card that lacks something or describes
        another network, or a weight that float16 cannot hold; TypeError if the card
        cannot be written as JSON; OSError if a file cannot be written.
    """
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ValueError(f"The name {name!r} must be small letters, digits and _.")
    if missing := [key for key in GIVEN if key not in card]:
        raise ValueError(f"The card of {name!r} lacks {missing}; give them all.")
    state = network.state_dict()
    weights = {key: _compact(key, value) for key, value in state.items()}
    content = save(weights)
    added = {
        "sha256": _checksum(weights),
        "bytes": len(content),
        "parameters": sum(w.numel() for w in network.parameters()),
    }
    full = {**card, **added}
    text = json.dumps(full, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    twin = build(card["network"], json.loads(text)["arguments"])
    try:
        twin.load_state_dict(weights)
        alike = type(twin) is type(network)
    except RuntimeError:
        alike = False
    if not alike:
        raise ValueError(
            f"The card of {name!r} describes a {card['network']} with "
            f"{card['arguments']}; this {type(network).__name__} is another network."
        )
    weight_file, card_file = (_path(name, e, folder) for e in ("safetensors", "json"))
    save_file(weight_file, lambda temporary: temporary.write_bytes(content))
    save_file(card_file, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _compact(key: str, value: Tensor) -> Tensor:
    value = value.cpu().contiguous()
    if not value.is_floating_point():
        return value
    half = value.half()
    if not half.isfinite().all():
        raise ValueError(
            f"{key} holds {value.abs().max().item():.4g}; shipped weights are float16, "
            "which ends at 65504. Look where its training diverged."
        )
    return half


def _checksum(weights: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for key, value in sorted(weights.items()):
        found.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.numpy().tobytes())
    return found.hexdigest()


def _path(name: str, extension: str, folder: Path | None) -> Path:
    return (folder or Path(__file__).parent) / f"{name}.{extension}"


def _content(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing. {remedy}") from error


def _remedy(recipe: str = "RECIPE") -> str:
    return (
        "Install the companion again, or make it anew: "
        f"`python -m companion train {recipe}`, then `keep`."
    )
