"""What two pieces of one texture have in common: three descriptions of feature maps.

Each turns maps into numbers that do not say where anything is. `texture_loss` compares
them; with `products` it is the style loss of Gatys et al.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from companion.losses.style import gram_matrix

Description = Callable[[Tensor], Tensor]


def means(features: Tensor) -> Tensor:
    """The mean of each map.

    Shapes: features (B, C, H, W) -> (B, C).
    Source: Li et al. (2017), the linear kernel.
    """
    return features.mean((2, 3))


def means_and_variances(features: Tensor) -> Tensor:
    """The mean and the variance of each map.

    Shapes: features (B, C, H, W) -> (B, 2 C).
    Source: Li et al. (2017), the statistics of batch normalisation.
    """
    return torch.cat([features.mean((2, 3)), features.var((2, 3), correction=0)], dim=1)


def products(features: Tensor) -> Tensor:
    """The mean product of each pair of maps: the Gram matrix, as one vector.

    Shapes: features (B, C, H, W) -> (B, C^2).
    Source: Gatys et al. (2015).
    """
    return gram_matrix(features).flatten(1)


def texture_loss(
    features: Sequence[Tensor], targets: Sequence[Tensor], describe: Description
) -> Tensor:
    """Squared distance of the described features from `targets`.

    For each layer the mean over the numbers of the description; summed over layers.

    Shapes: features, a list of (B, C, H, W); targets, a list of what `describe` makes
        of one image, or of B, each -> (B,).
    Units: >= 0.
    Raises: ValueError if the lists differ in length, or the descriptions in size or
        number.
    """
    if len(features) != len(targets) or not features:
        raise ValueError(
            f"There are {len(features)} layers and {len(targets)} targets; give one "
            "target a layer, at least one."
        )
    terms = []
    for number, (f, target) in enumerate(zip(features, targets, strict=True)):
        ours = describe(f)
        if len(target) not in (1, len(ours)):
            raise ValueError(
                f"Layer {number} has {len(ours)} images and {len(target)} targets; "
                "give one target for all, or one each."
            )
        if ours.shape[1:] != target.shape[1:]:
            raise ValueError(
                f"Layer {number} is described by {tuple(ours.shape[1:])} numbers and "
                f"its target by {tuple(target.shape[1:])}; make both with the same "
                "network and description."
            )
        terms.append(((ours - target) ** 2).mean(dim=1))
    return torch.stack(terms).sum(dim=0)


def sorted_difference(a: Tensor, b: Tensor) -> Tensor:
    """Wasserstein distance between the values of a map in two pictures, for each map.

    Both are sorted and compared value by value, so it is 0 only if the values are the
    same, wherever they stand.

    Shapes: a, b (B, C, H, W) -> (B, C).
    Units: of the features; >= 0.
    Raises: ValueError if the shapes differ.
    Source: Heitz et al. (2021), for each map instead of random directions.
    """
    if a.shape != b.shape or a.dim() != 4:
        raise ValueError(
            f"The maps have shapes {tuple(a.shape)} and {tuple(b.shape)}; give the "
            "same (B, C, H, W) twice."
        )
    a, b = (f.flatten(2).sort(dim=2).values for f in (a, b))
    return (a - b).abs().mean(dim=2)
