"""The bounds of a VAE with the posterior N(mu, L L^T)."""

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from companion.losses.vae import bernoulli_nll


class FullEncoderDecoder(Protocol):
    """What the bounds need of a network."""

    def encode_full(self, x: Tensor) -> tuple[Tensor, Tensor]: ...

    def decode(self, z: Tensor) -> Tensor: ...


def full_path_negative_elbo(
    vae: FullEncoderDecoder,
    x: Tensor,
    beta: float = 1.0,
    likelihood: Callable[[Tensor, Tensor], Tensor] = bernoulli_nll,
) -> dict[str, Tensor]:
    """`path_negative_elbo` for q(z|x) = N(mu, L L^T).

    Shapes: x (B, ...) -> scalars "loss", "nll", "kl".
    Units: nats per image.
    Source: Roeder et al. (2017).
    """
    mu, L = vae.encode_full(x)
    z = mu + _times(L, torch.randn_like(mu))
    nll = likelihood(vae.decode(z), x).mean()  # -log p(x|z)
    kl = log_posterior_ratio(z, mu.detach(), L.detach()).mean()
    return {"loss": nll + beta * kl, "nll": nll, "kl": kl}


def log_posterior_ratio(z: Tensor, mu: Tensor, L: Tensor) -> Tensor:
    """log q(z|x) - log p(z) with q = N(mu, L L^T), p = N(0, I); (B,), in nats.

    Shapes: z and mu (B, Z), L (B, Z, Z) with a positive diagonal.
    """
    eps = torch.linalg.solve_triangular(L, (z - mu)[..., None], upper=False)[..., 0]
    log_det = L.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
    return 0.5 * (z.square() - eps.square()).sum(dim=-1) - log_det


@torch.no_grad()
def full_importance_weighted_nll(
    vae: FullEncoderDecoder,
    x: Tensor,
    num_samples: int = 500,
    *,
    likelihood: Callable[[Tensor, Tensor], Tensor] = bernoulli_nll,
    generator: torch.Generator | None = None,
) -> Tensor:
    """`importance_weighted_nll` for q(z|x) = N(mu, L L^T): (B,), in nats.

    All samples of an image are decoded at once.

    Raises: ValueError if num_samples is below 1; as `likelihood`.
    Source: Burda et al. (2016), equation 8.
    """
    if num_samples < 1:
        raise ValueError(f"num_samples is {num_samples}; give 1 or more.")
    parts = []
    for some in x.split(max(1, 2000 // num_samples)):
        mu, L = (v.repeat_interleave(num_samples, 0) for v in vae.encode_full(some))
        eps = torch.randn(
            mu.shape, generator=generator, dtype=mu.dtype, device=mu.device
        )
        z = mu + _times(L, eps)
        nll = likelihood(vae.decode(z), some.repeat_interleave(num_samples, 0))
        log_w = -nll - log_posterior_ratio(z, mu, L)
        parts.append(log_w.view(len(some), num_samples).logsumexp(dim=1))
    return math.log(num_samples) - torch.cat(parts)


def _times(L: Tensor, eps: Tensor) -> Tensor:
    return (L @ eps[..., None])[..., 0]
