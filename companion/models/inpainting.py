"""To fill in what is missing: drawing, while a part of the picture is known."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from companion.models.blocks import check_lengths
from companion.models.sampling import draw, times_down


def fill_in(
    denoiser: Any,
    x: Tensor,
    known: Tensor,
    *y: Tensor,
    steps: int = 20,
    repeats: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw what is not known of x, by a denoiser that was trained for whole pictures.

    At each time the known part is put in with as much noise as belongs there, and a
    step of DDPM is made for the whole. With `repeats` above 1 noise is added again and
    the step repeated, so that both parts can come to fit each other.

    Shapes: x (B, ...) as the denoiser sees it, known as x, of bool; y as the denoiser
        takes them -> as x, which it equals where it is known.
    Raises: ValueError for steps or repeats below 1, or if known has another shape or
        is no mask.
    Source: Lugmayr et al. (2022), algorithm 1.
    """
    if known.shape != x.shape or known.dtype != torch.bool:
        raise ValueError(
            f"known has shape {tuple(known.shape)} and type {known.dtype}; give True "
            f"or False for each number of x, {tuple(x.shape)}."
        )
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}; make each step once or more often.")
    for labels in y:
        check_lengths("x", x, labels)

    def noise() -> Tensor:
        return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)

    path, x_t = denoiser.path, noise()
    for t, s in pairwise(times_down(steps).to(x)):
        for repeat in range(repeats):
            if repeat:  # back from s to t
                a = path.alpha(t) / path.alpha(s)
                added = path.sigma(t).square() - (a * path.sigma(s)).square()
                x_t = a * x_t + added.sqrt() * noise()
            x_t = torch.where(known, path.noisy(x, noise(), t), x_t)
            step = draw(
                denoiser, x_t, torch.stack([t, s]), *y, eta=1.0, generator=generator
            )
            *_, (_, x_t, _) = step
    return torch.where(known, x, x_t)
