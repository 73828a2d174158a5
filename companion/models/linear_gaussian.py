"""The one latent variable model in which everything is known: linear and normal."""

import math

import torch
from torch import Tensor


class LinearGaussian:
    """z ~ N(0, I), x = W z + b + sigma eps with eps ~ N(0, I).

    Its likelihood and posterior have closed forms, so that the ELBO's gap can be
    measured. It has `encode` and `decode` like a VAE; use it with
    `gaussian_nll(..., sigma)`.

    Shapes: W (D, Z), b (D,); x (B, D); z (B, Z).
    Raises: ValueError if the shapes do not fit or sigma is not above 0.
    Source: Tipping and Bishop (1999), equations 4 to 8.
    """

    def __init__(self, W: Tensor, b: Tensor, sigma: float):
        if W.dim() != 2 or b.shape != W.shape[:1]:
            raise ValueError(
                f"W has shape {tuple(W.shape)} and b {tuple(b.shape)}; give (D, Z) "
                "and (D,)."
            )
        if not sigma > 0:
            raise ValueError(f"sigma is {sigma}; a standard deviation is above 0.")
        self.W, self.b, self.sigma = W, b, float(sigma)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), exactly: x ~ N(b, W W^T + sigma^2 I). Nats, (B,)."""
        D = len(self.b)
        covariance = self.W @ self.W.T + self.sigma**2 * torch.eye(D).to(self.W)
        L = torch.linalg.cholesky(covariance)
        white = torch.linalg.solve_triangular(L, (x - self.b).T, upper=False)
        log_det = 2 * L.diagonal().log().sum()
        return -0.5 * (white.square().sum(dim=0) + log_det + D * math.log(2 * math.pi))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, Z) and covariance (Z, Z) of p(z|x), which is normal."""
        precision = self._precision()
        mean = torch.linalg.solve(precision, self.W.T @ (x - self.b).T / self.sigma**2)
        return mean.T, torch.linalg.inv(precision)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The best q(z|x) with independent components: mu, log_var, each (B, Z).

        The exact posterior if the columns of W are orthogonal, or Z is 1.
        """
        mu, _ = self.posterior(x)
        log_var = -self._precision().diagonal().log()
        return mu, log_var.expand_as(mu)

    def decode(self, z: Tensor) -> Tensor:
        """The mean of p(x|z), (B, D)."""
        return z @ self.W.T + self.b

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """n draws of x, (n, D)."""
        D, Z = self.W.shape
        z, eps = (torch.randn(n, size, generator=generator) for size in (Z, D))
        return self.decode(z.to(self.W)) + self.sigma * eps.to(self.W)

    def _precision(self) -> Tensor:
        eye = torch.eye(self.W.shape[1]).to(self.W)
        return eye + self.W.T @ self.W / self.sigma**2
