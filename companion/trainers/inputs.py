"""Whether the batches fit the trainer: known before the first update.

A trainer says by `takes(x)` what the tensors of a batch must be: a check for each, by
the name that `step` gives it, made from the first batch's x. What nothing is said of
may be anything: a reader's own trainers and networks are known by their signature.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import inf, isfinite, prod
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import TensorDataset, default_collate

from companion.data.batches import Batches
from companion.data.checks import check_labels, check_unit_range
from companion.models.cgan import label_vectors
from companion.runtime import evaluating, same_random_state

Check = Callable[[str, Tensor], object]  # raises, if the tensor does not fit

_ONE_POSITION = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
SLACK = 1e-4  # a resized or filtered picture may overshoot by rounding


def pictures(name: str, value: Tensor) -> None:
    """Values in [0, 1] of pictures; points, of a single pixel, may lie anywhere."""
    if prod(value.shape[2:]) > 1:
        check_unit_range(name, value, slack=SLACK)


def finite(name: str, value: Tensor) -> None:
    """Numbers, as standardised pictures are: whatever their range."""
    if value.is_floating_point() and not all(map(isfinite, value.aminmax())):
        raise ValueError(
            f"{name} holds nan or infinite values: look for where those arise."
        )


def pictures_of(network: nn.Module) -> Check:
    """What a network is compared with: `pictures`, if it says so by `unit_range`."""
    return pictures if getattr(network, "unit_range", False) else finite


def class_numbers(name: str, num_classes: int | None) -> dict[str, Check]:
    """Labels of 0 to num_classes - 1; nothing is said if the number is not known."""
    if num_classes is None:
        return {}
    check = partial(check_labels, num_classes=num_classes)
    return {name: lambda name, y: check(name, y.flatten())}


def labels_of(G: nn.Module) -> dict[str, Check | None]:
    """What a generator takes as y: nothing, G(z), or labels of its classes, G(z, y)."""
    if len(inspect.signature(getattr(G, "forward", G)).parameters) == 1:
        return {"y": None}
    classes = getattr(G, "num_classes", None)
    if classes is None:
        return {}
    numbers = (classes,) if isinstance(classes, int) else classes
    return {"y": lambda name, y: label_vectors(y, numbers)}


def num_logits(model: nn.Module, answer: Callable[[Tensor], Tensor], x: Tensor) -> int:
    """How many logits a classifier answers with, asked with the first image of x."""
    with evaluating(model), same_random_state():
        return answer(x[:1]).shape[-1]


def as_tuple(batch: Any) -> tuple[Tensor, ...]:
    """A batch as a tuple of tensors; a single tensor is a batch of one.

    Raises: TypeError for anything else, naming it.
    """
    if isinstance(batch, Tensor):
        return (batch,)
    if not isinstance(batch, tuple | list) or len(batch) == 0:
        kind = "empty" if isinstance(batch, tuple | list) else type(batch).__name__
        raise TypeError(f"A batch is {kind}; give tensors, one or a tuple of them.")
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
    # What a class says does not bind those derived from it with a step of their own.
    takes = trainer.takes(batch[0]) if _speaks_for(trainer, "takes", "step") else {}
    names = _checked_names(trainer, batch, takes)
    for tensors in _in_memory(batches, batch):
        for name, value in zip(names, tensors, strict=False):
            if check := takes.get(name):
                check(name, value)
    smallest = _smallest(batches, batch) if whole_epoch else len(batch[0])
    if smallest != 1:
        return trainer.step(*batch)
    with _batch_norm_refusing_one(trainer, batches, len(batch[0])):
        return trainer.step(*batch)


def _speaks_for(thing: object, method: str, other: str) -> bool:
    """Whether a method was written by one who knew the other as it is now."""
    kinds = type(thing).__mro__
    place = {n: i for i, kind in reversed(list(enumerate(kinds))) for n in vars(kind)}
    own = getattr(thing, "__dict__", {})
    if method not in place or other in own:
        return False
    return place[method] <= place.get(other, len(kinds))


def _checked_names(
    trainer: Any, batch: tuple[Tensor, ...], takes: Mapping[str, Check | None]
) -> list[str]:
    """The names under which `step` takes the tensors of a batch.

    Raises: TypeError if there are too many tensors or too few.
    """
    parameters = inspect.signature(trainer.step).parameters.values()
    named = [p for p in parameters if p.kind in _ONE_POSITION]
    names = [p.name for p in named]
    least, most = sum(p.default is p.empty for p in named), float(len(names))
    for rest in (p.name for p in parameters if p.kind is p.VAR_POSITIONAL):
        if rest not in takes:
            most = inf
        elif takes[rest] is not None:
            names, least, most = [*names, rest], least + 1, most + 1
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
    if isinstance(batches, list | tuple):
        yield from map(as_tuple, batches)
        return
    whole: tuple[Tensor | None, ...] = ()
    dataset = getattr(batches, "dataset", None)  # of a DataLoader
    if isinstance(batches, Batches):
        if all(_speaks_for(batches, "whole", m) for m in ("__iter__", "_draw")):
            whole = batches.whole()
    elif type(dataset) is TensorDataset and batches.collate_fn is default_collate:
        whole = dataset.tensors
    seen = whole if len(whole) == len(batch) else batch
    yield tuple(b if w is None else w for w, b in zip(seen, batch, strict=True))


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
        last = size > 1 and batch_size is not None
        which = "The last batch of an epoch holds" if last else "A batch holds"
        of = "" if total is None else f" of {total}"
        remedy = "make batches of 2 or more"
        if batch_size is not None and batch_size > 1:
            remedy = f"pass drop_last=True, or another batch_size than {batch_size}"
        raise ValueError(
            f"{which} 1 image{of}, and batch normalisation, which compares the "
            f"images of a batch, needs 2: {remedy}."
        )

    parts = getattr(trainer, "__dict__", {}).values()
    networks = [part for part in parts if isinstance(part, nn.Module)]
    layers = {m for net in networks for m in net.modules() if isinstance(m, _BatchNorm)}
    hooks = [layer.register_forward_pre_hook(refuse) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
