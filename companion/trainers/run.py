"""A training run on its way: where it stands, and how it is kept."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from companion.runtime import random_state, save_file, set_random_state
from companion.trainers.checkpoint import load_checkpoint, save_checkpoint, target
from companion.trainers.history import History, Means
from companion.trainers.inputs import as_tuple


class Run:
    """The steps done, the means of the present epoch, the history, the checkpoint.

    The checkpoint is written once at the beginning, so that a path that cannot be
    written and a state that cannot be kept are known before the work. One that exists
    is only overwritten by the run that resumes it.

    Raises: as `fit`.
    """

    def __init__(
        self, trainer: Any, batches: Any, checkpoint: str | Path | None, resume: bool
    ):
        self.trainer, self.batches = trainer, batches
        self.path = None if checkpoint is None else target(checkpoint)
        self.history, self.means = History(), Means()
        self.step = 0  # done in all
        self.done = 0  # batches of the present epoch
        self.sound = True  # not in the middle of an update
        self.saved: int | None = None  # the step that the checkpoint holds
        self._made = False  # the checkpoint, by this run
        self._begun: dict[str, Any] = {}  # the present epoch's beginning
        self._random: dict[str, Any] = {}  # after its first `done` batches
        self._held: dict[str, Any] | None = None  # while others may draw
        self._settled = False  # the checkpoint, for good
        if self.path is None:
            if resume:
                raise ValueError("resume=True needs checkpoint=, the file to read.")
        elif not self.path.exists():
            self._made = True
            self.save()
        elif resume:
            self._load()
        else:
            raise ValueError(
                f"checkpoint {self.path} exists: give resume=True to go on from it, "
                "or another path to begin anew."
            )
        self.first = self.step
        self.started = time.perf_counter() - self.history.seconds

    def epoch(self) -> Iterator[tuple[Tensor, ...]]:
        """The batches of this epoch that are still to come."""
        if not self.done:
            self._begun = self._order()
        drawn = iter(self.batches)
        if self.done:
            # Drawn again in the same order, and let go.
            next(islice(drawn, self.done, self.done), None)
            set_random_state(self._random)
        return map(as_tuple, drawn)

    def count(self, num_images: int, terms: Mapping[str, Tensor]) -> None:
        """A step was done and returned its terms."""
        self.means.add(self.step + 1, num_images, terms)
        self.step += 1
        self.done += 1

    def end_epoch(self, values: Mapping[str, float], *, complete: bool) -> None:
        """An epoch joins the history, and the next one begins.

        If it is not complete, since the run ends within it, the checkpoint keeps it
        as it stands, for a longer run to go on from.
        """
        if not complete:
            self.save()
            self._settled = True
        self.history.append(self.step, values)
        self.means, self.done = Means(), 0
        self.save()

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Within, others may draw random numbers, and fail.

        If they fail, the checkpoint has the numbers from before, else those after.
        """
        self._held = random_state()
        yield
        moved = not _same(self._held, random_state())
        self._held = None
        if moved and not self.done:
            self.save()

    def stop(self) -> None:
        """Ctrl-C: what the unfinished epoch measured joins the history."""
        self.history.interrupted = True
        if self.done:
            self.history.append(self.step, self.means.read())

    def take_time(self) -> None:
        self.history.seconds = time.perf_counter() - self.started

    def save(self) -> None:
        """Write the checkpoint, if there is one, also in the middle of an epoch.

        Raises: FloatingPointError for a term that is not finite; OSError if the file
            cannot be written; TypeError if the trainer's state cannot be kept.
        """
        if self.path is None or self._settled:
            return
        self.means.read()
        if self.step:
            self.take_time()
        begun = self._begun if self.done else self._order()
        here = {
            "step": self.step,
            "done": self.done,
            "history": vars(self.history),
            "sums": self.means.sums,
            "images": self.means.images,
            "batches": begun["batches"],
            "begun": begun["random"],
            "random": self._held or random_state(),
        }
        save_checkpoint(self.path, self.trainer, self.batches, here)
        self.saved = self.step

    def leave(self, total: int) -> str:
        """Keep what can be kept at a sudden end; say where the run stands."""
        standing = f"after {self.step} of {total} steps"
        try:
            self.means.read()
        except FloatingPointError as error:
            standing += f" ({error})"
            self.sound = False
        if self.path is None:
            return f"{standing}; no checkpoint was asked for"
        if self.step == self.first:
            if self._made:
                self.path.unlink(missing_ok=True)  # it would be in the way
            return standing
        if self.sound:
            try:
                self.save()
            except (OSError, TypeError) as error:
                standing += f" ({error})"
        return (
            f"{standing}; {self.path} holds step {self.saved}, and resume=True goes "
            "on from there"
        )

    def _order(self) -> dict[str, Any]:
        """What decides which batches an epoch that begins now will draw."""
        known = hasattr(self.batches, "state_dict")
        return {
            "batches": self.batches.state_dict() if known else None,
            "random": self._held or random_state(),
        }

    def _load(self) -> None:
        here = load_checkpoint(self.path, self.trainer, self.batches)
        # The same bytes once more: can they be written here?
        whole = self.path.read_bytes()
        save_file(self.path, lambda temporary: temporary.write_bytes(whole))
        self.history = History(**here["history"])
        self.means = Means(here["sums"], here["images"])
        self.step = self.saved = here["step"]
        self.done = here["done"]
        self._begun = {"batches": here["batches"], "random": here["begun"]}
        self._random = here["random"]
        set_random_state(here["begun"])


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two states of torch's generators are equal."""

    def parts(state: Mapping[str, Any]) -> list[Tensor]:
        return [
            state["cpu"],
            *state.get("cuda", []),
            *([state["mps"]] if "mps" in state else []),
        ]

    return all(map(torch.equal, parts(one), parts(other)))
