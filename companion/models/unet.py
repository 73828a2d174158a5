"""A U-Net that is told the time, and perhaps a label: what a denoiser asks."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.data.checks import check_labels
from companion.models.blocks import check_images, check_lengths
from companion.models.diffusion import VelocityDenoiser
from companion.models.gan import checked_widths

FASTEST, SLOWEST = 1000.0, 1.0  # radians in the time from 0 to 1


class TimeUNet(nn.Module):
    """An image for a noisy image: what a denoiser's network says.

    The maps of `widths`, largest maps first, have `blocks` blocks each on the way down
    and on the way up, and are halved in between; on the way up each is joined with its
    partner of the way down. To save time the blocks of `patch` x `patch` pixels come in
    as channels and leave so. With `attention` the smallest maps attend to themselves.

    Time and label become one vector, which scales and shifts the maps in every block.
    With `untold`, the number num_classes stands for no label.

    Shapes: x (B, *image_shape), t (B,) in [0, 1], y (B,) int64 -> (B, *image_shape).
    Raises: ValueError for sizes below 1, sides that are no multiples of
        patch * 2^(n - 1), num_classes below 2, or unknown labels.
    Source: Ho et al. (2020), appendix B; scale and shift: Dhariwal and Nichol (2021),
        section 3.1.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        widths: Sequence[int] = (32, 64),
        *,
        blocks: int = 1,
        patch: int = 2,
        attention: bool = False,
        num_classes: int | None = None,
        untold: bool = False,
    ):
        super().__init__()
        widths = checked_widths("widths", widths)
        self.image_shape = tuple(image_shape)
        self.num_classes, self.untold = num_classes, untold
        self.nothing = num_classes  # the label that stands for none
        _check(self.image_shape, len(widths), blocks, patch, num_classes, untold)
        channels, told = self.image_shape[0] * patch**2, 4 * widths[0]
        self.time = nn.Sequential(
            nn.Linear(widths[0], told), nn.SiLU(), nn.Linear(told, told)
        )
        if num_classes is not None:
            self.label = nn.Embedding(num_classes + untold, told)
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(patch), nn.PixelShuffle(patch)
        self.enter = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        kept, width = [], widths[0]
        for wide in widths:
            for _ in range(blocks):
                self.down.append(TimeBlock(width, wide, told))
                kept.append(width := wide)
        self.middle = TimeBlock(width, width, told)
        self.attend = SelfAttention(width) if attention else nn.Identity()
        for wide in reversed(widths):
            for _ in range(blocks):
                self.up.append(TimeBlock(width + kept.pop(), wide, told))
                width = wide
        self.blocks = blocks
        self.leave = nn.Sequential(
            group_norm(width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1)
        )
        nn.init.zeros_(self.leave[-1].weight)  # it says 0 at first
        nn.init.zeros_(self.leave[-1].bias)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, t: Tensor, *y: Tensor) -> Tensor:
        check_images(x, self.image_shape)
        added, *read = self.condition(x, *y)
        told = self.time(time_features(t, self.time[0].in_features)) + added
        h, kept = self.enter(self.unshuffle(x)), []
        for i, block in enumerate(self.down):
            if i and i % self.blocks == 0:
                h = F.avg_pool2d(h, 2)
            kept.append(h := block(h, told))
        h = self.attend(self.middle(h, told), *read)
        for i, block in enumerate(self.up):
            if i and i % self.blocks == 0:
                h = F.interpolate(h, scale_factor=2.0)
            h = block(torch.cat([h, kept.pop()], dim=1), told)
        return self.shuffle(self.leave(h))

    def condition(self, x: Tensor, *y: Tensor) -> tuple[Tensor, ...]:
        """What is added to the vector of the time, and what `attend` reads besides."""
        if not y:
            return (torch.zeros((), device=x.device),)
        if self.num_classes is None:
            raise ValueError(
                "This network is told no labels; make it with num_classes=10, say."
            )
        (labels,) = y
        check_lengths("x", x, labels)
        check_labels("y", labels, self.num_classes + self.untold)
        return (self.label(labels),)


class UNetFlow(VelocityDenoiser):
    """A flow from noise to pictures along straight paths; a U-Net says the velocity.

    Settings, shapes and errors: as `TimeUNet` and `Denoiser`.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28), **sizes: Any):
        super().__init__(TimeUNet(image_shape, **sizes))


class TimeBlock(nn.Module):
    """Two convolutions, and between them the scale and shift of what is told.

    Shapes: x (B, fan_in, H, W), told (B, T) -> (B, fan_out, H, W).
    """

    def __init__(self, fan_in: int, fan_out: int, told: int):
        super().__init__()
        self.norm1, self.norm2 = group_norm(fan_in), group_norm(fan_out)
        self.conv1 = nn.Conv2d(fan_in, fan_out, 3, padding=1)
        self.conv2 = nn.Conv2d(fan_out, fan_out, 3, padding=1)
        self.told = nn.Linear(told, 2 * fan_out)
        same = fan_in == fan_out
        self.skip = nn.Identity() if same else nn.Conv2d(fan_in, fan_out, 1)
        nn.init.zeros_(self.conv2.weight)  # at first the block changes nothing
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.told(F.silu(told))[:, :, None, None].chunk(2, dim=1)
        h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        return self.skip(x) + self.conv2(F.silu(h))


class SelfAttention(nn.Module):
    """Each place of the maps takes up a mean of all places, weighted by its question.

    Shapes: x (B, channels, H, W) -> the same.
    Source: Vaswani et al. (2017); in a diffusion model: Ho et al. (2020), appendix B.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = group_norm(channels)
        self.ask = nn.Conv2d(channels, 3 * channels, 1)
        self.answer = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.answer.weight)  # at first nothing is taken up
        nn.init.zeros_(self.answer.bias)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.ask(self.norm(x)).flatten(2).mT.chunk(3, dim=2)
        mean = F.scaled_dot_product_attention(q, k, v)
        return x + self.answer(mean.mT.reshape(x.shape))


def time_features(t: Tensor, n: int) -> Tensor:
    """Sines and cosines of the time, of frequencies from slow to fast.

    Shapes: t (B,) -> (B, n), n even.
    Source: Vaswani et al. (2017), section 3.5; for times: Ho et al. (2020).
    """
    powers = torch.linspace(0, 1, n // 2, device=t.device)
    angles = t[:, None] * SLOWEST * (FASTEST / SLOWEST) ** powers
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def group_norm(channels: int) -> nn.Module:
    """Groups of at least as many channels as fit: eight groups, or fewer."""
    return nn.GroupNorm(math.gcd(8, channels), channels)


def _check(
    image_shape: tuple[int, ...],
    sizes: int,
    blocks: int,
    patch: int,
    num_classes: int | None,
    untold: bool,
) -> None:
    if min(*image_shape, blocks, patch) < 1:
        raise ValueError(
            f"image_shape is {image_shape}, blocks {blocks} and patch {patch}; all "
            "must be 1 or more."
        )
    multiple = patch * 2 ** (sizes - 1)
    if any(side % multiple for side in image_shape[1:]):
        raise ValueError(
            f"image_shape is {image_shape}; with {sizes} widths and patches of {patch} "
            f"pixels both sides must be multiples of {multiple}."
        )
    if num_classes is not None and num_classes < 2:
        raise ValueError(f"num_classes is {num_classes}; give 2 or more, or None.")
    if untold and num_classes is None:
        raise ValueError("untold=True needs labels: give num_classes, too.")
