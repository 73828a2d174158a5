"""Equations of classification."""

import torch
from torch import Tensor, nn

from companion.data.checks import check_labels


def cross_entropy(
    logits: Tensor,
    y: Tensor,
    label_smoothing: float = 0.0,
    weight: Tensor | None = None,
) -> Tensor:
    """-log p(y | x), one value per image.

    With label smoothing a, the target is 1 - a on the label plus a / K on each of
    the K classes. With weights, each value is multiplied by that of its label.

    Shapes: logits (B, K), y (B,) of class numbers, weight (K,) -> (B,).
    Units: nats, >= 0.
    Raises: ValueError if the shapes or the smoothing do not fit, or for a label
        outside 0..K-1; TypeError if y does not hold whole numbers. On a GPU the
        labels' values are not looked at, since that would wait for it.
    Source: Szegedy et al. (2016), section 7, for label smoothing.
    Differs: with both, torch weighs each class's part of the smoothed target. Here
        a weight of 2 always means what showing the image twice would mean.
    """
    _check(logits, y, weight)
    check_smoothing(label_smoothing)
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    nll = -log_p.gather(1, y[:, None]).squeeze(1)
    loss = (1 - label_smoothing) * nll - label_smoothing * log_p.mean(dim=1)
    return loss if weight is None else weight.to(logits)[y] * loss


def class_weights(y: Tensor, num_classes: int) -> Tensor:
    """Weights that let each class count alike: N / (K N_k) for class k.

    Their mean over the N images is 1, so a mean of weighted losses is the mean, over
    the classes, of each class's mean loss.

    Shapes: y (N,) of class numbers -> (K,) float32.
    Raises: TypeError if y does not hold whole numbers; ValueError for labels outside
        0..K-1, or a class without an image.
    """
    check_labels("y", y, num_classes)
    counts = y.bincount(minlength=num_classes)
    if absent := (counts == 0).nonzero().flatten().tolist():
        raise ValueError(
            f"y has no image of class {', '.join(map(str, absent))}, and no weight can "
            f"make up for that; find some, or number the {num_classes} classes anew."
        )
    return len(y) / (num_classes * counts.float())


def l1_penalty(model: nn.Module) -> Tensor:
    """The sum of the absolute values of all weights; biases are left out.

    Raises: ValueError if the model has no weight of two or more dimensions.
    Source: Tibshirani (1996).
    """
    weights = [w for w in model.parameters() if w.dim() > 1]
    if not weights:
        raise ValueError("The model has no weights; pass one with trainable layers.")
    return torch.stack([w.abs().sum() for w in weights]).sum()


def check_smoothing(label_smoothing: float) -> None:
    """Raises: ValueError for a share outside [0, 1)."""
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f"label_smoothing is {label_smoothing}; give a value from 0 to below 1."
        )


def _check(logits: Tensor, y: Tensor, weight: Tensor | None) -> None:
    if logits.dim() != 2 or y.shape != logits.shape[:1]:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and y {tuple(y.shape)}; "
            "they must be (B, K) and (B,)."
        )
    if y.dtype != torch.int64:
        raise TypeError(f"y has dtype {y.dtype}; convert class numbers with y.long().")
    if y.is_cpu:
        check_labels("y", y, logits.shape[1])
    if weight is not None and weight.shape != logits.shape[1:]:
        raise ValueError(
            f"weight has shape {tuple(weight.shape)} for {logits.shape[1]} classes; "
            "give one number each, as class_weights does."
        )
