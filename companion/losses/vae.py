"""Equations of the variational autoencoder."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class EncoderDecoder(Protocol):
    """What the ELBO needs of a model."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]: ...

    def decode(self, z: Tensor) -> Tensor: ...


def reparameterize(mu: Tensor, log_var: Tensor) -> Tensor:
    """z = mu + sigma * eps with eps ~ N(0, I): a sample that gradients pass through.

    Shapes: mu, log_var (B, Z) -> (B, Z).
    Raises: ValueError if the shapes differ.
    Source: Kingma and Welling (2013), section 2.4.
    """
    _check_same_shape(mu, log_var)
    sigma = torch.exp(0.5 * log_var)
    eps = torch.randn_like(sigma)
    return mu + sigma * eps


def kl_to_standard_normal(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, I)), one value per image.

    Shapes: mu, log_var (B, Z) -> (B,).
    Units: nats, >= 0.
    Raises: ValueError if the shapes differ.
    Source: Kingma and Welling (2013), appendix B.
    """
    _check_same_shape(mu, log_var)
    return 0.5 * (mu.square() + log_var.exp() - log_var - 1).sum(dim=1)


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """-log p(x | z) of independent Bernoulli pixels, one value per image.

    Shapes: logits, x (B, C, H, W) -> (B,).
    Units: nats; a likelihood only for binary x.
    Raises: ValueError if the shapes differ.
    Source: Kingma and Welling (2013), appendix C.1.
    """
    _check_same_shape(logits, x)
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return nll.flatten(1).sum(dim=1)


def negative_elbo(
    vae: EncoderDecoder, x: Tensor, beta: float = 1.0
) -> dict[str, Tensor]:
    """The negative evidence lower bound and its two terms, means over the batch.

    Shapes: x (B, C, H, W) -> scalars "loss", "nll", "kl".
    Units: nats per image.
    Source: Kingma and Welling (2013), equation 3; beta: Higgins et al. (2017).
    """
    mu, log_var = vae.encode(x)  # q(z|x)
    z = reparameterize(mu, log_var)  # z = mu + sigma * eps
    nll = bernoulli_nll(vae.decode(z), x).mean()  # -log p(x|z)
    kl = kl_to_standard_normal(mu, log_var).mean()  # KL(q(z|x) || p(z))
    return {"loss": nll + beta * kl, "nll": nll, "kl": kl}


def _check_same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(
            f"The shapes {tuple(a.shape)} and {tuple(b.shape)} differ; "
            "both must describe the same batch."
        )
