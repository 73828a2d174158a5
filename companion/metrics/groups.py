"""Measures of pictures that come in groups, such as the variants of one drawing.

The pictures of a group are right or wrong together, so a set of them tells as much as
it has groups. Here each group counts 1, whatever its size.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from companion.data.checks import check_labels


def mean_by_group(values: Tensor, groups: Sequence[str]) -> tuple[float, float]:
    """The mean over groups of each group's own mean, and its standard error.

    The values may be 1 for right and 0 for wrong, which gives an accuracy, or the
    differences of two classifiers on the same pictures: the paired difference.

    Shapes: values (N,), groups N names -> two numbers; the error is nan for one group.
    Raises: ValueError for values of another shape, other lengths, or no pictures.
    """
    if values.dim() != 1:
        raise ValueError(f"values has shape {tuple(values.shape)}; give one a picture.")
    number, size = _numbered(groups, len(values))
    total = np.bincount(number, values.detach().cpu().double().numpy())
    means = total / size
    error = means.std(ddof=1) / len(means) ** 0.5 if len(means) > 1 else math.nan
    return float(means.mean()), float(error)


def confusion_by_group(
    y: Tensor, y_hat: Tensor, groups: Sequence[str], num_classes: int
) -> Tensor:
    """As `confusion_matrix`, but each group counts 1, shared by its pictures.

    Shapes: y, y_hat (N,) of class numbers, groups N names -> (K, K) float64 on the CPU.
    Raises: TypeError if the labels are no whole numbers; ValueError for labels outside
        0..num_classes-1, other lengths, or no pictures.
    """
    check_labels("y", y, num_classes)
    check_labels("y_hat", y_hat, num_classes)
    if len(y) != len(y_hat):
        raise ValueError(f"{len(y)} labels, {len(y_hat)} predictions; make them equal.")
    number, size = _numbered(groups, len(y))
    share = torch.from_numpy(1 / size[number])
    cells = (y * num_classes + y_hat).cpu()
    return cells.bincount(share, num_classes**2).view(num_classes, num_classes)


def _numbered(groups: Sequence[str], n: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of each picture's group, and the size of each group."""
    if len(groups) != n:
        raise ValueError(f"{len(groups)} groups for {n} pictures; give one a picture.")
    if n == 0:
        raise ValueError("There are no pictures.")
    _, number, size = np.unique(list(groups), return_inverse=True, return_counts=True)
    return number, size
