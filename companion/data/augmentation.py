"""Augmentation: random changes that leave the label true, for whole batches.

Each image has its own random numbers; nothing loops over images. All functions take
and return x (B, C, H, W), floating point in [0, 1], on any device; `generator` must be
on the same device. They fit `Batches(augment=...)`; several are chained by a function.

They raise TypeError for another dtype, and ValueError for another shape, an empty
batch or a setting out of range.
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from companion.data.checks import check_unit_range


def flip(x: Tensor, p: float = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Mirror each image left to right with probability p.

    Shapes: x (B, C, H, W) -> the same.
    Raises: ValueError unless 0 <= p <= 1.
    """
    _check_images(x)
    _check_between("p", p, 0, 1)
    mirrored = _uniform(x, (len(x), 1, 1, 1), generator) < p
    return torch.where(mirrored, x.flip(-1), x)


def crop(x: Tensor, padding: int = 4, *, generator: Generator | None = None) -> Tensor:
    """Pad by reflection, then cut out the old size at a random place of each image.

    So each picture moves by -padding to padding pixels in both directions.

    Shapes: x (B, C, H, W) -> the same.
    Raises: ValueError unless 0 <= padding < min(H, W).
    """
    _check_images(x)
    batch, channels, height, width = x.shape
    if not isinstance(padding, int) or not 0 <= padding < min(height, width):
        raise ValueError(
            f"padding is {padding}; for images of {height} x {width} give a whole "
            f"number from 0 to {min(height, width) - 1}."
        )
    padded = F.pad(x, (padding,) * 4, mode="reflect")
    shift = torch.randint(
        2 * padding + 1, (2, batch, 1), generator=generator, device=x.device
    )
    rows = shift[0] + torch.arange(height, device=x.device)  # (B, H)
    columns = shift[1] + torch.arange(width, device=x.device)  # (B, W)
    image = torch.arange(batch, device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[None, :, None, None]
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def salt_and_pepper(
    x: Tensor, amount: float = 0.05, *, generator: Generator | None = None
) -> Tensor:
    """Turn a share `amount` of the pixels black or white, half each, in all channels.

    Shapes: x (B, C, H, W) -> the same.
    Raises: ValueError unless 0 <= amount <= 1, and for values of x outside [0, 1].
    """
    _check_images(x, in_unit_range=True)
    _check_between("amount", amount, 0, 1)
    u = _uniform(x, (len(x), 1, *x.shape[2:]), generator)
    x = x.masked_fill(u < amount / 2, 0.0)
    return x.masked_fill((u >= amount / 2) & (u < amount), 1.0)


def binarize(x: Tensor, *, generator: Generator | None = None) -> Tensor:
    """Draw each value as 0 or 1, with the grey value as the probability of 1.

    As `Batches(x, augment=binarize)` it binarises every batch anew.

    Shapes: x (B, C, H, W) -> the same, each value 0 or 1.
    Raises: ValueError for values of x outside [0, 1].
    Source: Salakhutdinov and Murray (2008).
    """
    _check_images(x, in_unit_range=True)
    return (_uniform(x, x.shape, generator) < x).to(x.dtype)


def color_jitter(
    x: Tensor,
    brightness: float = 0.2,
    contrast: float = 0.2,
    saturation: float = 0.2,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Change brightness, contrast and saturation of each image by random factors.

    Each factor is uniform in [1 - a, 1 + a]. Brightness scales towards black,
    contrast towards the image's mean grey, saturation towards each pixel's grey;
    values that leave [0, 1] are cut off.

    Shapes: x (B, C, H, W), C = 3, or any C with saturation=0 -> the same.
    Raises: ValueError unless each setting is in [0, 1], for values of x outside
        [0, 1], and for saturation without three channels.
    """
    _check_images(x, in_unit_range=True)
    for name, value in (
        ("brightness", brightness),
        ("contrast", contrast),
        ("saturation", saturation),
    ):
        _check_between(name, value, 0, 1)
    if saturation and x.shape[1] != 3:
        raise ValueError(
            f"x has {x.shape[1]} channels, saturation needs 3; give saturation=0."
        )
    u = 2 * _uniform(x, (3, len(x), 1, 1, 1), generator) - 1
    x = (x * (1 + brightness * u[0])).clamp(0, 1)
    mean = _grey(x).mean((2, 3), keepdim=True)
    x = (mean + (x - mean) * (1 + contrast * u[1])).clamp(0, 1)
    grey = _grey(x)
    return (grey + (x - grey) * (1 + saturation * u[2])).clamp(0, 1)


def _grey(x: Tensor) -> Tensor:
    """Luminance with the weights of ITU-R BT.601, which Pillow and torchvision use."""
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    weights = x.new_tensor([0.299, 0.587, 0.114])
    return (x * weights.view(3, 1, 1)).sum(1, keepdim=True)


def _uniform(x: Tensor, shape: tuple[int, ...], generator: Generator | None) -> Tensor:
    return torch.rand(shape, generator=generator, device=x.device, dtype=x.dtype)


def _check_images(x: Tensor, in_unit_range: bool = False) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        found = getattr(x, "dtype", type(x).__name__)
        raise TypeError(f"x is {found}; give images as floats in [0, 1].")
    if x.dim() != 4 or x.numel() == 0:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; give (B, C, H, W) with at least one image."
        )
    if in_unit_range:
        check_unit_range("x", x)


def _check_between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; give a number from {low} to {high}.")
