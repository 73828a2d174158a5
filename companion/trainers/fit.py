"""The one training loop, its history and its checkpoints."""

import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from companion.trainers.checkpoint import check_target, load_checkpoint, save_checkpoint

READ_SECONDS = 0.25  # between two looks at the terms


class Trainer(Protocol):
    """An algorithm: one step on one batch, which names the terms it computed.

    A step owns its updates. It returns scalar tensors, on whatever device.
    """

    def step(self, *batch: Tensor) -> Mapping[str, Tensor]: ...


@dataclass
class History:
    """What a training run measured, one value an epoch.

    `history["loss"]` is the list of a term's means over the images of each epoch,
    or of what `validate` returned; `steps` holds the steps done by each epoch's end,
    `seconds` the time of the whole run.
    """

    terms: dict[str, list[float]] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.terms:
            raise KeyError(f"{name!r} was not recorded; there is: {self.names()}.")
        return self.terms[name]

    def names(self) -> list[str]:
        return list(self.terms)

    def last(self) -> dict[str, float]:
        """The values of the last epoch."""
        return {name: values[-1] for name, values in self.terms.items()}

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Add an epoch; a term that it lacks becomes nan, so that lists stay equal."""
        for name in self.terms.keys() | values.keys():
            column = self.terms.setdefault(name, [math.nan] * len(self.steps))
            column.append(float(values.get(name, math.nan)))
        self.terms = {n: self.terms[n] for n in [*values, *self.terms]}
        self.steps.append(step)


class _Means:
    """Means of an epoch's terms over images, read from the device in few transfers."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.images: dict[str, int] = {}
        self.pending: list[tuple[int, int, str, Tensor]] = []

    def add(self, step: int, num_images: int, terms: Mapping[str, Tensor]) -> None:
        for name, value in terms.items():
            if not isinstance(value, Tensor) or value.dim() != 0:
                shape = tuple(value.shape) if isinstance(value, Tensor) else type(value)
                raise TypeError(
                    f"step() returned {name!r} as {shape}; return a scalar tensor, "
                    "for instance its .mean()."
                )
            self.pending.append((step, num_images, name, value.detach()))

    def read(self) -> None:
        """Bring the pending terms over.

        Raises: FloatingPointError naming the first term and step that is not finite.
        """
        if not self.pending:
            return
        values = torch.stack([v.float() for *_, v in self.pending]).tolist()
        for (step, num_images, name, _), value in zip(
            self.pending, values, strict=True
        ):
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"{name} became {value} at step {step}. Lower the learning rate, "
                    "clip the gradients, or look for a log or a division of zero."
                )
            self.sums[name] = self.sums.get(name, 0.0) + value * num_images
            self.images[name] = self.images.get(name, 0) + num_images
        self.pending.clear()

    def values(self) -> dict[str, float]:
        return {name: total / self.images[name] for name, total in self.sums.items()}


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
    progress: bool = True,
) -> History:
    """Run `trainer.step` on batch after batch: the only training loop of the book.

    `batches` is iterated once an epoch. Give the length in optimiser `steps` or in
    `epochs`. At each epoch's end the terms are averaged over images, `validate()`
    adds its numbers, the checkpoint is written, and `watch(step)` may draw samples.
    Ctrl-C ends the run and returns the history so far.

    With `resume=True` a run continues from `checkpoint` if the file exists. Resumed
    at an epoch's end it equals the uninterrupted run, bit for bit on a CPU with the
    same threads, if all random numbers come from torch's own generator or `Batches`.

    Raises: ValueError for a wrong length, an empty `batches`, a clash of names, or a
        checkpoint of another run; TypeError for a term that is no scalar tensor;
        FloatingPointError naming a term that is not finite, before any checkpoint or
        picture is made of it; OSError if the checkpoint cannot be written.
    """
    per_epoch = len(batches)
    total = _total_steps(steps, epochs, per_epoch)
    history, step = History(), 0
    if checkpoint is not None:
        check_target(checkpoint)
    if resume:
        if checkpoint is None:
            raise ValueError("resume=True needs checkpoint=, the file to read.")
        saved = load_checkpoint(checkpoint, trainer, batches)
        if saved is not None:
            history = History(**saved)
            step = history.steps[-1]
    started = time.perf_counter() - history.seconds
    bar = tqdm(
        total=total,
        initial=step,
        disable=not progress,
        file=sys.stdout,
        mininterval=0.5,
        bar_format="{percentage:3.0f}%|{bar:24}| {n}/{total} steps, {elapsed}{postfix}",
        ascii=" ▏▎▍▌▋▊▉█",
    )
    means = _Means()
    last_read = time.perf_counter()
    try:
        while step < total:
            means = _Means()
            for batch in batches:
                batch = batch if isinstance(batch, tuple | list) else (batch,)
                terms = trainer.step(*batch)
                step += 1
                means.add(step, len(batch[0]), terms)
                # Not every step: reading waits for a GPU.
                if time.perf_counter() - last_read >= READ_SECONDS:
                    means.read()
                    bar.set_postfix_str(_terms_text(means.values()), refresh=False)
                    last_read = time.perf_counter()
                bar.update()
                if step == total:
                    break
            means.read()
            values = means.values()
            measured = dict(validate()) if validate is not None else {}
            if clash := values.keys() & measured.keys():
                raise ValueError(
                    f"validate() and step() both return {sorted(clash)}; rename one, "
                    "for instance to 'val_loss'."
                )
            history.append(step, values | measured)
            history.seconds = time.perf_counter() - started
            bar.set_postfix_str(_terms_text(values | measured), refresh=False)
            if checkpoint is not None:
                save_checkpoint(checkpoint, trainer, batches, vars(history))
            if watch is not None:
                bar.clear()  # or a copy of it would stay above the picture
                watch(step)
    except KeyboardInterrupt:
        history.interrupted = True
        if not history.steps or step > history.steps[-1]:
            means.read()
            history.append(step, means.values())
    finally:
        history.seconds = time.perf_counter() - started
        bar.close()
    if history.interrupted:
        print(f"Interrupted after {step} of {total} steps; the history is kept.")
    return history


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


def _terms_text(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
