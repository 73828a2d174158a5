"""Equations of classification."""

import torch
from torch import Tensor, nn


def cross_entropy(logits: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """-log p(y | x), one value per image.

    With label smoothing a, the target is 1 - a on the label plus a / K on each of
    the K classes.

    Shapes: logits (B, K), y (B,) of class numbers -> (B,).
    Units: nats, >= 0.
    Raises: ValueError if the shapes or the smoothing do not fit; TypeError if y does
        not hold whole numbers. The labels' values are not looked at, since that would
        wait for a GPU; torch refuses those outside 0..K-1.
    Source: Szegedy et al. (2016), section 7, for label smoothing.
    """
    _check_labels(logits, y)
    check_smoothing(label_smoothing)
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    nll = -log_p.gather(1, y[:, None]).squeeze(1)
    return (1 - label_smoothing) * nll - label_smoothing * log_p.mean(dim=1)


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


def _check_labels(logits: Tensor, y: Tensor) -> None:
    if logits.dim() != 2 or y.shape != logits.shape[:1]:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and y {tuple(y.shape)}; "
            "they must be (B, K) and (B,)."
        )
    if y.dtype != torch.int64:
        raise TypeError(f"y has dtype {y.dtype}; convert class numbers with y.long().")
