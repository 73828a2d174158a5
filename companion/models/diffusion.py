"""Between a picture and noise: paths, and denoisers that find the way back.

A picture x and noise eps are mixed: x_t = alpha(t) x + sigma(t) eps. The time t runs
from 0, the picture, to 1, noise alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from companion.models.blocks import check_lengths
from companion.models.sampling import draw, guided, times_down
from companion.runtime import evaluating

Curve = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Path:
    """How much of the picture and of the noise there is at each time.

    `alpha` falls from 1, `sigma` rises from 0; their derivatives are `alpha_slope` and
    `sigma_slope`. All take times of any shape, in [0, 1], and keep the shape.
    """

    alpha: Curve
    sigma: Curve
    alpha_slope: Curve
    sigma_slope: Curve

    def noisy(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """x_t = alpha x + sigma eps.

        Shapes: x and eps (B, ...), t () or (B,) -> (B, ...).
        Raises: ValueError for times outside [0, 1].
        Source: Kingma et al. (2021), equation 1.
        """
        check_times(t)
        t = over(t, x)
        return self.alpha(t) * x + self.sigma(t) * eps

    def velocity(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """dx_t / dt = alpha' x + sigma' eps.

        Shapes: as `noisy`.
        Source: Lipman et al. (2023), section 4; Albergo and Vanden-Eijnden (2023).
        """
        t = over(t, x)
        return self.alpha_slope(t) * x + self.sigma_slope(t) * eps

    def snr(self, t: Tensor) -> Tensor:
        """The signal-to-noise ratio alpha^2 / sigma^2, infinite at t = 0."""
        return (self.alpha(t) / self.sigma(t)).square()

    def posterior(
        self, x: Tensor, x_t: Tensor, t: Tensor, s: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean and variance of q(x_s | x_t, x), for an earlier time s < t.

        Noise is taken to be added step by step: x_t = a x_s + more noise, with
        a = alpha(t) / alpha(s).

        Shapes: x and x_t (B, ...), t and s () or (B,) -> the mean as x, and a variance
            that broadcasts.
        Source: Ho et al. (2020), equations 6 and 7; Kingma et al. (2021), appendix A.
        """
        t, s = over(t, x), over(s, x)
        a = self.alpha(t) / self.alpha(s)
        before, after = self.sigma(s).square(), self.sigma(t).square()
        added = after - a.square() * before
        mean = (a * before * x_t + self.alpha(s) * added * x) / after
        return mean, before * added / after


def straight() -> Path:
    """alpha = 1 - t, sigma = t: from the picture to the noise at a constant velocity.

    Source: Liu et al. (2023); Lipman et al. (2023).
    """
    return Path(lambda t: 1 - t, lambda t: t, lambda t: 0 * t - 1, lambda t: 0 * t + 1)


def cosine() -> Path:
    """alpha = cos, sigma = sin of t times 90 degrees: the variance stays the same.

    Source: Nichol and Dhariwal (2021), without their small offset.
    """
    right = math.pi / 2
    return Path(
        lambda t: (right * t).cos(),
        lambda t: (right * t).sin(),
        lambda t: -right * (right * t).sin(),
        lambda t: right * (right * t).cos(),
    )


def linear_beta(first: float = 0.1, last: float = 20.0) -> Path:
    """DDPM's schedule in continuous time: noise is added at a rate that rises.

    The rate beta(t) goes from `first` to `last`; alpha^2 is exp(-its integral), and the
    variance stays the same. Some signal is left at t = 1.

    Raises: ValueError unless 0 <= first < last.
    Source: Ho et al. (2020), section 4; in continuous time Song et al. (2021), appendix
        C.
    """
    if not 0 <= first < last:
        raise ValueError(
            f"beta goes from {first} to {last}; give rates of 0 or more that rise."
        )

    def alpha(t: Tensor) -> Tensor:
        return (-(first * t + (last - first) * t.square() / 2) / 2).exp()

    def sigma(t: Tensor) -> Tensor:
        return (1 - alpha(t).square()).sqrt()

    def alpha_slope(t: Tensor) -> Tensor:
        return -(first + (last - first) * t) / 2 * alpha(t)

    return Path(
        alpha, sigma, alpha_slope, lambda t: -alpha(t) * alpha_slope(t) / sigma(t)
    )


class Estimate(NamedTuple):
    """What a denoiser takes a noisy picture to be made of."""

    image: Tensor
    noise: Tensor


