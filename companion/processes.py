"""Data-parallel training: several processes, each with its part of every batch.

`torchrun --nproc-per-node 2 -m companion train NAME` starts one program twice. Each
process builds the same trainer and the same batches; then

    with join() as processes, processes.averaging(trainer):
        fit(trainer, processes.share(batches, seed), steps=1000)

makes the updates that one process would make with the whole batches: the gradient of
a mean over images is the mean of the parts' gradients, weighted by their images.
"""

import math
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from functools import partial, wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from companion.data.batches import Batches
from companion.data.pairs import PairBatches

PATIENCE = timedelta(minutes=10)  # with a process that does not answer


def join() -> "Processes | None":
    """Meet the processes that torchrun started; None if this one is alone.

    If there are GPUs, each process takes the one of its LOCAL_RANK.

    Raises: ValueError for fewer GPUs than processes, or a GPU that cannot be shared
        out (MPS); torch's own errors if the others do not come within ten minutes.
    """
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", 1)) < 2:
        return None
    backend, on_cpu = "gloo", os.environ.get("COMPANION_DEVICE") == "cpu"
    if torch.backends.mps.is_available() and not on_cpu:
        raise ValueError("Processes cannot share an MPS GPU; set COMPANION_DEVICE=cpu.")
    if torch.cuda.is_available() and not on_cpu:
        number, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if number >= gpus:
            raise ValueError(
                f"LOCAL_RANK is {number}, but this machine has {gpus} GPU(s): "
                "start as many processes as GPUs, or set COMPANION_DEVICE=cpu."
            )
        torch.cuda.set_device(number)
        backend = "cpu:gloo,cuda:nccl"  # a trainer may keep counts on the CPU
    distributed.init_process_group(backend, timeout=PATIENCE)
    return Processes(distributed.get_rank(), distributed.get_world_size())


