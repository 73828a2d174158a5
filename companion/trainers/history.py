"""What a training run measured: one value a term and epoch, and means on their way."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


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


@dataclass
class Means:
    """Means of an epoch's terms over images, read from the device in few transfers."""

    sums: dict[str, float] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    pending: list[tuple[int, int, str, Tensor]] = field(default_factory=list)

    def add(self, step: int, num_images: int, terms: Mapping[str, Tensor]) -> None:
        """Raises: TypeError naming a term that is no scalar tensor."""
        for name, value in terms.items():
            if not isinstance(value, Tensor) or value.dim() != 0:
                shape = tuple(value.shape) if isinstance(value, Tensor) else type(value)
                raise TypeError(
                    f"step() returned {name!r} as {shape}; return a scalar tensor, "
                    "for instance its .mean()."
                )
            self.pending.append((step, num_images, name, value.detach()))

    def read(self) -> dict[str, float]:
        """The means so far; the pending terms are brought over.

        Raises: FloatingPointError naming the first term and step that is not finite;
            it and those after it are left out of the means.
        """
        pending, self.pending = self.pending, []
        if pending:
            numbers = torch.stack([v.float() for *_, v in pending]).tolist()
            for (step, count, name, _), value in zip(pending, numbers, strict=True):
                if not math.isfinite(value):
                    raise FloatingPointError(
                        f"{name} became {value} at step {step}. Lower the learning "
                        "rate, clip the gradients, or look for a log or a division "
                        "of zero."
                    )
                self.sums[name] = self.sums.get(name, 0.0) + value * count
                self.images[name] = self.images.get(name, 0) + count
        return {name: total / self.images[name] for name, total in self.sums.items()}
