"""The loop that draws: from noise to a picture, a step of time at a time.

A denoiser here is anything that has a `path` and gives, for x_t, t and what else it is
told, an estimate of the picture and one of the noise.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

PART = 500  # pictures that a network sees at once


def times_down(steps: int, *, first: float = 1.0) -> Tensor:
    """Times from `first` to 0, equally far apart: (steps + 1,).

    Raises: ValueError if steps is below 1 or first outside (0, 1].
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; take 1 step or more.")
    if not 0 < first <= 1:
        raise ValueError(f"first is {first}; begin at a time above 0, at most at 1.")
    return torch.linspace(first, 0, steps + 1)


def draw(
    denoiser: Any,
    x_t: Tensor,
    times: Tensor,
    *y: Tensor,
    heun: bool = False,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield t, x_t and the estimate of the picture, for each of the falling times.

    A step from t to s mixes both estimates anew, in the shares of the time s (DDIM).
    With `eta` part of the noise is fresh; 1 is DDPM. With `heun` a step follows the
    mean of the velocities at its two ends, which costs a second look at each time but
    the last. The last picture is given twice.

    Shapes: x_t (B, ...), times (steps + 1,), y as the denoiser takes them.
    Raises: ValueError unless the times fall from at most 1 to at least 0, for eta
        outside [0, 1], or for eta together with heun.
    Source: Song, Meng and Ermon (2021), equation 12; Heun: Karras et al. (2022),
        algorithm 1.
    """
    _check_falling(times)
    if not 0 <= eta <= 1:
        raise ValueError(f"eta is {eta}; give a share from 0 to 1.")
    if heun and eta:
        raise ValueError(
            f"heun and eta = {eta} do not go together: Heun's step adds no noise."
        )
    path = denoiser.path
    for t, s in pairwise(times):
        image, noise = _in_parts(denoiser, x_t, t, *y)
        yield t, x_t, image
        if heun and s > 0:
            u = path.velocity(image, noise, t)
            ahead = _in_parts(denoiser, x_t + (s - t) * u, s, *y)
            x_t = x_t + (s - t) * (u + path.velocity(*ahead, s)) / 2
        else:
            fresh = eta * _posterior_std(path, t, s)
            kept = (path.sigma(s).square() - fresh.square()).clamp(min=0).sqrt()
            x_t = path.alpha(s) * image + kept * noise
            if eta:
                x_t = x_t + fresh * _normal(x_t, generator)
    yield s, x_t, x_t


def guided(denoiser: Any, weight: float) -> Any:
    """A denoiser whose estimates lean towards the label: classifier-free guidance.

    told and untold are the estimates with the label and with none; the result is
    untold + weight (told - untold): 0 ignores the label, 1 is the denoiser itself.

    Raises: ValueError for a negative weight, or a denoiser that knows no pictures
        without labels.
    Source: Ho and Salimans (2021), equation 6, whose w is weight - 1.
    """
    if not weight >= 0:
        raise ValueError(f"weight is {weight}; give 0 or more.")
    if not getattr(denoiser, "knows_untold", False):
        raise ValueError(
            "This denoiser has no estimate without a label: make its network with "
            "untold=True and train it with some of the labels dropped."
        )
    return _Guided(denoiser, weight)


class _Guided:
    def __init__(self, denoiser: Any, weight: float):
        self.denoiser, self.path, self.weight = denoiser, denoiser.path, weight

    def __call__(self, x_t: Tensor, t: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        both = self.denoiser(
            torch.cat([x_t, x_t]),
            t if t.dim() == 0 else torch.cat([t, t]),
            torch.cat([y, self.denoiser.untold(y)]),
        )
        image, noise = (torch.lerp(*part.chunk(2)[::-1], self.weight) for part in both)
        return image, noise


def _posterior_std(path: Any, t: Tensor, s: Tensor) -> Tensor:
    zero = torch.zeros(1, device=t.device)
    return path.posterior(zero, zero, t, s)[1].sqrt().squeeze()


def _in_parts(
    denoiser: Any, x_t: Tensor, t: Tensor, *y: Tensor
) -> tuple[Tensor, Tensor]:
    """Estimates for all pictures, of which the network sees some at a time."""
    parts = [z.split(PART) for z in (x_t, *y)]
    seen = [denoiser(x, t, *rest) for x, *rest in zip(*parts, strict=True)]
    image, noise = (torch.cat(z) for z in zip(*seen, strict=True))
    return image, noise


def _normal(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, device=x.device, dtype=x.dtype, generator=generator)


def _check_falling(times: Tensor) -> None:
    falls = times.dim() == 1 and len(times) > 1 and (times.diff() < 0).all()
    if not falls or not 0 <= times[-1] <= times[0] <= 1:
        raise ValueError(
            f"times are {times.tolist()}; give two or more, from at most 1 down to at "
            "least 0, each below the one before."
        )
