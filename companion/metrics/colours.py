"""How colourful and how even pictures are, and how far from true ones whose colours
are open.
"""

import torch
from scipy.ndimage import label
from torch import Tensor

from companion.data.colouring import ORDERS

SMALLEST = 12  # pixels of a surface


def chroma(x: Tensor) -> Tensor:
    """The largest channel less the smallest, for each pixel: 0 for grey.

    Shapes: x (B, 3, H, W) -> (B, H, W).
    Units: of a pixel, from 0 to 1.
    Raises: ValueError for pictures without three channels.
    """
    _check(x)
    return x.amax(dim=1) - x.amin(dim=1)


def nearest_order_error(made: Tensor, true: Tensor) -> Tensor:
    """The mean absolute error beside the nearest of the six orders of the channels.

    Shapes: made and true (B, 3, H, W) -> (B,).
    Units: of a pixel, from 0 to 1.
    Raises: ValueError if the shapes differ or there are not three channels.
    """
    _check(made)
    if made.shape != true.shape:
        raise ValueError(
            f"made has shape {tuple(made.shape)} and true {tuple(true.shape)}; "
            "compare pictures of one shape."
        )
    errors = [(made - true[:, order]).abs().flatten(1).mean(dim=1) for order in ORDERS]
    return torch.stack(errors).amin(dim=0)


def unevenness(x: Tensor, outline: Tensor) -> float:
    """How much the colour varies within the surfaces that the outlines enclose.

    Of each surface of SMALLEST pixels or more, connected by their sides, the standard
    deviation of each channel; the mean over all of their pixels and channels. It is 0
    if every surface has one colour.

    Shapes: x (B, 3, H, W), outline (B, 1, H, W), white where it is above 0.95.
    Units: of a pixel.
    Raises: ValueError for other shapes, or if no surface is large enough.
    """
    _check(x)
    if outline.shape != (len(x), 1, *x.shape[2:]):
        raise ValueError(
            f"outline has shape {tuple(outline.shape)}; for pictures of shape "
            f"{tuple(x.shape)} it must be {(len(x), 1, *x.shape[2:])}."
        )
    spread, pixels = 0.0, 0
    for picture, white in zip(x.cpu(), (outline[:, 0] > 0.95).cpu(), strict=True):
        surfaces, count = label(white.numpy())
        for number in range(1, count + 1):
            inside = picture[:, torch.from_numpy(surfaces == number)]
            if (size := inside.shape[1]) >= SMALLEST:
                spread += size * inside.std(dim=1, correction=0).mean().item()
                pixels += size
    if not pixels:
        raise ValueError(f"No outline encloses a surface of {SMALLEST} pixels.")
    return spread / pixels


def _check(x: Tensor) -> None:
    if x.dim() != 4 or x.shape[1] != 3:
        raise ValueError(
            f"Pictures have shape {tuple(x.shape)}; give colour pictures, (B, 3, H, W)."
        )
