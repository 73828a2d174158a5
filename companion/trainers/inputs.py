"""Whether the batches fit the trainer: known before the first update.

A trainer says by `takes(x)` what the tensors of a batch must be: a check for each, by
name, given the first batch's x. Of a trainer that does not, a reader's own, only the
number of tensors is known, from the signature of its `step`.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import inf, isfinite, prod
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from companion.data.batches import Batches
from companion.data.checks import check_labels, check_unit_range
from companion.runtime import evaluating, same_random_state

Check = Callable[[str, Tensor], None]


def pictures(name: str, value: Tensor) -> None:
    """Values in [0, 1] of pictures; points, of a single pixel, may lie anywhere."""
    if prod(value.shape[2:]) > 1:
        check_unit_range(name, value)


def finite(name: str, value: Tensor) -> None:
    """Numbers, as standardised pictures are: whatever their range."""
    if value.is_floating_point() and not all(map(isfinite, value.aminmax())):
        raise ValueError(
            f"{name} holds nan or infinite values: look for where those arise."
        )


def class_numbers(num_classes: int) -> Check:
    """Labels of 0 to num_classes - 1."""
    return partial(check_labels, num_classes=num_classes)


def num_outputs(model: nn.Module, x: Tensor) -> int:
    """How many logits a classifier gives an image, asked with the first one of x."""
    with evaluating(model), same_random_state():
        return model(x[:1]).shape[-1]


def as_tuple(batch: Any) -> tuple[Tensor, ...]:
    """A batch as a tuple of tensors; a single tensor is a batch of one.

    Raises: TypeError for anything else, naming it.
    """
    if isinstance(batch, Tensor):
        return (batch,)
    if not isinstance(batch, tuple | list):
        raise TypeError(
            f"A batch is {type(batch).__name__}; give tensors, one or a tuple of them."
        )
    for place, value in enumerate(batch, 1):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"Part {place} of a batch is {type(value).__name__}; give tensors."
            )
    return tuple(batch)


def checked_step(
    trainer: Any, batches: Any, batch: tuple[Tensor, ...], *, whole_epoch: bool
) -> Mapping[str, Tensor]:
    """The first step of a run, if all batches fit the trainer.

    Labels and values are looked at once and for all that lies in memory, so that no
    later batch fails. `whole_epoch` says that the run reaches an epoch's last batch.

    Raises: TypeError or ValueError, before any update, for too many or too few
        tensors, for one that `trainer.takes` refuses, or for a batch of one image
        where batch normalisation needs two.
    """
    takes = trainer.takes(batch[0]) if hasattr(trainer, "takes") and batch else {}
    names = _checked_names(trainer, batch, takes)
    for tensors in _in_memory(batches, batch):
        for name, value in zip(names, tensors, strict=False):
            if name in takes:
                takes[name](name, value)
    smallest = _smallest(batches, batch) if whole_epoch else len(batch[0])
    if smallest != 1:
        return trainer.step(*batch)
    with _batch_norm_refusing_one(trainer, batches, len(batch[0])):
        return trainer.step(*batch)


def _checked_names(
    trainer: Any, batch: tuple[Tensor, ...], takes: Mapping[str, Check]
) -> list[str]:
    """The names under which `step` takes the tensors of a batch.

    Raises: TypeError if there are too many tensors or too few.
    """
    parameters = inspect.signature(trainer.step).parameters.values()
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    optional = {p.name for p in parameters if p.default is not p.empty}
    most = len(names)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        names += [name for name in takes if name not in names]
        most = len(names) if takes else inf
    least = len([name for name in names if name not in optional])
    if least <= len(batch) <= most:
        return names
    remedy = f"give batches of {', '.join(names)}"
    if len(batch) > len(names) == 1:
        remedy += ", for instance Batches(split.x), without the labels"
    elif len(batch) < least and "y" in names:
        remedy += ", for instance Batches(split.x, split.y)"
    raise TypeError(
        f"A batch brings {len(batch)} tensor{'s' * (len(batch) != 1)} and "
        f"{type(trainer).__name__} takes {least}: {remedy}."
    )


def _in_memory(batches: Any, batch: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, ...]]:
    """All tensors that can be seen without drawing a batch, else the first batch's."""
    if isinstance(batches, Batches) and len(batches.tensors) == len(batch):
        x, *more = batches.tensors
        yield (x if batches.augment is None else batch[0], *more)
    elif isinstance(batches, list | tuple):
        yield from map(as_tuple, batches)
    else:
        yield batch


def _smallest(batches: Any, batch: tuple[Tensor, ...]) -> int:
    """The images of an epoch's smallest batch, as far as can be known."""
    if isinstance(batches, list | tuple):
        return min(len(as_tuple(b)[0]) for b in batches)
    size, total = getattr(batches, "batch_size", None), _num_images(batches)
    if size is None or total is None or getattr(batches, "drop_last", False):
        return len(batch[0])
    return total % size or size


def _num_images(batches: Any) -> int | None:
    if isinstance(batches, Batches):
        return batches.num_images
    sampler = getattr(batches, "sampler", None)  # of a DataLoader
    return len(sampler) if hasattr(sampler, "__len__") else None


@contextmanager
def _batch_norm_refusing_one(trainer: Any, batches: Any, size: int) -> Iterator[None]:
    """Within, batch normalisation raises where one image would give one value only.

    Maps of several pixels can be normalised from a single image; a vector cannot. How
    large they are is seen in the first step, with its `size` images.
    """

    def refuse(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = len(inputs[0]) * prod(inputs[0].shape[2:])  # of a channel
        if not module.training or values != size:
            return
        total, batch_size = _num_images(batches), getattr(batches, "batch_size", None)
        which = "A batch holds" if size == 1 else "The last batch of an epoch holds"
        of = "" if total is None else f" of {total}"
        remedy = "make batches of 2 or more"
        if batch_size is not None and batch_size > 1:
            remedy = f"pass drop_last=True, or another batch_size than {batch_size}"
        raise ValueError(
            f"{which} 1 image{of}, and batch normalisation, which compares the "
            f"images of a batch, needs 2: {remedy}."
        )

    networks = [part for part in vars(trainer).values() if isinstance(part, nn.Module)]
    layers = {m for net in networks for m in net.modules() if isinstance(m, _BatchNorm)}
    hooks = [layer.register_forward_pre_hook(refuse) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
