"""Equations of the variational autoencoder."""

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from companion.data.checks import range_remedy


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
    Raises: ValueError if the shapes differ or a value of x is outside [0, 1], where
        the loss would have no lower bound.
    Source: Kingma and Welling (2013), appendix C.1.
    """
    _check_same_shape(logits, x)
    _check_unit_range(x)
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return nll.flatten(1).sum(dim=1)


def gaussian_nll(mean: Tensor, x: Tensor, sigma: float | Tensor = 1.0) -> Tensor:
    """-log p(x | z) of independent normal pixels N(mean, sigma^2), one per image.

    Shapes: mean, x (B, ...); sigma a number, or a tensor that broadcasts -> (B,).
    Units: nats; a density, so the value may be negative.
    Raises: ValueError if the shapes differ or a sigma is not above 0.
    Source: Kingma and Welling (2013), appendix C.2.
    """
    _check_same_shape(mean, x)
    sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if not (sigma > 0).all():
        raise ValueError(f"sigma is {sigma.min():g}; a standard deviation is above 0.")
    nll = 0.5 * ((x - mean) / sigma).square() + sigma.log()
    return (nll + 0.5 * math.log(2 * math.pi)).flatten(1).sum(dim=1)


def negative_elbo(
    vae: EncoderDecoder,
    x: Tensor,
    beta: float = 1.0,
    likelihood: Callable[[Tensor, Tensor], Tensor] = bernoulli_nll,
) -> dict[str, Tensor]:
    """The negative evidence lower bound and its two terms, means over the batch.

    `likelihood(decoded, x)` is -log p(x|z), one value per image.

    Shapes: x (B, C, H, W) -> scalars "loss", "nll", "kl".
    Units: nats per image.
    Source: Kingma and Welling (2013), equation 3; beta: Higgins et al. (2017).
    """
    mu, log_var = vae.encode(x)  # q(z|x)
    z = reparameterize(mu, log_var)  # z = mu + sigma * eps
    nll = likelihood(vae.decode(z), x).mean()  # -log p(x|z)
    kl = kl_to_standard_normal(mu, log_var).mean()  # KL(q(z|x) || p(z))
    return {"loss": nll + beta * kl, "nll": nll, "kl": kl}


def path_negative_elbo(
    vae: EncoderDecoder,
    x: Tensor,
    beta: float = 1.0,
    likelihood: Callable[[Tensor, Tensor], Tensor] = bernoulli_nll,
) -> dict[str, Tensor]:
    """The negative ELBO whose gradient comes through the drawn code alone.

    The KL is taken at the draw, and its log q does not differentiate mu and sigma.
    Value and gradient are those of `negative_elbo` in expectation; the gradient by mu
    and sigma is zero for every draw where q is the posterior.

    Shapes: x (B, C, H, W) -> scalars "loss", "nll", "kl".
    Units: nats per image.
    Source: Roeder et al. (2017).
    """
    mu, log_var = vae.encode(x)  # q(z|x)
    z = reparameterize(mu, log_var)  # z = mu + sigma * eps
    nll = likelihood(vae.decode(z), x).mean()  # -log p(x|z)
    log_q = -gaussian_nll(mu.detach(), z, (0.5 * log_var.detach()).exp())
    log_p = -gaussian_nll(torch.zeros_like(z), z)
    kl = (log_q - log_p).mean()
    return {"loss": nll + beta * kl, "nll": nll, "kl": kl}


@torch.no_grad()
def importance_weighted_nll(
    vae: EncoderDecoder,
    x: Tensor,
    num_samples: int = 500,
    *,
    likelihood: Callable[[Tensor, Tensor], Tensor] = bernoulli_nll,
    generator: torch.Generator | None = None,
    chunk: int = 2000,
) -> Tensor:
    """-log of the mean over z ~ q(z|x) of p(x|z) p(z) / q(z|x), one value per image.

    In expectation an upper bound on -log p(x), which falls towards it as the number
    of samples grows; one sample gives the negative ELBO. About `chunk` codes are
    decoded at a time.

    Shapes: x (B, C, H, W) -> (B,).
    Units: nats.
    Raises: ValueError if num_samples or chunk is below 1; as `likelihood`.
    Source: Burda et al. (2016), equation 8.
    """
    for name, value in (("num_samples", num_samples), ("chunk", chunk)):
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more.")
    images = max(1, chunk // num_samples)
    parts = []
    for some in x.split(images):
        mu, log_var = vae.encode(some)
        log_w = torch.full_like(mu[:, 0], -torch.inf)  # log of the sum of weights
        done = 0
        while done < num_samples:
            n = min(num_samples - done, max(1, chunk // len(some)))
            log_w = log_w.logaddexp(
                _log_weights(vae, some, mu, log_var, n, likelihood, generator)
            )
            done += n
        parts.append(math.log(num_samples) - log_w)
    return torch.cat(parts)


def _log_weights(
    vae: EncoderDecoder,
    x: Tensor,
    mu: Tensor,
    log_var: Tensor,
    n: int,
    likelihood: Callable[[Tensor, Tensor], Tensor],
    generator: torch.Generator | None,
) -> Tensor:
    """log of the sum of n weights p(x|z) p(z) / q(z|x) for each image: (B,)."""
    shape = (n, *mu.shape)
    eps = torch.randn(shape, generator=generator, dtype=mu.dtype, device=mu.device)
    z = mu + (0.5 * log_var).exp() * eps  # (n, B, Z)
    # log p(z) - log q(z|x); the terms with log 2 pi cancel.
    log_ratio = 0.5 * (eps.square() - z.square() + log_var).sum(dim=2)
    copies = x.expand(n, *x.shape).flatten(0, 1)  # (n B, C, H, W)
    nll = likelihood(vae.decode(z.flatten(0, 1)), copies).view(n, len(x))
    return (log_ratio - nll).logsumexp(dim=0)


def _check_same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(
            f"The shapes {tuple(a.shape)} and {tuple(b.shape)} differ; "
            "both must describe the same batch."
        )


def _check_unit_range(x: Tensor) -> None:
    low, high = (value.item() for value in x.detach().aminmax())
    if not (low >= 0 and high <= 1):  # also true for nan
        raise ValueError(
            f"x runs from {low:.4g} to {high:.4g}; a Bernoulli likelihood needs "
            f"values in [0, 1]: {range_remedy(low, high)}; or use gaussian_nll."
        )
