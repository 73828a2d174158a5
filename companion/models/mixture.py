"""A distribution whose denoiser is known: a mixture of normal distributions."""

from collections.abc import Sequence

import torch
from torch import Tensor

from companion.models.diffusion import Estimate, Path, check_times, over, straight


class GaussianMixture:
    """Round normal distributions, each with a centre, a spread and a share.

    It is a denoiser without a network: called as one, it gives the mean picture and the
    mean noise of all that may have led to x_t. With `labels`, a class number for each
    part, it can be told a class; the number num_classes stands for none.

    Shapes: means (M, D), stds and weights (M,), labels (M,) int64.
    Units: stds and weights above 0; the weights are divided by their sum.
    Raises: ValueError for other shapes, or stds or weights of 0 or below.
    """

    knows_untold = True

    def __init__(
        self,
        means: Tensor,
        stds: Tensor,
        weights: Tensor | None = None,
        *,
        labels: Sequence[int] | None = None,
        path: Path | None = None,
    ):
        weights = torch.ones(len(means)) if weights is None else weights
        labels = [0] * len(means) if labels is None else labels
        if means.dim() != 2 or not len(means) == len(stds) == len(weights) == len(
            labels
        ):
            raise ValueError(
                f"means have shape {tuple(means.shape)}, with {len(stds)} stds, "
                f"{len(weights)} weights and {len(labels)} labels; give (M, D), and M "
                "of each."
            )
        if not (stds > 0).all() or not (weights > 0).all():  # also true for nan
            raise ValueError("A std or a weight is 0 or less; give numbers above 0.")
        self.means, self.variances = means, stds.square()
        self.log_weights = (weights / weights.sum()).log()
        self.labels = torch.as_tensor(labels, device=means.device)
        self.num_classes = int(self.labels.max()) + 1
        self.path = path or straight()

    def log_prob(
        self, x_t: Tensor, t: Tensor | float = 0.0, y: Tensor | None = None
    ) -> Tensor:
        """The log density of x_t, with y of the class alone: (B, D) -> (B,), in nats.

        Raises: ValueError for times outside [0, 1].
        """
        log_parts, *_ = self._parts(x_t, torch.as_tensor(t), y)
        return log_parts.logsumexp(dim=1)

    def score(
        self, x_t: Tensor, t: Tensor | float = 0.0, y: Tensor | None = None
    ) -> Tensor:
        """The gradient of the log density with respect to x_t: (B, D) -> (B, D).

        Raises: ValueError for times outside [0, 1].
        """
        log_parts, off, variances = self._parts(x_t, torch.as_tensor(t), y)
        shares = log_parts.softmax(dim=1)
        return -((shares / variances)[:, :, None] * off).sum(dim=1)

    def __call__(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Estimate:
        """The mean picture and the mean noise, given x_t: each (B, D).

        Raises: ValueError for times outside [0, 1].
        """
        log_parts, off, variances = self._parts(x_t, t, y)
        shares = log_parts.softmax(dim=1)[:, :, None]
        a, b = (over(curve(t), x_t) for curve in (self.path.alpha, self.path.sigma))
        gain = (a * self.variances / variances)[:, :, None]
        image = (shares * (self.means + gain * off)).sum(dim=1)
        noise = (shares * off * (b / variances)[:, :, None]).sum(dim=1)
        return Estimate(image, noise)

    def untold(self, y: Tensor) -> Tensor:
        return torch.full_like(y, self.num_classes)

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """n points, without noise: (n, D).

        Raises: ValueError if n is below 1.
        """
        return self.labelled(n, generator=generator)[0]

    def labelled(
        self, n: int, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """n points and their classes: (n, D) and (n,).

        Raises: ValueError if n is below 1.
        """
        if n < 1:
            raise ValueError(f"n is {n}; ask for 1 sample or more.")
        part = self.log_weights.exp().multinomial(n, True, generator=generator)
        eps = torch.randn(
            n, self.means.shape[1], device=self.means.device, generator=generator
        )
        x = self.means[part] + self.variances[part].sqrt()[:, None] * eps
        return x, self.labels[part]

    def _parts(
        self, x_t: Tensor, t: Tensor, y: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of each part at x_t: log of share times density, distance, and variance.

        Shapes: (B, M), (B, M, D) from the part's centre, (1 or B, M).
        """
        check_times(t)
        a, b = (over(curve(t), x_t) for curve in (self.path.alpha, self.path.sigma))
        variances = a**2 * self.variances + b**2
        off = x_t[:, None] - a[..., None] * self.means
        log_normal = -(
            off.square().sum(dim=2) / variances
            + off.shape[2] * (2 * torch.pi * variances).log()
        )
        return self._log_shares(x_t, y) + log_normal / 2, off, variances

    def _log_shares(self, x_t: Tensor, y: Tensor | None) -> Tensor:
        if y is None:
            return self.log_weights.expand(len(x_t), -1)
        told = y[:, None] < self.num_classes
        other = told & (self.labels != y[:, None])
        log_shares = self.log_weights.masked_fill(other, -torch.inf)
        return log_shares - log_shares.logsumexp(dim=1, keepdim=True)
