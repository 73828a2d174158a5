"""The numbers that a chapter promises, and the results that recipes recorded."""

import json
import math
import re
import subprocess
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from IPython.display import display
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import to_tensor

from companion.runtime import records_dir, save_file

MIME = "application/vnd.companion.record+json"
_NAME = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)?")


def record(chapter: str, values: Mapping[str, float]) -> None:
    """State the numbers that this run of a chapter stands for, as its last cell.

    They are printed and kept in the notebook; each run of the tests compares them
    with the stored ones and with the bands in book/bands.yml.

    Raises: ValueError for a chapter's name that is not like "cnn/training", no
        values, or a value that is not finite.
    """
    _check_name(chapter)
    if not values:
        raise ValueError("There is nothing to record; give {name: number}.")
    numbers = {name: float(value) for name, value in values.items()}
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}; a record holds finite numbers.")
    width = max(map(len, numbers))
    text = "\n".join(f"{name:<{width}}  {v:.4g}" for name, v in numbers.items())
    content = {"chapter": chapter, "values": numbers}
    display({"text/plain": text, MIME: content}, raw=True)
    folder = records_dir()
    if folder is not None:
        _write_json(folder / f"{chapter}.json", content)


def recorded(name: str) -> dict[str, Any]:
    """A result that a recipe or a benchmark made: its numbers and circumstances.

    Raises: ValueError naming the records there are, if this is none of them.
    """
    path = resources.files(__name__) / f"{name}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"There is no record {name!r}; there is: {_kept('.json')}."
        ) from error


def recorded_picture(name: str) -> Tensor:
    """The picture that a study keeps beside its numbers: (1, C, H, W) in [0, 1].

    Raises: ValueError naming the pictures there are, if this is none of them.
    """
    try:
        with (resources.files(__name__) / f"{name}.jpg").open("rb") as file:
            return to_tensor(Image.open(file))[None]
    except OSError as error:
        raise ValueError(
            f"There is no picture of {name!r}; there is: {_kept('.jpg')}."
        ) from error


def circumstances(run: Mapping[str, Any]) -> str:
    """When, on what, and after how many steps and seconds a result was recorded.

    `run` is what `recorded` returns.
    """
    threads = "1 thread" if run["threads"] == 1 else f"{run['threads']} threads"
    return (
        f"recorded {run['date']} on {run['device']}, {threads}, "
        f"{run['steps']:,} steps, {run['seconds']:,.0f} s"
    )


def origin(command: str, device: torch.device) -> dict[str, Any]:
    """What a result that begins now needs to be repeated, but for its data and steps.

    The command, the commit, the device that does the work, threads, torch's version
    and the date.
    """
    return {
        "command": command,
        "commit": _commit(),
        "device": (
            torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        ),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def write_record(
    name: str,
    values: Mapping[str, Any],
    *,
    origin: Mapping[str, Any],
    data: str,
    steps: int,
    seconds: float,
    folder: Path | None = None,
) -> None:
    """Keep a result with what it needs to be repeated.

    `values`, what `origin` returned when the work began, and the other arguments go
    to companion/records/NAME.json.

    Raises: ValueError for a bad name or no values.
    """
    _check_name(name)
    if not values:
        raise ValueError("There is nothing to record; give {name: value}.")
    content = {
        "values": dict(values),
        "data": data,
        "steps": steps,
        "seconds": round(seconds, 1),
        **origin,
    }
    _write_json((folder or Path(__file__).parent) / f"{name}.json", content)


def _kept(ending: str) -> list[str]:
    """The names of the records with this ending."""
    there = (path.name for path in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(ending) for name in there if name.endswith(ending))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"The name {name!r} must be small letters, digits and _, as in "
            "'cnn/training'."
        )


def _commit() -> str:
    """The commit, with "+" behind it if the package's files differ from it.

    A new file counts as well. "unknown" if the package stands in no repository of its
    own, as an installed one does.
    """
    package = Path(__file__).parents[1]

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=package, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")
        changed = git("status", "--porcelain", "--", ".")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    save_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
