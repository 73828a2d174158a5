"""Equations of diffusion models and of flow matching."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def denoising_error(said: Tensor, target: Tensor) -> Tensor:
    """The mean squared error of what a network says of a noisy picture.

    Shapes: said and target (B, ...) -> (B,), means over pixels.
    Units: those of the target, squared; >= 0.
    Raises: ValueError if the shapes differ.
    Source: Ho et al. (2020), equation 14; Lipman et al. (2023), equation 9.
    """
    if said.shape != target.shape:
        raise ValueError(
            f"said has shape {tuple(said.shape)} and target {tuple(target.shape)}; the "
            "network must answer in the shape of its target."
        )
    return (said - target).square().flatten(1).mean(dim=1)


def denoising_kl(path: Any, image: Tensor, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """KL of q(x_s | x_t, x) from the same with the estimate `image` in place of x.

    One term of the bound: both are normal with one variance, and the KL is
    (snr(s) - snr(t)) / 2 times the squared error of the estimate.

    Shapes: image and x (B, ...), t and s () or (B,) -> (B,).
    Units: nats, >= 0; infinite at s = 0.
    Raises: ValueError unless s < t.
    Source: Kingma et al. (2021), equation 13.
    """
    if not (s < t).all():
        raise ValueError(f"s is {s} and t is {t}; s must be the earlier time.")
    squares = (image - x).square().flatten(1).sum(dim=1)
    return (path.snr(s) - path.snr(t)) / 2 * squares


def uniform_times(n: int, *, device: Any = None) -> Tensor:
    """n random times in [0, 1], one in each n-th part of it: (n,), in random order.

    Each is uniform by itself; together they cover all times, which makes the mean of a
    loss vary less.

    Source: Kingma et al. (2021), appendix I.1, with random places in the parts.
    """
    places = torch.rand(n, device=device) + torch.randperm(n, device=device)
    return places / n


def logit_normal_times(n: int, *, device: Any = None) -> Tensor:
    """n random times of which most lie in the middle: the sigmoid of normal numbers.

    Source: Esser et al. (2024), section 3.1.
    """
    return torch.randn(n, device=device).sigmoid()


def log_likelihood(
    velocity: Callable[[Tensor, Tensor], Tensor], x: Tensor, steps: int = 100
) -> Tensor:
    """log p(x) of the distribution that a velocity carries standard normal noise to.

    A point is followed from t = 0 to 1; on the way the log density falls by the
    divergence of the velocity, which is computed exactly: one derivative for each of
    the D numbers. The steps are those of Runge and Kutta, of fourth order.

    Shapes: velocity maps (B, D), () -> (B, D); x (B, D) -> (B,).
    Units: nats.
    Raises: ValueError if steps is below 1 or x is not (B, D).
    Source: Chen et al. (2018), theorem 1.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; take 1 step or more.")
    if x.dim() != 2:
        raise ValueError(f"x has shape {tuple(x.shape)}; give points, (B, D).")
    gained, h = torch.zeros(len(x), device=x.device, dtype=x.dtype), 1 / steps
    for i in range(steps):
        t = torch.full((), i * h, device=x.device, dtype=x.dtype)
        k1, g1 = _with_divergence(velocity, x, t)
        k2, g2 = _with_divergence(velocity, x + h / 2 * k1, t + h / 2)
        k3, g3 = _with_divergence(velocity, x + h / 2 * k2, t + h / 2)
        k4, g4 = _with_divergence(velocity, x + h * k3, (t + h).clamp(max=1))
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        gained = gained + h / 6 * (g1 + 2 * g2 + 2 * g3 + g4)
    noise = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(dim=1)
    return noise + gained


def _with_divergence(
    velocity: Callable[[Tensor, Tensor], Tensor], x: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """The velocity at x, and the sum of the derivatives of each number by itself."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        u = velocity(x, t)
        divergence = sum(
            torch.autograd.grad(u[:, d].sum(), x, retain_graph=True)[0][:, d]
            for d in range(x.shape[1])
        )
    return u.detach(), divergence