@dataclass(frozen=True)
class Processes:
    """This process, number `rank` of `size`, and the others; `with` parts them."""

    rank: int
    size: int

    @property
    def first(self) -> bool:
        """Whether this is the process that speaks and writes."""
        return self.rank == 0

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        distributed.destroy_process_group()

    def total(self, number: int) -> int:
        """The sum of the numbers that all processes give."""
        numbers = torch.tensor(number)
        distributed.all_reduce(numbers)
        return int(numbers)

    def barrier(self) -> None:
        """Wait until all processes are here."""
        self.total(0)

    def share(self, batches: Batches, seed: int) -> "Share":
        """This process's part of every batch, for `fit`.

        Raises: as `Share`.
        """
        return Share(batches, seed, self.rank, self.size)

    @contextmanager
    def averaging(self, trainer: Any) -> Iterator[None]:
        """Within, `trainer.step` on the parts equals a step on the whole batch.

        Gradients are averaged before each optimiser's step, and the terms after it,
        so that all processes see a value that is not finite at the same step. Then
        all take over the parameters and buffers of the first process: what else
        a step changes, such as codes moved to the data, must not drive them apart.

        Differs from one process: clipping by `max_norm` happens before the average,
        to each part's gradient, and "norm" is the mean of their norms. Batch
        normalisation uses the images of a part, and its kept averages, like counts
        of used codes, are those of the first process. In the means of an epoch,
        `fit` weighs a short batch by the images of the first process's part.

        Raises, in `step`: FloatingPointError naming a term that is not finite;
            ValueError for an optimiser that computes gradients in its step (LBFGS).
        """
        kind = next(kind for kind in type(trainer).__mro__ if "step" in vars(kind))
        own_step = kind.step

        @wraps(own_step)
        def step(caller: Any, *batch: Tensor) -> Mapping[str, Tensor]:
            if caller is not trainer:
                return own_step(caller, *batch)
            weight = len(batch[0]) / self.total(len(batch[0]))
            hook = register_optimizer_step_pre_hook(partial(_mean_gradients, weight))
            try:
                terms = own_step(trainer, *batch)
            finally:
                hook.remove()
            _follow_first(trainer)
            return _mean_terms(weight, terms)

        _follow_first(trainer)
        # In the class: `fit` asks it what a step takes.
        kind.step = step
        try:
            yield
        finally:
            kind.step = own_step

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Within, what another process than the first prints is lost."""
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            with redirect_stdout(sys.stdout if self.first else nowhere):
                yield

    @contextmanager
    def folder(self, path: str | Path) -> Iterator[Path]:
        """The folder `path` for the first process, a passing copy for each other.

        All read the same checkpoint, and only the first one's is kept.
        """
        path = Path(path).expanduser()
        with TemporaryDirectory() as copy:
            self.barrier()  # what the first wrote before this is whole
            if not self.first and path.is_dir():
                shutil.copytree(path, copy, dirs_exist_ok=True)
            self.barrier()  # the first must not write while others still read
            yield path if self.first else Path(copy)


class Share(Batches):
    """Part number `rank` of every batch: its images number rank, rank + size, ...

    The order and the augmentation are drawn for the whole batch, which is then cut:
    all parts together are the batch of a single process. At each batch torch's
    generators are seeded anew from seed, rank, epoch and the batch's number, so that
    each process draws its own noise, and a resumed run the same as before.

    It is a Batches so that `fit` looks at all labels, and at the smallest part.

    Raises: TypeError for other batches, whose order may depend on torch's generators;
        ValueError for a negative seed, or if a batch has fewer images than `size`.
    """

    def __init__(self, batches: Batches, seed: int, rank: int, size: int) -> None:
        if type(batches) not in (Batches, PairBatches):
            raise TypeError(
                f"batches is {type(batches).__name__}, which processes may draw in "
                "different orders; give Batches(x) or PairBatches(x, y)."
            )
        if seed < 0:
            raise ValueError(f"seed is {seed}; give a number of 0 or more.")
        smallest = batches.num_images % batches.batch_size or batches.batch_size
        if smallest < size:
            raise ValueError(
                f"An epoch of {batches.num_images} images in batches of "
                f"{batches.batch_size} has one of {smallest}, fewer than the {size} "
                "processes: start fewer, or choose another batch_size."
            )
        self.batches, self.seed, self.rank, self.size = batches, seed, rank, size
        self.batch_size, self.drop_last = batches.batch_size // size, False

    @property
    def num_images(self) -> int:
        """Images of one epoch in the smallest part."""
        full, rest = divmod(self.batches.num_images, self.batches.batch_size)
        return full * self.batch_size + rest // self.size

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        epoch = self.batches.epoch
        for number, batch in enumerate(self.batches):
            mixed = np.random.SeedSequence((self.seed, self.rank, epoch, number))
            torch.manual_seed(int(mixed.generate_state(1)[0]))
            yield tuple(tensor[self.rank :: self.size].contiguous() for tensor in batch)

    def whole(self) -> tuple[Tensor | None, ...]:
        return self.batches.whole()

    def state_dict(self) -> dict[str, int]:
        return self.batches.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.batches.load_state_dict(state)


def _mean_gradients(weight: float, optimizer: Optimizer, args: Any, named: Any) -> None:
    if any(value is not None for value in (*args[1:], *named.values())):
        raise ValueError(
            f"{type(optimizer).__name__} takes a closure and computes gradients in "
            "its step, which processes cannot average: train with one process."
        )
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    # A layer that no image of this part went through may have served another part.
    used = torch.tensor([p.grad is not None for p in parameters], dtype=torch.uint8)
    distributed.all_reduce(used, op=distributed.ReduceOp.MAX)
    for parameter, somewhere in zip(parameters, used.tolist(), strict=True):
        if somewhere and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = (p.grad for p in parameters if p.grad is not None)
    _together(gradients, lambda flat: distributed.all_reduce(flat.mul_(weight)))


def _mean_terms(weight: float, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    values = torch.stack([term.detach().float() for term in terms.values()]) * weight
    distributed.all_reduce(values)
    for name, value in zip(terms, values.tolist(), strict=True):
        if not math.isfinite(value):
            raise FloatingPointError(
                f"{name} became {value}. Lower the learning rate, clip the gradients, "
                "or look for a log or a division of zero."
            )
    return dict(zip(terms, values, strict=True))


def _follow_first(trainer: Any) -> None:
    networks = [part for part in vars(trainer).values() if isinstance(part, nn.Module)]
    tensors = (t for net in networks for t in (*net.parameters(), *net.buffers()))
    _together(tensors, lambda flat: distributed.broadcast(flat, src=0))


@torch.no_grad()
def _together(tensors: Iterable[Tensor], exchange: Callable[[Tensor], object]) -> None:
    """Tensors exchanged in place: those of one kind and device in a single call."""
    groups: dict[Any, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault((tensor.dtype, tensor.device), []).append(tensor)
    for group in groups.values():
        flat = torch.cat([tensor.flatten() for tensor in group])
        exchange(flat)
        parts = flat.split([tensor.numel() for tensor in group])
        for tensor, part in zip(group, parts, strict=True):
            tensor.copy_(part.view_as(tensor))
