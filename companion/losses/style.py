"""Equations of texture synthesis and style transfer."""

from collections.abc import Sequence

import torch
from torch import Tensor


def gram_matrix(features: Tensor) -> Tensor:
    """Which features occur together: F F^T / (H W), one matrix per image.

    Entry (i, j) is the mean over all positions of map i times map j, so it does not
    say where anything is.

    Shapes: features (B, C, H, W) -> (B, C, C), symmetric, positive semi-definite.
    Raises: ValueError if features are not (B, C, H, W) or hold no position.
    Source: Gatys et al. (2015), equation 1.
    Differs: divided by H W, so that pictures of different sizes compare.
    """
    if features.dim() != 4 or features.numel() == 0:
        raise ValueError(
            f"features have shape {tuple(features.shape)}; give maps (B, C, H, W) "
            "with at least one position."
        )
    f = features.flatten(2)  # (B, C, H W)
    return f @ f.transpose(1, 2) / f.shape[2]


def style_loss(features: Sequence[Tensor], grams: Sequence[Tensor]) -> Tensor:
    """Squared distance of the features' Gram matrices from `grams`.

    For each layer the mean over the C x C entries; summed over layers.

    Shapes: features, a list of (B, C, H, W); grams, a list of (B, C, C) or
        (1, C, C) -> (B,).
    Units: >= 0; 0 if all Gram matrices agree.
    Raises: ValueError if the lists differ in length or the channels differ.
    Source: Gatys et al. (2015), equations 2 and 3.
    Differs: means for 1 / (4 C^2 H^2 W^2), all layers with weight 1.
    """
    ours = [gram_matrix(f) for f in features]
    return _squared_distance(ours, grams, (1, 2))


def content_loss(features: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Squared distance of the features from `targets`, position by position.

    For each layer the mean over channels and positions; summed over layers.

    Shapes: features, a list of (B, C, H, W); targets, a list of the same shapes or
        of one image -> (B,).
    Units: >= 0.
    Raises: ValueError if the lists differ in length or the shapes differ.
    Source: Gatys et al. (2016), equation 1.
    Differs: means for 1/2 of the sum.
    """
    return _squared_distance(features, targets, (1, 2, 3))


def total_variation(x: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels, down plus across.

    Shapes: x (B, C, H, W) with H, W >= 2 -> (B,).
    Units: of x; >= 0, and 0 only for a picture of one colour.
    Raises: ValueError if x is not (B, C, H, W) or has only one row or column.
    Source: Rudin et al. (1992), the anisotropic form.
    """
    if x.dim() != 4 or min(x.shape[2:]) < 2:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; give (B, C, H, W) with two or more rows "
            "and columns."
        )
    down = (x[:, :, 1:] - x[:, :, :-1]).abs().mean(dim=(1, 2, 3))
    across = (x[..., 1:] - x[..., :-1]).abs().mean(dim=(1, 2, 3))
    return down + across


def range_penalty(x: Tensor) -> Tensor:
    """Mean squared distance of the pixels from [0, 1].

    Shapes: x (B, ...) -> (B,).
    Raises: ValueError if x has no dimension beside the batch.
    """
    if x.dim() < 2:
        raise ValueError(f"x has shape {tuple(x.shape)}; give a batch (B, ...).")
    return ((x - x.detach().clamp(0, 1)) ** 2).flatten(1).mean(dim=1)


def _squared_distance(
    ours: Sequence[Tensor], targets: Sequence[Tensor], dims: tuple[int, ...]
) -> Tensor:
    if len(ours) != len(targets) or not ours:
        raise ValueError(
            f"There are {len(ours)} layers and {len(targets)} targets; give one "
            "target a layer, at least one."
        )
    for number, (a, b) in enumerate(zip(ours, targets, strict=True)):
        if a.shape[1:] != b.shape[1:] or len(b) not in (1, len(a)):
            raise ValueError(
                f"Layer {number} has shape {tuple(a.shape)} and its target "
                f"{tuple(b.shape)}; make both with the same network and layers."
            )
    terms = [((a - b) ** 2).mean(dim=dims) for a, b in zip(ours, targets, strict=True)]
    return torch.stack(terms).sum(dim=0)
