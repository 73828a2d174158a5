"""Checkpoints: everything that a training run needs to go on exactly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from companion.runtime import save_file

FORMAT = "learning-to-draw checkpoint"
VERSION = 2


def check_target(path: str | Path) -> None:
    """Make the folder of `path` now, so that a wrong path fails before the work.

    Raises: ValueError if `path` is a folder or stands below a file.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"checkpoint {path} is a folder; give the name of a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"The folder of checkpoint {path} cannot be made "
            f"({error.strerror}); choose another path."
        ) from error


def save_checkpoint(
    path: str | Path, trainer: object, batches: object, history: Mapping[str, Any]
) -> None:
    """Write the trainer's parts, the batches' order, the history and the seeds.

    Parts are the trainer's attributes that have a state_dict: networks, optimisers,
    schedules. A trainer with further state, say a counter, gives its own
    `state_dict` and `load_state_dict`.

    Raises: OSError if the file cannot be written; an older one stays whole.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "trainer": type(trainer).__name__,
        "batches_per_epoch": len(batches),
        "kinds": _kinds(_parts(trainer)),
        "parts": {name: part.state_dict() for name, part in _parts(trainer).items()},
        "batches": batches.state_dict() if hasattr(batches, "state_dict") else None,
        "history": dict(history),
        "random": _random_state(),
    }
    save_file(path, lambda temporary: torch.save(content, temporary))


def load_checkpoint(
    path: str | Path, trainer: object, batches: object
) -> dict[str, Any] | None:
    """Put a saved run back into `trainer` and `batches`; return its history.

    None if there is no such file. Everything is checked before anything changes.

    Raises: ValueError if the file is damaged, of another format or version, or of
        another run (trainer, network, optimiser, batches).
    """
    path = Path(path)
    if not path.exists():
        return None
    content = _read(path)
    parts = _parts(trainer)
    remedy = "resume with the run that wrote it, or choose another path."
    if content["trainer"] != type(trainer).__name__:
        raise ValueError(
            f"{path} was written by {content['trainer']}, "
            f"this is {type(trainer).__name__}: {remedy}"
        )
    if content["batches_per_epoch"] != len(batches):
        raise ValueError(
            f"{path} has {content['batches_per_epoch']} batches an epoch, "
            f"this run has {len(batches)}: {remedy}"
        )
    if content["parts"].keys() != parts.keys():
        raise ValueError(
            f"{path} holds {sorted(content['parts'])}, "
            f"this trainer has {sorted(parts)}: {remedy}"
        )
    for name, kind in _kinds(parts).items():
        if content["kinds"][name] != kind:
            raise ValueError(
                f"{path}: {name!r} was {content['kinds'][name]}, is {kind}: {remedy}"
            )
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            ours, saved = _shapes(part.state_dict()), _shapes(content["parts"][name])
            if ours != saved:
                differing = dict(ours.items() ^ saved.items())
                raise ValueError(
                    f"{path}: network {name!r} differs in {sorted(differing)}: {remedy}"
                )
    if content["batches"] is not None:
        if not hasattr(batches, "load_state_dict"):
            raise ValueError(
                f"{path} holds the order of its batches, and a "
                f"{type(batches).__name__} cannot take it up: {remedy}"
            )
        batches.load_state_dict(content["batches"])  # which checks first
    for name, part in parts.items():
        part.load_state_dict(content["parts"][name])
    _set_random_state(content["random"])
    return content["history"]


def _parts(trainer: object) -> dict[str, Any]:
    if hasattr(trainer, "state_dict"):
        return {"trainer": trainer}
    return {n: v for n, v in vars(trainer).items() if hasattr(v, "state_dict")}


def _kinds(parts: Mapping[str, Any]) -> dict[str, str]:
    """What each part is; of an optimiser also how many tensors its groups hold."""
    kinds = {}
    for name, part in parts.items():
        kinds[name] = type(part).__name__
        if isinstance(part, Optimizer):
            kinds[name] += f" {[len(g['params']) for g in part.param_groups]}"
    return kinds


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # damaged bytes fail in many ways, all meaning this
        raise ValueError(
            f"{path} is no readable checkpoint (damaged or another kind of file): "
            "delete it or choose another path."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} is no checkpoint of this book: choose another path.")
    if content["version"] != VERSION:
        raise ValueError(
            f"{path} has checkpoint version {content['version']}, this companion "
            f"reads version {VERSION}: train again or install the matching companion."
        )
    return content


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(getattr(value, "shape", ())) for name, value in state.items()}


def _random_state() -> dict[str, Any]:
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def _set_random_state(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
