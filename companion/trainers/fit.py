"""The one training loop."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor
from tqdm import tqdm

from companion.trainers.history import History
from companion.trainers.inputs import checked_step
from companion.trainers.interrupts import Interrupts
from companion.trainers.run import Run

READ_SECONDS = 0.25  # between two looks at the terms
SAVE_SECONDS = 60  # between two checkpoints within an epoch


class Trainer(Protocol):
    """An algorithm: one step on one batch, which names the terms it computed.

    A step owns its updates. It returns scalar tensors, on whatever device. A trainer
    may say by `takes(x)` what it needs of its batches; see `trainers.inputs`.
    """

    def step(self, *batch: Tensor) -> Mapping[str, Tensor]: ...


def fit(
    trainer: Trainer,
    batches: Iterable[tuple[Tensor, ...]],
    *,
    steps: int | None = None,
    epochs: int | None = None,
    validate: Callable[[], Mapping[str, float]] | None = None,
    watch: Callable[[int], object] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool | Callable[[int, int, Mapping[str, float]], object] = True,
) -> History:
    """Run `trainer.step` on batch after batch: the only training loop of the book.

    `batches` is iterated once an epoch. Give the length in optimiser `steps` or in
    `epochs`. At each epoch's end the terms are averaged over images, `validate()`
    adds its numbers, and `watch(step)` may draw samples. Ctrl-C ends the run after
    the step at hand and returns the history so far. In place of the bar, `progress`
    may be a function, which is called several times a second with the step, the
    number of all steps, and the means so far.

    The `checkpoint` is written before the first step, at each epoch's end, at least
    once a minute, and when the run is interrupted or anything but a step fails. With
    `resume=True` the run goes on from it, if the file exists, at the very step: it
    equals the uninterrupted run, bit for bit on a CPU with the same threads, if all
    random numbers come from torch's own generator or `Batches`.

    Raises: ValueError for a wrong length, an empty `batches`, a clash of names, a
        checkpoint of another run, or one that exists without `resume`; TypeError or
        ValueError, before any update, if the batches do not fit the trainer;
        TypeError for a term that is no scalar tensor; FloatingPointError naming a
        term that is not finite, before any checkpoint or picture is made of it;
        OSError, before the first step, if the checkpoint cannot be written.
    """
    per_epoch = _length(batches)
    total = _total_steps(steps, epochs, per_epoch)
    run = Run(trainer, batches, checkpoint, resume)
    whole_epoch = run.done + total - run.step >= per_epoch
    last_read = last_save = time.perf_counter()
    bar = tqdm(
        total=total,
        initial=run.step,
        disable=progress is not True,
        file=sys.stdout,
        mininterval=0.5,
        bar_format="{percentage:3.0f}%|{bar:24}| {n}/{total} steps, {elapsed}{postfix}",
        ascii=" ▏▎▍▌▋▊▉█",
    )

    def show(values: Mapping[str, float]) -> None:
        if callable(progress):
            progress(run.step, total, values)
        text = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        bar.set_postfix_str(text, refresh=False)

    try:
        with bar, Interrupts() as interrupts:
            while run.step < total or run.done:
                drawn = run.epoch()
                while run.step < total and (batch := next(drawn, None)) is not None:
                    run.sound = False
                    if run.step == run.first:
                        terms = checked_step(
                            trainer, batches, batch, whole_epoch=whole_epoch
                        )
                    else:
                        terms = trainer.step(*batch)
                    run.count(len(batch[0]), terms)
                    run.sound = True
                    bar.update()
                    # Not every step: reading waits for a GPU.
                    if time.perf_counter() - last_read >= READ_SECONDS:
                        show(run.means.read())
                        last_read = time.perf_counter()
                    if time.perf_counter() - last_save >= SAVE_SECONDS:
                        run.save()
                        last_save = time.perf_counter()
                    interrupts.check()
                if not run.done:
                    raise ValueError("batches gave no batch: nothing to train on.")
                values = run.means.read()
                if validate is not None:
                    with interrupts.at_once(), run.looking():
                        values = _joined(values, validate())
                complete = run.done >= per_epoch or run.step < total
                run.end_epoch(values, complete=complete)
                show(values)
                last_save = time.perf_counter()
                if watch is not None:
                    bar.clear()  # or a copy of it would stay above the picture
                    with interrupts.at_once(), run.looking():
                        watch(run.step)
            interrupts.check()
    except KeyboardInterrupt:
        standing = run.leave(total)
        run.stop()
        print(f"Interrupted {standing}; the history is kept.")
    except Exception as error:
        run.sound = run.sound and not isinstance(error, FloatingPointError)
        standing = run.leave(total)
        if run.step > run.first:
            print(f"Stopped {standing}.")
        raise
    finally:
        run.take_time()
    return run.history


def _length(batches: Any) -> int:
    try:
        return len(batches)
    except TypeError as error:
        raise TypeError(
            f"batches is {type(batches).__name__}, which does not say how many batches "
            "an epoch has; give Batches(x), a DataLoader, or a list of batches."
        ) from error


def _total_steps(steps: int | None, epochs: int | None, per_epoch: int) -> int:
    if (steps is None) == (epochs is None):
        raise ValueError(
            f"steps={steps}, epochs={epochs}: give exactly one of the two."
        )
    name, value = ("steps", steps) if steps is not None else ("epochs", epochs)
    if value != int(value) or value < 1:
        raise ValueError(f"{name} is {value}; give a whole number of 1 or more.")
    if per_epoch < 1:
        raise ValueError("batches is empty: there is nothing to train on.")
    return int(value) if name == "steps" else int(value) * per_epoch


def _joined(values: dict[str, float], measured: Any) -> dict[str, float]:
    """An epoch's terms and what `validate` returned."""
    if not isinstance(measured, Mapping):
        raise TypeError(
            f"validate() returned {measured!r}; return a dictionary of numbers, such "
            "as {'val_loss': 0.5}."
        )
    if clash := values.keys() & measured.keys():
        raise ValueError(
            f"validate() and step() both return {sorted(clash)}; rename one, "
            "for instance to 'val_loss'."
        )
    return values | dict(measured)