class Denoiser(nn.Module):
    """What a network says of noisy pictures, understood as picture and noise.

    `network(x_t, t)`, or with labels `network(x_t, t, y)`, says one of three things; a
    subclass says which: `target` is what it is trained to say, and `understood` turns
    it into estimates of the picture and of the noise.

    Pictures in [0, 1] are moved to [-1, 1] before noise is added; with
    `unit_range=False`, for points, nothing is moved.

    Shapes: x_t (B, ...), t () or (B,), y as the network wants -> image and noise, each
        as x_t.
    Raises: ValueError for times outside [0, 1].
    """

    def __init__(
        self, network: nn.Module, path: Path | None = None, *, unit_range: bool = True
    ):
        super().__init__()
        self.network, self.path = network, path or straight()
        self.unit_range = unit_range
        self.image_shape = network.image_shape
        self.num_classes = getattr(network, "num_classes", None)
        self.knows_untold = getattr(network, "untold", False)

    def target(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        raise NotImplementedError

    def understood(self, said: Tensor, x_t: Tensor, t: Tensor) -> Estimate:
        raise NotImplementedError

    def says(self, x_t: Tensor, t: Tensor, *y: Tensor) -> Tensor:
        """The network's own answer, to be compared with `target`."""
        check_times(t)
        return self.network(x_t, t.expand(len(x_t)), *y)

    def forward(self, x_t: Tensor, t: Tensor, *y: Tensor) -> Estimate:
        return self.understood(self.says(x_t, t, *y), x_t, over(t, x_t))

    def signal(self, x: Tensor) -> Tensor:
        """What noise is added to."""
        return 2 * x - 1 if self.unit_range else x

    def picture(self, signal: Tensor) -> Tensor:
        """The reverse; what lies outside [0, 1] is clipped."""
        return (signal / 2 + 0.5).clamp(0, 1) if self.unit_range else signal

    def noise(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal numbers in the shape of n pictures.

        Raises: ValueError if n is below 1.
        """
        if n < 1:
            raise ValueError(f"n is {n}; ask for 1 sample or more.")
        device = next(self.network.parameters()).device
        return torch.randn(n, *self.image_shape, device=device, generator=generator)

    def sample(
        self,
        n: int,
        *,
        y: Tensor | None = None,
        steps: int = 20,
        heun: bool = True,
        eta: float = 0.0,
        guidance: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """n pictures, drawn from noise in `steps` steps: (n, *image_shape).

        `heun`, `eta` as in `draw`; `guidance` as in `guided`. A network that is told
        labels gets y, or each class in its turn.

        Raises: ValueError for n or steps below 1, or y without n labels; as `draw` and
            `guided`.
        """
        x = self.noise(n, generator=generator)
        labels = self._labels(x, y)
        denoiser = self if guidance == 1 else guided(self, guidance)
        with evaluating(self):
            *_, (_, x, _) = draw(
                denoiser,
                x,
                times_down(steps).to(x.device),
                *labels,
                heun=heun,
                eta=eta,
                generator=generator,
            )
        return self.picture(x)

    def untold(self, y: Tensor) -> Tensor:
        """What the network is given in place of labels that it is not told."""
        return torch.full_like(y, self.network.nothing)

    def _labels(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, ...]:
        if y is not None:
            check_lengths("noise", x, y)
            return (y.to(x.device),)
        if self.num_classes is None:
            return ()
        return (torch.arange(len(x), device=x.device) % self.num_classes,)


class VelocityDenoiser(Denoiser):
    """The network says how the noisy picture changes with t.

    Source: Lipman et al. (2023); as v, Salimans and Ho (2022).
    """

    def target(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        return self.path.velocity(x, eps, t)

    def understood(self, said: Tensor, x_t: Tensor, t: Tensor) -> Estimate:
        # Two equations, x_t = a x + b eps and velocity = a' x + b' eps.
        a, b = self.path.alpha(t), self.path.sigma(t)
        a_slope, b_slope = self.path.alpha_slope(t), self.path.sigma_slope(t)
        both = a * b_slope - a_slope * b
        return Estimate(
            (b_slope * x_t - b * said) / both, (a * said - a_slope * x_t) / both
        )


class NoiseDenoiser(Denoiser):
    """The network says which noise was added. At t = 1 that tells nothing of x.

    Source: Ho et al. (2020), section 3.2.
    """

    def target(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        return eps

    def understood(self, said: Tensor, x_t: Tensor, t: Tensor) -> Estimate:
        a = self.path.alpha(t)
        if (a.abs() < 1e-6).any():
            raise ValueError(
                "At t = 1 no signal is left, and the noise does not tell the picture: "
                "begin a little later, as with times_down(steps, first=0.99)."
            )
        return Estimate((x_t - self.path.sigma(t) * said) / a, said)


class ImageDenoiser(Denoiser):
    """The network says which picture it was.

    At t = 0, where there is no noise, the estimate of the noise is 0.

    Source: Salimans and Ho (2022), section 4; as the denoising autoencoder of Vincent
        (2011).
    """

    def target(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        return x

    def understood(self, said: Tensor, x_t: Tensor, t: Tensor) -> Estimate:
        b = self.path.sigma(t)
        rest = x_t - self.path.alpha(t) * said
        return Estimate(said, torch.where(b > 0, rest / b, 0.0))


def over(t: Tensor, x: Tensor) -> Tensor:
    """Times that multiply all numbers of a picture: () or (B,) -> (1 or B, 1, ...)."""
    return t.reshape(-1, *(1,) * (x.dim() - 1)) if t.dim() < 2 else t


def check_times(t: Tensor) -> None:
    """Raises: ValueError for times outside [0, 1]."""
    low, high = t.aminmax()
    if not 0 <= low <= high <= 1:  # also true for nan
        raise ValueError(
            f"t goes from {low.item():g} to {high.item():g}; give times from 0, the "
            "picture, to 1, noise."
        )
