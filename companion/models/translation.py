"""Networks that turn one picture into another, and one that judges patches.

Their activations work in place, as those of the GANs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from companion.convolution import receptive_field
from companion.models.enlarging import alike
from companion.models.gan import checked_widths


class UNet(nn.Module):
    """Halves the picture step by step and doubles it again, with skip connections.

    `widths` lists the channels of the maps, largest maps first: n widths, n halvings
    by convolutions of stride 2. Each doubling makes the 2 x 2 blocks of pixels as
    channels, at first all four alike; what came in at that size is then joined to its
    result (the skip connection), the picture itself at last. An odd side is halved
    upwards, and its doubling is cut to the size of the skip: any side from 2^n on will
    do. With `residual` the result is what to add to the picture, at first nothing: a
    network that starts as the identity.

    Shapes: x (B, in_channels, H, W) in [0, 1] -> (B, out_channels, H, W) in [0, 1].
    Raises: ValueError for channels or widths below 1, pictures of another number of
        channels, or sides below 2^n; residual with other channels out than in.
    Source: Ronneberger et al. (2015); as a generator: Isola et al. (2017).
    Differs: sub-pixel doublings (Shi et al. 2016) that begin without a grid (Aitken et
        al. 2017), no drop-out, ends in a sigmoid.
    """

    unit_range = True  # trainers refuse pictures in another range

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        widths: Sequence[int] = (24, 48, 96),
        batch_norm: bool = True,
        residual: bool = False,
    ):
        super().__init__()
        check_channels(in_channels=in_channels, out_channels=out_channels)
        if residual and in_channels != out_channels:
            raise ValueError(
                f"residual needs as many channels out as in; there are {in_channels} "
                f"in and {out_channels} out."
            )
        widths = checked_widths("widths", widths)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.smallest_side = 2 ** len(widths)
        sizes = [in_channels, *widths]
        self.downs = nn.ModuleList(
            nn.Sequential(*_layer(a, b, batch_norm and i > 0, stride=2))
            for i, (a, b) in enumerate(zip(sizes, widths, strict=False))
        )
        self.middle = nn.Sequential(*_layer(widths[-1], widths[-1], batch_norm))
        self.ups = nn.ModuleList()
        channels = widths[-1]
        made_at = [max(widths[0] // 2, 1), *widths[:-1]]
        for skip, made in zip(reversed(sizes[:-1]), reversed(made_at), strict=True):
            convolution, *rest = _layer(channels, 4 * made, batch_norm)
            alike(convolution)
            self.ups.append(nn.Sequential(convolution, *rest, nn.PixelShuffle(2)))
            channels = made + skip
        self.last = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.residual = residual
        if residual:
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)
        # The layout in memory that a CPU convolves fastest; the values are the same.
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        check_pictures(x, self.in_channels, self.smallest_side)
        skips = [2 * x - 1]
        for down in self.downs:
            skips.append(down(skips[-1]))
        h = self.middle(skips.pop())
        for up in self.ups:
            skip = skips.pop()
            height, width = skip.shape[2:]
            h = torch.cat([up(h)[:, :, :height, :width], skip], dim=1)
        h = self.last(h)
        return (x + h).clamp(0, 1) if self.residual else h.sigmoid()


class PatchDiscriminator(nn.Module):
    """A logit for each patch of a picture: real or made.

    Convolutions (kernel 4, stride 2), one for each of the `widths`, then one with
    kernel 3. Each logit depends on `receptive_field` pixels a side. To judge a
    picture together with the one that it was made from, lay both in the channels.

    Shapes: x (B, in_channels, H, W) in [0, 1] -> (B, h, w), h and w being the sides
        halved, downwards, once for each width.
    Raises: ValueError for channels or widths below 1, pictures of another number of
        channels, or sides below 2^n.
    Source: Isola et al. (2017), section 3.2.2.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int] = (32, 64),
        batch_norm: bool = False,
    ):
        super().__init__()
        check_channels(in_channels=in_channels)
        widths = checked_widths("widths", widths)
        self.in_channels = in_channels
        self.smallest_side = 2 ** len(widths)
        layers: list[nn.Module] = []
        sizes = [in_channels, *widths]
        for i, (a, b) in enumerate(zip(sizes, widths, strict=False)):
            layers += _layer(a, b, batch_norm and i > 0, stride=2, kernel_size=4)
        layers.append(nn.Conv2d(widths[-1], 1, 3, padding=1))
        self.net = nn.Sequential(*layers)
        self.to(memory_format=torch.channels_last)

    @property
    def receptive_field(self) -> int:
        """Pixels a side on which one logit depends."""
        layers = [layer for layer in self.net if isinstance(layer, nn.Conv2d)]
        return receptive_field((m.kernel_size[0], m.stride[0]) for m in layers)

    def forward(self, x: Tensor) -> Tensor:
        check_pictures(x, self.in_channels, self.smallest_side)
        return self.net(2 * x - 1).squeeze(1)


def check_channels(**channels: int) -> None:
    """Raises: ValueError for a number of channels below 1."""
    for name, value in channels.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; a picture has 1 channel or more.")


def check_pictures(x: Tensor, channels: int, smallest_side: int) -> None:
    """Raises: ValueError if x is no batch of such pictures, or they are too small."""
    if x.dim() != 4 or x.shape[1] != channels:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; this network takes (B, {channels}, H, W)."
        )
    if min(x.shape[2:]) < smallest_side:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; this network needs sides of "
            f"{smallest_side} pixels or more: enlarge the pictures, or give fewer "
            "widths."
        )


def _layer(
    a: int, b: int, batch_norm: bool, stride: int = 1, kernel_size: int = 3
) -> list[nn.Module]:
    """Convolution, perhaps batch normalisation, LeakyReLU."""
    norm = [nn.BatchNorm2d(b)] if batch_norm else []
    return [
        nn.Conv2d(a, b, kernel_size, stride=stride, padding=1, bias=not batch_norm),
        *norm,
        nn.LeakyReLU(0.2, inplace=True),
    ]
