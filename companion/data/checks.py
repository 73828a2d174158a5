"""Checks at the door, with the remedy: values of images, numbers of classes."""

import math

import torch
from torch import Tensor

OVERSHOOT = 0.05  # so little outside [0, 1] is no other range


def check_unit_range(name: str, x: Tensor, *, slack: float = 0.0) -> None:
    """That images are floats in [0, 1]; values up to `slack` outside pass.

    The values are looked at, for which a GPU has to be waited for.

    Raises: TypeError for something other than a float tensor; ValueError for values
        outside [0, 1] or nan, naming the range that was found and its remedy.
    """
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{name} is {type(x).__name__}; give a tensor, for a NumPy array by "
            "torch.from_numpy(array), channels first: (N, C, H, W)."
        )
    if not x.is_floating_point():
        remedy = "x.float() / 255" if x.dtype == torch.uint8 else "x.float()"
        raise TypeError(f"{name} is {x.dtype}; give floats in [0, 1]: {remedy}.")
    if x.numel() == 0:
        return  # nothing is outside
    low, high = (value.item() for value in x.detach().aminmax())
    if not (low >= -slack and high <= 1 + slack):  # also true for nan
        x_in_words = name if name.isidentifier() else "x"
        raise ValueError(
            f"{name} runs from {low:.4g} to {high:.4g}; images are in [0, 1]: "
            f"{range_remedy(low, high, x_in_words)}."
        )


def range_remedy(low: float, high: float, x: str = "x") -> str:
    """In words, how images x with values from `low` to `high` are brought to [0, 1].

    Several ranges can look alike, so the words name what they suppose.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "some are nan or infinite, so look for where those arise"
    if low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
        return f"if a filter or rounding overshot, take {x}.clamp(0, 1)"
    if low >= -1 and high <= 1:
        return f"from tanh or Normalize(0.5, 0.5), take ({x} + 1) / 2"
    if low >= 0 and 2 < high <= 255:
        return f"for bytes, take {x} / 255"
    if low >= 0 and 255 < high <= 65535:
        return f"for 16-bit values, take {x} / 65535"
    return f"for logits, take {x}.sigmoid(); if standardised, {x} * deviation + mean"


def check_labels(name: str, y: Tensor, num_classes: int) -> None:
    """That labels are class numbers from 0 to num_classes - 1.

    The values are looked at, for which a GPU has to be waited for.

    Shapes: y (N,) int64, N of 1 or more.
    Raises: TypeError if y does not hold whole numbers; ValueError for another shape
        or a label outside, with the remedy where labels are counted from 1.
    """
    if not isinstance(y, Tensor) or y.dtype != torch.int64:
        found = y.dtype if isinstance(y, Tensor) else type(y).__name__
        raise TypeError(f"{name} is {found}; give class numbers, say by y.long().")
    if y.dim() != 1 or len(y) == 0:
        raise ValueError(
            f"{name} has shape {tuple(y.shape)}; give (N,) of one or more labels."
        )
    low, high = (value.item() for value in y.aminmax())
    if low < 0 or high >= num_classes:
        from_one = low >= 1 and high == num_classes
        raise ValueError(
            f"{name} has labels from {low} to {high}; {num_classes} classes are "
            f"numbered 0 to {num_classes - 1}."
            + (f" Counted from 1? Take {name} - 1." if from_one else "")
        )
