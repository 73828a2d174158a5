"""Checkpoints: everything that a training run needs to go on exactly."""

from collections.abc import Mapping
from copy import copy
from io import BytesIO
from pathlib import Path
from pickle import PickleError, UnpicklingError
from typing import Any
from zipfile import is_zipfile

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from companion.runtime import save_file
from companion.trainers.history import History

FORMAT = "learning-to-draw checkpoint"
VERSION = 3


def target(path: str | Path) -> Path:
    """The file of a checkpoint; its folder is made now, and a leading ~ expanded.

    Raises: ValueError if `path` is a folder or stands below a file.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(f"checkpoint {path} is a folder; give the name of a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"The folder of checkpoint {path} cannot be made "
            f"({error.strerror}); choose another path."
        ) from error
    return path


def save_checkpoint(
    path: Path, trainer: object, batches: object, run: Mapping[str, Any]
) -> None:
    """Write the trainer's parts beside `run`, what the loop itself has to remember.

    Parts are the trainer's attributes that have a state_dict: networks, optimisers,
    schedules. A trainer with further state, say a counter, gives its own
    `state_dict` and `load_state_dict`. NumPy's numbers become Python's, and the file
    is read back before it takes its name: what is saved can be loaded.

    Raises: OSError if the file cannot be written; TypeError naming a part that could
        not be read again. An older file stays whole.
    """
    parts = _parts(trainer)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "trainer": type(trainer).__name__,
        "batches_per_epoch": len(batches),
        "kinds": _kinds(parts),
        "parts": {name: _plain(part.state_dict()) for name, part in parts.items()},
        "run": _plain(run),
    }

    save_file(path, lambda temporary: _write(content, temporary))


def load_checkpoint(path: Path, trainer: object, batches: object) -> dict[str, Any]:
    """Put a saved run back into `trainer`; return what the loop remembered.

    Everything is checked before anything changes; `batches` is only looked at.

    Raises: ValueError if the file is damaged, of another format or version, or of
        another run (trainer, network, optimiser, batches).
    """
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
    order = content["run"]["batches"]
    if (order is None) == hasattr(batches, "load_state_dict"):
        holds = "no order of" if order is None else "the order of"
        raise ValueError(
            f"{path} holds {holds} its batches, which does not suit a "
            f"{type(batches).__name__}: {remedy}"
        )
    if order is not None:
        batches.load_state_dict(order)  # which checks first
    for name, part in parts.items():
        part.load_state_dict(content["parts"][name])
    return content["run"]


def saved_history(path: Path) -> History:
    """What the run that wrote a checkpoint had measured by then.

    Raises: ValueError as `load_checkpoint`, for a file that is none.
    """
    return History(**_read(path)["run"]["history"])


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


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays, at any depth, as Python's numbers and tensors.

    They come from schedules and rates like `np.cos(...)`; a file that is read without
    running code may not hold them.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        try:
            return torch.from_numpy(value.copy())
        except TypeError:
            return value  # of texts or objects: named when it is read back
    if isinstance(value, dict):
        plain = copy(value)  # of its own kind, with what a state_dict says of itself
        plain.clear()
        plain.update({_plain(key): _plain(item) for key, item in value.items()})
        return plain
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value


def _write(content: dict[str, Any], temporary: Path) -> None:
    try:
        torch.save(content, temporary)
        torch.load(temporary, weights_only=True, map_location="cpu")
    except (PickleError, AttributeError, TypeError) as error:
        what = str(error)  # of an object that cannot be written at all
        if isinstance(error, UnpicklingError):
            what = _foreign_kinds(temporary)
        parts = [name for name, s in content["parts"].items() if not _can_be_kept(s)]
        raise TypeError(
            f"The state of this {content['trainer']} cannot be kept: "
            f"{', '.join(parts)} ({what}). A "
            "checkpoint holds tensors, numbers, texts, lists and dictionaries only, "
            "so that reading it runs no code. Turn the rest into these, or keep it "
            "out of state_dict()."
        ) from error


def _can_be_kept(state: Any) -> bool:
    try:
        torch.save(state, buffer := BytesIO())
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except (PickleError, AttributeError, TypeError):
        return False
    return True


def _foreign_kinds(path: Path) -> str:
    kinds = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    return f"it holds {', '.join(sorted(kinds))}"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # damaged bytes fail in many ways
        if isinstance(error, UnpicklingError) and is_zipfile(path):
            raise ValueError(
                f"{path} is no readable checkpoint: the file is whole, but reading it "
                f"could run foreign code ({_foreign_kinds(path)}). Choose another path."
            ) from error
        raise ValueError(
            f"{path} is no readable checkpoint (damaged, half copied, or another kind "
            "of file): take a copy that is whole, or choose another path."
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
