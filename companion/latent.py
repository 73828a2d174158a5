"""Ways through latent space: interpolation, directions of attributes."""

import torch
from torch import Tensor


def straight(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points on the straight line from a (t = 0) to b (t = 1).

    Shapes: a, b (N, Z), t (T,) -> (N, T, Z).
    Raises: ValueError for other shapes.
    """
    _check_ends(a, b, t)
    t = t[:, None]
    return (1 - t) * a[:, None] + t * b[:, None]


def spherical(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points on the arc from a to b: the angle grows evenly with t.

    With angle omega between a and b: (sin((1 - t) omega) a + sin(t omega) b) /
    sin(omega). Nearly parallel codes, for which this is 0 / 0, are joined straight.

    Shapes: a, b (N, Z), t (T,) -> (N, T, Z).
    Raises: ValueError for other shapes, or opposite codes, which many arcs join.
    Source: Shoemake (1985); for latent codes White (2016).
    """
    _check_ends(a, b, t)
    cosine = torch.cosine_similarity(a, b, dim=1).clamp(-1, 1)
    if (cosine < -1 + 1e-6).any():
        raise ValueError("Two codes are opposite: no arc is the shortest; move one.")
    omega = cosine.acos()[:, None, None]  # (N, 1, 1)
    t = t[None, :, None]
    parallel = omega < 1e-3
    safe = torch.where(parallel, torch.ones_like(omega), omega)
    weight_a = torch.where(parallel, 1 - t, ((1 - t) * safe).sin() / safe.sin())
    weight_b = torch.where(parallel, t, (t * safe).sin() / safe.sin())
    return weight_a * a[:, None] + weight_b * b[:, None]


def direction(z: Tensor, has: Tensor) -> Tensor:
    """The mean code of those that have an attribute, minus the mean of the others.

    Shapes: z (N, Z), has (N,) of bool -> (Z,).
    Raises: TypeError if has is not bool; ValueError for other shapes, or if all codes
        or none have the attribute.
    Source: Radford et al. (2016), section 6.3.2; Larsen et al. (2016).
    """
    if has.dtype != torch.bool:
        raise TypeError(f"has is {has.dtype}; give a comparison such as y == 3.")
    if z.dim() != 2 or has.shape != z.shape[:1]:
        raise ValueError(
            f"z has shape {tuple(z.shape)} and has {tuple(has.shape)}; give (N, Z) "
            "and (N,)."
        )
    if has.all() or not has.any():
        raise ValueError(
            f"{int(has.sum())} of {len(has)} codes have the attribute; the direction "
            "needs some with and some without it."
        )
    return z[has].mean(dim=0) - z[~has].mean(dim=0)


def _check_ends(a: Tensor, b: Tensor, t: Tensor) -> None:
    if a.dim() != 2 or a.shape != b.shape or t.dim() != 1:
        raise ValueError(
            f"a, b and t have shapes {tuple(a.shape)}, {tuple(b.shape)} and "
            f"{tuple(t.shape)}; give (N, Z), (N, Z) and (T,)."
        )
