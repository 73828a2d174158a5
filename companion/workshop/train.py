"""A run: from a recipe to a folder with its result."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from filelock import FileLock, Timeout
from torch import nn

from companion.data import ImageData
from companion.pretrained import build
from companion.processes import Processes, join
from companion.records import origin, write_record
from companion.runtime import setup
from companion.trainers import fit
from companion.workshop.data import digest, load_data
from companion.workshop.folder import RunFolder
from companion.workshop.log import Progress, duration, logged
from companion.workshop.options import command
from companion.workshop.recipe import (
    AnyRecipe,
    Recipe,
    Study,
    Training,
    as_dict,
    find,
    from_dict,
)
from companion.workshop.study import carry_out

LOOK_SECONDS = 60  # between two sheets


class Work:
    """All that a recipe makes, on its device; of several processes, in each."""

    def __init__(self, recipe: Recipe, processes: Processes | None = None) -> None:
        self.recipe, self.processes = recipe, processes
        self.first = processes is None or processes.first
        self.device = setup(recipe.seed)
        if not self.first:
            processes.barrier()  # the first may have to download
        self.data: ImageData = load_data(recipe).to(self.device)
        if processes is not None and self.first:
            processes.barrier()
        self.arguments = recipe.arguments(self.data)
        kind = type(recipe).kind
        self.network = f"{kind.__module__}:{kind.__qualname__}"
        self.training: Training = recipe.training(
            build(self.network, self.arguments).to(self.device), self.data
        )

    def __str__(self) -> str:
        networks = vars(self.training.trainer).values()
        parts = [
            f"{type(part).__name__} {num_parameters(part):,}"
            for part in networks
            if isinstance(part, nn.Module) and num_parameters(part)
        ]
        return f"{self.data.source}. Parameters: {', '.join(parts)}."


def num_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def train(name: str, recipe: AnyRecipe, folder: RunFolder) -> bool:
    """Do a run from its beginning; False if it was interrupted.

    Raises: ValueError if the folder is in use; else as `fit` and the recipe's parts.
    """
    begin = _study if isinstance(recipe, Study) else _begin
    return _alone(folder, lambda own, processes: begin(name, recipe, own, processes))


def resume(folder: RunFolder) -> bool:
    """Go on with a run where its checkpoint stands; False if it was interrupted.

    Raises: ValueError if the folder holds no run, a finished one, or one of other
        data; else as `train`.
    """
    folder.settings()
    return _alone(folder, _go_on)


def _alone(
    folder: RunFolder, work: Callable[[RunFolder, Processes | None], bool]
) -> bool:
    """Do the work while no other run can use the folder.

    Of several processes that share the work, only the first speaks and has the folder;
    each other has a passing copy.
    """
    with ExitStack() as stack:
        if processes := join():
            stack.enter_context(processes)
            stack.enter_context(processes.quiet())
            folder = RunFolder(stack.enter_context(processes.folder(folder.path)))
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder.lock, timeout=0))
            stack.enter_context(logged(folder.path / "log.txt"))
        except Timeout as error:
            raise ValueError(
                f"Another process is at work in {folder.path}; wait for its end, or "
                "give another folder by --out."
            ) from error
        except OSError as error:
            raise OSError(
                f"The folder {folder.path} cannot be used ({error.strerror}): give "
                "another by --out."
            ) from error
        return work(folder, processes)


def _study(
    name: str, recipe: Study, folder: RunFolder, processes: Processes | None
) -> bool:
    if processes is not None:
        raise ValueError(f"{name} is made by one process; run it without torchrun.")
    return carry_out(name, recipe, folder)


def _begin(
    name: str, recipe: Recipe, folder: RunFolder, processes: Processes | None
) -> bool:
    work = Work(recipe, processes)
    words = command(name, recipe)
    if processes is not None:
        torchrun = f"torchrun --nproc-per-node {processes.size}"
        words = words.replace("python", torchrun, 1)
    folder.begin(
        {
            "recipe": name,
            "settings": as_dict(recipe),
            "data": work.data.source,
            "digest": digest(work.data),
            "full": work.data.full,
            "processes": processes.size if processes else 1,
            "origin": origin(words, work.device),
        }
    )
    try:
        return _run(work, folder, resume=False)
    except Exception:
        folder.forget()
        raise


def _go_on(folder: RunFolder, processes: Processes | None) -> bool:
    saved = folder.settings()
    if folder.record.exists() and _is_whole(folder):
        raise ValueError(
            f"The run in {folder.path} is finished; `python -m companion judge "
            f"{folder.path}` shows its values."
        )
    size = processes.size if processes else 1
    if size != saved["processes"]:
        raise ValueError(
            f"The run in {folder.path} began with {saved['processes']} processes, this "
            f"is {size}: start as many, by torchrun --nproc-per-node if several."
        )
    work = Work(from_dict(find(saved["recipe"]), saved["settings"]), processes)
    if (work.data.source, digest(work.data)) != (saved["data"], saved["digest"]):
        raise ValueError(
            f"The run in {folder.path} began with {saved['data']}; now there is "
            f"{work.data.source} with other pictures or labels: bring the same back."
        )
    _note_other_origin(saved, origin(saved["origin"]["command"], work.device))
    folder.keep_settings(saved)
    return _run(work, folder, resume=True)


def _is_whole(folder: RunFolder) -> bool:
    try:
        folder.network()
    except ValueError:
        return False
    return True


def _note_other_origin(saved: dict[str, Any], now: Mapping[str, Any]) -> None:
    """What is not as it was when the run began goes into its record as well."""
    began = saved["origin"]
    others = {k: v for k, v in now.items() if k != "date" and v != began[k]}
    if others:
        began["resumed"] = [*began.get("resumed", []), others]


def _run(work: Work, folder: RunFolder, *, resume: bool) -> bool:
    saved = folder.settings()
    training, steps = work.training, work.recipe.steps
    print(work)
    looked = -math.inf

    def card(values: Mapping[str, Any], step: int, seconds: float) -> dict[str, Any]:
        return {
            "network": work.network,
            "arguments": work.arguments,
            "recipe": saved["recipe"],
            "settings": saved["settings"],
            "values": dict(values),
            "data": saved["data"],
            "classes": list(work.data.classes),
            "steps": step,
            "seconds": round(seconds, 1),
            **saved["origin"],
        }

    def look(step: int) -> None:
        nonlocal looked
        if time.perf_counter() - looked >= LOOK_SECONDS:
            folder.look(training.network, card({}, step, 0.0))
            looked = time.perf_counter()

    with ExitStack() as stack:
        batches = training.batches
        if work.processes is not None:
            batches = work.processes.share(batches, work.recipe.seed)
            stack.enter_context(work.processes.averaging(training.trainer))
        history = fit(
            training.trainer,
            batches,
            steps=steps,
            validate=training.validate,
            watch=look if work.first else None,
            checkpoint=folder.checkpoint,
            resume=resume,
            progress=Progress(),
        )
    if history.interrupted:
        print(f"Go on with: {folder.again()}")
        return False
    if not work.first:
        return True
    print(f"{steps:,} steps in {duration(history.seconds)}. Judging.", flush=True)
    folder.look(training.network, card({}, steps, history.seconds), history)
    try:
        # The network as it will travel, in half precision.
        network = folder.network(work.device)
        values = judged(work.recipe, network, work.data, beside=training.beside)
    except KeyboardInterrupt:
        print(f"Interrupted; all steps are done. To judge: {folder.again()}")
        return False
    for label, value in values.items():
        if not math.isfinite(value):
            raise ValueError(
                f"{label} is {value}. The weights in {folder.path} are whole; look at "
                "its sheet and its history."
            )
    folder.keep_network(training.network, card(values, steps, history.seconds))
    write_record(
        "record",
        values,
        origin=saved["origin"],
        data=saved["data"],
        steps=steps,
        seconds=history.seconds,
        folder=folder.path,
    )
    print(f"Done: {folder.path} holds the weights, a sheet and the values.")
    return True


def judged(
    recipe: Recipe,
    network: nn.Module,
    data: ImageData,
    before: Mapping[str, Any] | None = None,
    beside: Callable[[], Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The recipe's numbers of a network, printed, beside those it had `before`.

    What only a training can tell comes from `beside`; without one, what the card has
    of it is printed as it is.
    """
    values = recipe.judge(network, data) | (beside() if beside else {})
    if before is not None:
        print(f"{'':<34}{'now':>12}{'card':>12}")
    for label, value in values.items():
        print(f"{label:<34}{value:>12}{(before or {}).get(label, ''):>12}".rstrip())
    for label, value in (before or {}).items():
        if label not in values:
            print(f"{label:<34}{'':>12}{value:>12}")
    return values
