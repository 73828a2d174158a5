"""Layers that double height and width, and a small network made of two of them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Doubling = Callable[[int, int], nn.Module]


def transposed(kernel_size: int) -> Doubling:
    """Transposed convolutions with stride 2 that double exactly.

    Shapes: the layer, (B, a, H, W) -> (B, b, 2 H, 2 W).
    Raises: ValueError if kernel_size is below 2.
    """
    if kernel_size < 2:
        raise ValueError(
            f"kernel_size is {kernel_size}; with stride 2 a kernel below 2 leaves "
            "pixels without any value."
        )
    # (H - 1) 2 + k - 2 p falls one short of 2 H where k is odd.
    padding, missing = (kernel_size - 1) // 2, kernel_size % 2
    return lambda a, b: nn.ConvTranspose2d(
        a, b, kernel_size, stride=2, padding=padding, output_padding=missing
    )


def resized(mode: str) -> Doubling:
    """Resizing, "nearest" or "bilinear", followed by a convolution.

    Shapes: the layer, (B, a, H, W) -> (B, b, 2 H, 2 W).
    Raises: ValueError for another mode.
    Source: Odena et al. (2016).
    """
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"mode is {mode!r}; give 'nearest' or 'bilinear'.")
    corners = None if mode == "nearest" else False
    return lambda a, b: nn.Sequential(
        nn.Upsample(scale_factor=2, mode=mode, align_corners=corners),
        nn.Conv2d(a, b, kernel_size=3, padding=1),
    )


def shuffled(icnr: bool) -> Doubling:
    """A convolution to four channels for each one, which become its four pixels.

    With `icnr` the four begin alike: the layer starts as a convolution that is
    followed by resizing to the nearest.

    Shapes: the layer, (B, a, H, W) -> (B, b, 2 H, 2 W).
    Source: Shi et al. (2016); the start: Aitken et al. (2017).
    """

    def make(a: int, b: int) -> nn.Module:
        convolution = nn.Conv2d(a, 4 * b, kernel_size=3, padding=1)
        if icnr:
            alike(convolution)
        return nn.Sequential(convolution, nn.PixelShuffle(2))

    return make


@torch.no_grad()
def alike(convolution: nn.Conv2d) -> None:
    """Give each run of four output channels the first one's weights and bias.

    Raises: ValueError if the number of output channels is no multiple of 4.
    Source: Aitken et al. (2017), "ICNR".
    """
    if convolution.out_channels % 4:
        raise ValueError(
            f"The convolution has {convolution.out_channels} output channels; for "
            "2 x 2 pixels it needs a multiple of 4."
        )
    for values in (convolution.weight, convolution.bias):
        if values is not None:
            values.copy_(values[::4].repeat_interleave(4, dim=0))


# How to double, and how many channels lie between two doublings from 3 channels to 3,
# so that all have as many weights: 2,592.
DOUBLINGS: dict[str, tuple[Doubling, int]] = {
    "transposed, kernel 3": (transposed(3), 48),
    "transposed, kernel 4": (transposed(4), 27),
    "nearest + convolution": (resized("nearest"), 48),
    "bilinear + convolution": (resized("bilinear"), 48),
    "pixel shuffle": (shuffled(icnr=False), 12),
    "pixel shuffle, ICNR": (shuffled(icnr=True), 12),
}


class Enlarger(nn.Module):
    """Two doublings with a ReLU between: pictures four times as high and as wide.

    Shapes: x (B, 3, H, W) -> (B, 3, 4 H, 4 W).
    """

    def __init__(self, double: Doubling, width: int):
        super().__init__()
        self.net = nn.Sequential(double(3, width), nn.ReLU(), double(width, 3))
        # The layout in memory that a CPU convolves fastest; the values are the same.
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


@torch.no_grad()
def checkerboard(net: nn.Module, greys: int = 5) -> float:
    """Standard deviation of the answer to flat grey pictures of 8 x 8, border cut off.

    Taken in each channel of each answer, then averaged: 0 if what is flat stays flat.

    Units: of a pixel, from 0 to 1.
    """
    device = next(net.parameters()).device
    levels = torch.linspace(0.1, 0.9, greys, device=device)
    flat = levels[:, None, None, None].expand(-1, 3, 8, 8)
    border = 8  # two source pixels, which the zeros beside the picture reach
    out = net(flat)[..., border:-border, border:-border]
    return out.std((2, 3), correction=0).mean().item()


def bicubic(small: Tensor) -> Tensor:
    """Four times as high and as wide by interpolation alone, clipped to [0, 1].

    Shapes: small (B, C, H, W) -> (B, C, 4 H, 4 W).
    """
    return F.interpolate(small, scale_factor=4, mode="bicubic").clamp(0, 1)
