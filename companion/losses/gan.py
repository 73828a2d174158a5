"""Equations of the generative adversarial network."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))), one value per pair of a real and a fake image.

    Shapes: logits of D for real and for generated images, each (B,) -> (B,).
    Units: nats, >= 0; log 4 if D answers 1/2 to both.
    Raises: ValueError unless both are (B,) of one length.
    Source: Goodfellow et al. (2014), algorithm 1.
    """
    check_both(real_logits, fake_logits)
    # -log s(a) = softplus(-a), and -log(1 - s(a)) = softplus(a).
    return F.softplus(-real_logits) + F.softplus(fake_logits)


def non_saturating_loss(fake_logits: Tensor) -> Tensor:
    """-log D(G(z)), what a generator is trained with; one value per image.

    Shapes: logits of D for generated images (B,) -> (B,).
    Units: nats, >= 0.
    Raises: ValueError unless the logits are (B,).
    Source: Goodfellow et al. (2014), section 3.
    """
    check_logits(fake_logits)
    return F.softplus(-fake_logits)


def saturating_loss(fake_logits: Tensor) -> Tensor:
    """log(1 - D(G(z))), the generator's part of the game; one value per image.

    Shapes: logits of D for generated images (B,) -> (B,).
    Units: nats, <= 0.
    Raises: ValueError unless the logits are (B,).
    Source: Goodfellow et al. (2014), equation 1.
    """
    check_logits(fake_logits)
    return -F.softplus(fake_logits)


def r1_penalty(D: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """|grad_x D(x)|^2 at real images, D as logits; one value per image.

    The result has a gradient with respect to D's parameters. D must treat each image on
    its own: with batch normalisation the value would mix the images. (A deviation of
    the batch, one number for all of it, mixes them a little.)

    Shapes: x (B, ...) -> (B,).
    Units: squared logits per squared pixel value, >= 0.
    Raises: ValueError unless D returns (B,).
    Source: Mescheder et al. (2018), equation 9, without the factor gamma / 2.
    """
    x = x.detach().requires_grad_()
    logits = D(x)
    check_logits(logits)
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1)


def optimal_discriminator(p_data: Tensor, p_model: Tensor) -> Tensor:
    """p_data / (p_data + p_model), the best D against a fixed generator.

    Shapes: the two densities at the same points, (N,) -> (N,).
    Units: a probability; 1/2 where both densities are zero.
    Raises: ValueError if the shapes differ or a density is negative.
    Source: Goodfellow et al. (2014), proposition 1.
    """
    if p_data.shape != p_model.shape:
        raise ValueError(
            f"The shapes {tuple(p_data.shape)} and {tuple(p_model.shape)} differ; "
            "give both densities at the same points."
        )
    if not (p_data >= 0).all() or not (p_model >= 0).all():  # also true for nan
        raise ValueError("A density is negative or nan; densities are 0 or more.")
    total = p_data + p_model
    return torch.where(total > 0, p_data / total, 0.5)


def check_both(real_logits: Tensor, fake_logits: Tensor) -> None:
    """That real and generated images have equally many logits, one for each image.

    Raises: ValueError unless both are (B,) of one length.
    """
    check_logits(real_logits)
    check_logits(fake_logits)
    if len(real_logits) != len(fake_logits):
        raise ValueError(
            f"D answered to {len(real_logits)} real and {len(fake_logits)} fake "
            "images; give equally many of both."
        )


def check_logits(logits: Tensor) -> None:
    """That a discriminator returned one number for each image.

    Raises: ValueError unless they are (B,).
    """
    if logits.dim() != 1 or len(logits) == 0:
        raise ValueError(
            f"Logits have shape {tuple(logits.shape)}; a discriminator returns one "
            "for each image, (B,)."
        )
