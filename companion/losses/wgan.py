"""Equations of the Wasserstein GAN."""

from collections.abc import Callable

import torch
from torch import Tensor

from companion.losses.gan import check_both, check_logits


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """D(G(z)) - D(x), one value per pair of a generated and a real image.

    For a critic whose slope is nowhere above 1, minus the mean is a lower bound of
    the Wasserstein distance, up to the error of finite samples.

    Shapes: the critic's values for real and for generated images, each (B,) -> (B,).
    Units: those of an image's pixels.
    Raises: ValueError unless both are (B,) of one length.
    Source: Arjovsky et al. (2017), algorithm 1.
    """
    check_both(real, fake)
    return fake - real


def random_between(
    x: Tensor, x_fake: Tensor, *, generator: torch.Generator | None = None
) -> Tensor:
    """eps x + (1 - eps) x_fake with eps uniform in [0, 1], one eps for each image.

    Shapes: x, x_fake (B, ...) -> (B, ...).
    Raises: ValueError if the shapes differ.
    Source: Gulrajani et al. (2017), algorithm 1.
    """
    if x.shape != x_fake.shape:
        raise ValueError(
            f"Real images have shape {tuple(x.shape)}, generated ones "
            f"{tuple(x_fake.shape)}; give equally many of one shape."
        )
    shape = (len(x), *[1] * (x.dim() - 1))
    eps = torch.rand(shape, generator=generator, dtype=x.dtype, device=x.device)
    return eps * x + (1 - eps) * x_fake


def gradient_penalty(D: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """(|grad_x D(x)| - 1)^2 at the given images; one value per image.

    For a WGAN-GP the images are `random_between` real and generated ones. The result
    has a gradient by D's parameters. D must treat each image on its own: with batch
    normalisation the value would mix the images.

    Shapes: x (B, ...) -> (B,).
    Units: squared change of the critic per pixel value, >= 0.
    Raises: ValueError unless D returns (B,).
    Source: Gulrajani et al. (2017), equation 3, without the factor lambda.
    """
    x = x.detach().requires_grad_()
    values = D(x)
    check_logits(values)
    (gradient,) = torch.autograd.grad(values.sum(), x, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square()


def wasserstein_1d(x: Tensor, y: Tensor) -> Tensor:
    """The Wasserstein-1 distance of two samples of numbers, exactly.

    The integral of |F - G|, the difference of their cumulative distribution
    functions. For samples of one size it is the mean distance of the sorted values.

    Shapes: x (N,), y (M,) -> ().
    Units: those of x.
    Raises: ValueError if a sample is empty or no vector.
    Source: Vallender (1974).
    """
    for name, sample in (("x", x), ("y", y)):
        if sample.dim() != 1 or len(sample) == 0:
            raise ValueError(
                f"{name} has shape {tuple(sample.shape)}; give a vector of one number "
                "or more."
            )
    x, y = x.sort().values, y.sort().values
    places = torch.cat([x, y]).sort().values
    at = places[:-1].detach()
    F = torch.searchsorted(x.detach(), at, right=True).to(x) / len(x)
    G = torch.searchsorted(y.detach(), at, right=True).to(y) / len(y)
    return ((F - G).abs() * places.diff()).sum()
