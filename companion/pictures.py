"""Pictures made by rule, without any data to learn from: waves, noise, tiles.

Every function returns float32 values in [0, 1]; randomness comes from `generator`.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def waves(size: int, frequencies: Tensor, phases: Tensor, amplitudes: Tensor) -> Tensor:
    """A weighted sum of plane sine waves, scaled so that it stays in [0, 1].

    x[c, i, j] = 1/2 + sum_n a_n sin(2 pi (f_n0 i + f_n1 j) / size + phase_cn)
    divided by 2 sum_n |a_n|. Whole-number frequencies give a picture that tiles.

    Shapes: frequencies (N, 2), phases (C, N), amplitudes (N,) -> (C, size, size).
    Units: frequencies in cycles per picture (down, across); phases in radians.
    Raises: ValueError if size is below 1, shapes differ or all amplitudes are zero.
    """
    _check_positive("size", size)
    n = len(frequencies)
    if frequencies.shape != (n, 2) or amplitudes.shape != (n,):
        raise ValueError(
            f"frequencies {tuple(frequencies.shape)} and amplitudes "
            f"{tuple(amplitudes.shape)} do not fit; use (N, 2) and (N,)."
        )
    if phases.ndim != 2 or phases.shape[1] != n:
        raise ValueError(
            f"phases has shape {tuple(phases.shape)}; use (C, {n}), "
            "one phase a channel and wave."
        )
    total = amplitudes.abs().sum()
    if not total > 0:
        raise ValueError("All amplitudes are zero; give one that is not.")
    grid = torch.arange(size, dtype=torch.float32, device=frequencies.device) / size
    down, across = frequencies.float().unbind(1)
    turn = down[:, None, None] * grid[:, None] + across[:, None, None] * grid
    angle = 2 * math.pi * turn + phases.float()[:, :, None, None]  # (C, N, H, W)
    shares = (amplitudes / total).float()
    return 0.5 + 0.5 * torch.einsum("n,cnhw->chw", shares, angle.sin())


def value_noise(
    size: int, cells: int, *, generator: torch.Generator | None = None
) -> Tensor:
    """Random values on a cells x cells grid, smoothly joined; its edges wrap.

    Shapes: -> (size, size), in [0, 1].
    Raises: ValueError if size or cells is below 1, or cells exceeds size.
    """
    _check_positive("size", size)
    _check_positive("cells", cells)
    if cells > size:
        raise ValueError(
            f"cells is {cells} and size {size}; use at most one cell a pixel."
        )
    values = torch.rand(cells, cells, generator=generator)
    position = torch.arange(size) * (cells / size)
    low = position.floor().long()
    high = (low + 1) % cells  # the last cell joins the first: a torus
    t = position - low
    t = t * t * (3 - 2 * t)  # flat at the grid points, so no creases
    rows = torch.lerp(values[low], values[high], t[:, None])
    return torch.lerp(rows[:, low], rows[:, high], t)


def fractal_noise(
    size: int,
    cells: int = 2,
    octaves: int = 6,
    gain: float = 0.5,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Value noise at doubling frequencies, each octave `gain` times as strong.

    Shapes: -> (size, size), in [0, 1].
    Raises: ValueError if octaves is below 1, gain is not positive, or the finest
        octave has more cells than pixels.
    """
    _check_positive("octaves", octaves)
    if not gain > 0:
        raise ValueError(f"gain is {gain}; use a positive number, usually 0.5.")
    weights = [gain**k for k in range(octaves)]
    layers = [
        weight * value_noise(size, cells * 2**k, generator=generator)
        for k, weight in enumerate(weights)
    ]
    return sum(layers) / sum(weights)


def gradient_map(values: Tensor, colors: Sequence[Sequence[float]]) -> Tensor:
    """Colour for each value: 0 the first colour, 1 the last, linear between.

    Shapes: values (H, W) in [0, 1]; colors K triples in [0, 1] -> (3, H, W).
    Raises: ValueError for fewer than two colours, or values outside [0, 1].
    """
    table = torch.as_tensor(colors, dtype=torch.float32, device=values.device)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] != 3:
        raise ValueError(
            f"colors has shape {tuple(table.shape)}; give two or more "
            "(red, green, blue) triples."
        )
    if not (values.min() >= 0 and values.max() <= 1):  # also true for nan
        raise ValueError(
            f"values range from {values.min():.3g} to {values.max():.3g}; "
            "scale them to [0, 1]."
        )
    position = values.float() * (len(table) - 1)
    low = position.floor().long().clamp(max=len(table) - 2)
    mixed = torch.lerp(table[low], table[low + 1], (position - low)[..., None])
    return mixed.permute(2, 0, 1)


