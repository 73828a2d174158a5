"""Measures of a classifier."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from companion.data.checks import check_labels
from companion.runtime import evaluating


def predict(
    model: nn.Module,
    x: Tensor,
    batch_size: int = 1000,
    *,
    function: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """The model's outputs for many images, batch by batch, in evaluation mode.

    With `function`, a method of the model such as `model.features`, its outputs
    instead. No gradients; the model's former mode comes back.

    Shapes: x (N, ...) -> (N, ...), (N, K) of logits for a classifier.
    Raises: TypeError if x is no tensor; ValueError if x is empty or the batch size
        is below 1.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"x is {type(x).__name__}; give a tensor of images.")
    if x.dim() == 0 or len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: there is nothing to predict.")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; give a whole number from 1.")
    with evaluating(model):
        return torch.cat([(function or model)(batch) for batch in x.split(batch_size)])


def accuracy(logits: Tensor, y: Tensor) -> float:
    """The share of images whose largest logit is at the label.

    Shapes: logits (N, K), y (N,).
    Raises: TypeError if y does not hold whole numbers; ValueError for other shapes,
        labels outside 0..K-1, logits that are not finite, or no images.
    """
    _check_logits(logits)
    check_labels("y", y, logits.shape[1])
    if len(y) != len(logits):
        raise ValueError(f"{len(logits)} rows of logits, {len(y)} labels; make equal.")
    return _share(logits.argmax(dim=1) == y)


def confident_share(logits: Tensor, threshold: float = 0.9) -> float:
    """The share of images to whose likeliest class more than `threshold` is given.

    Shapes: logits (N, K).
    Raises: ValueError for other shapes, logits that are not finite, or a threshold
        outside [0, 1).
    """
    _check_logits(logits)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold is {threshold}; give a value from 0 to below 1.")
    p = logits.softmax(dim=1).amax(dim=1)
    return _share(p > threshold)


def confusion_matrix(y: Tensor, y_hat: Tensor, num_classes: int) -> Tensor:
    """How many images of each class (row) were taken for each class (column).

    Shapes: y, y_hat (N,) of class numbers -> (K, K) int64 on the CPU.
    Raises: TypeError if the labels are no whole numbers; ValueError for different
        lengths, labels outside 0..num_classes-1, or no images.
    """
    if not isinstance(num_classes, int) or num_classes < 2:
        raise ValueError(f"num_classes is {num_classes}; there are two or more.")
    check_labels("y", y, num_classes)
    check_labels("y_hat", y_hat, num_classes)
    if len(y) != len(y_hat):
        raise ValueError(f"{len(y)} labels, {len(y_hat)} predictions; make them equal.")
    cells = (y * num_classes + y_hat).cpu()
    return cells.bincount(minlength=num_classes**2).view(num_classes, num_classes)


def f1_scores(confusion: Tensor) -> Tensor:
    """F1 of each class: the harmonic mean of its precision and recall.

    A class that is there but never found has 0, and so has one that is predicted but
    not there. One that is neither there nor predicted was not measured: nan, not a
    free 0 or 1; average with `.nanmean()`.

    Shapes: confusion (K, K), rows are the truth -> (K,) float64.
    Raises: ValueError if the matrix is not square, has negative entries or is zero.
    """
    square = isinstance(confusion, Tensor) and confusion.dim() == 2
    if not square or confusion.shape[0] != confusion.shape[1]:
        shape = tuple(getattr(confusion, "shape", ()))
        raise ValueError(
            f"confusion has shape {shape}; give the (K, K) of confusion_matrix."
        )
    if (confusion < 0).any() or confusion.sum() == 0:
        raise ValueError(
            "confusion must hold counts of 0 or more, one image at least; "
            "give the matrix of confusion_matrix."
        )
    counts = confusion.double()
    hits = counts.diagonal()
    # 2 TP / (2 TP + FP + FN): row sum = TP + FN, column sum = TP + FP.
    return 2 * hits / (counts.sum(dim=0) + counts.sum(dim=1))


def _share(hits: Tensor) -> float:
    return hits.cpu().double().mean().item()  # Apple's GPU has no float64


def _check_logits(logits: Tensor) -> None:
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        raise TypeError(
            f"logits are {_kind(logits)}; give the float outputs of a classifier."
        )
    if logits.dim() != 2 or len(logits) == 0 or logits.shape[1] < 2:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)}; give (N, K), N of 1 and K of 2 "
            "or more."
        )
    if not logits.isfinite().all():
        raise ValueError("logits hold nan or infinity; look at the network's training.")


def _kind(x: object) -> str:
    return str(x.dtype) if isinstance(x, Tensor) else type(x).__name__