def truchet(
    rows: int, columns: int, cell: int = 24, *, generator: torch.Generator | None = None
) -> Tensor:
    """Two-coloured Truchet tiles: quarter circles, each cell turned at random.

    Both turns of a tile have the same border, so every arrangement fits; even
    numbers of rows and columns also fit at the picture's own edges.

    Shapes: -> (rows * cell, columns * cell), in [0, 1].
    Raises: ValueError if rows or columns is below 1 or cell below 2.
    Source: Smith (1987), the quarter-circle form of Truchet's tiles.
    """
    _check_positive("rows", rows)
    _check_positive("columns", columns)
    if cell < 2:
        raise ValueError(f"cell is {cell} pixels; use 2 or more.")
    centre = torch.arange(cell) + 0.5
    i, j = torch.meshgrid(centre, centre, indexing="ij")
    near = torch.hypot(i, j).minimum(torch.hypot(cell - i, cell - j))
    inside = (cell / 2 - near + 0.5).clamp(0, 1)  # soft edge, one pixel wide
    # The other turn is its mirror image, with inside and outside exchanged.
    tiles = torch.stack([inside, 1 - inside.flip(1)])
    turn = torch.randint(2, (rows, columns), generator=generator)
    picture = tiles[turn]  # (rows, columns, cell, cell)
    parity = (torch.arange(rows)[:, None] + torch.arange(columns)) % 2
    picture = torch.where(parity[..., None, None] == 1, 1 - picture, picture)
    return picture.permute(0, 2, 1, 3).reshape(rows * cell, columns * cell)


def quilt(
    source: Tensor,
    blocks: int,
    patch: int = 24,
    overlap: int = 6,
    *,
    best: int = 3,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A larger texture sewn from patches of a small one, along the best seams.

    Each patch is drawn from the `best` that agree most with what is already laid
    in the overlap, then cut along the path where old and new differ least.

    Shapes: source (C, H, W) in [0, 1] -> (C, S, S),
        S = blocks * (patch - overlap) + overlap.
    Raises: ValueError for a source of another shape, a patch larger than it, an
        overlap not between 1 and half a patch, or blocks or best below 1.
    Source: Efros and Freeman (2001).
    """
    _check_positive("blocks", blocks)
    _check_positive("best", best)
    if source.ndim != 3:
        raise ValueError(
            f"source has shape {tuple(source.shape)}; give one picture, (C, H, W)."
        )
    channels, height, width = source.shape
    if not 2 <= patch <= min(height, width):
        raise ValueError(
            f"patch is {patch}; use 2 to {min(height, width)}, the source's size."
        )
    if not 1 <= overlap <= patch // 2:
        raise ValueError(f"overlap is {overlap}; use 1 to {patch // 2}, half a patch.")
    # every patch of the source: (P, C, patch, patch)
    flat = F.unfold(source[None], patch)[0].T.contiguous()
    patches, squares = flat.reshape(-1, channels, patch, patch), flat.square()
    step = patch - overlap
    size = blocks * step + overlap
    canvas = source.new_zeros(channels, size, size)
    for row in range(blocks):
        for column in range(blocks):
            top, left = row * step, column * step
            old = canvas[:, top : top + patch, left : left + patch]
            laid = source.new_zeros(patch, patch)  # 1 where the canvas is filled
            laid[:overlap] = row > 0
            laid[:, :overlap] = laid[:, :overlap].clamp(min=float(column > 0))
            # squared difference over the laid pixels, up to a constant
            weights = laid.expand_as(old).flatten()
            error = squares @ weights - 2 * (flat @ (weights * old.flatten()))
            ranked = error.topk(min(best, len(error)), largest=False).indices
            if not laid.any():
                ranked = torch.arange(len(patches))
            pick = torch.randint(len(ranked), (), generator=generator)
            new = patches[ranked[pick]]
            keep_old = source.new_zeros(patch, patch)
            difference = ((new - old) ** 2).sum(0)
            if column > 0:
                keep_old[:, :overlap] = _before_seam(difference[:, :overlap])
            if row > 0:
                above = _before_seam(difference[:overlap].T).T
                keep_old[:overlap] = keep_old[:overlap].maximum(above)
            canvas[:, top : top + patch, left : left + patch] = torch.lerp(
                new, old, keep_old
            )
    return canvas


def _before_seam(cost: Tensor) -> Tensor:
    """1 left of the cheapest top-to-bottom path through cost (H, W), else 0."""
    height, width = cost.shape
    total = cost.clone()
    for i in range(1, height):
        padded = F.pad(total[i - 1], (1, 1), value=math.inf)
        total[i] += padded.unfold(0, 3, 1).amin(1)
    mask = torch.zeros_like(cost)
    j = int(total[-1].argmin())
    for i in reversed(range(height)):
        mask[i, :j] = 1
        if i > 0:
            low = max(j - 1, 0)
            j = low + int(total[i - 1, low : j + 2].argmin())
    return mask


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} is {value}; use 1 or more.")
