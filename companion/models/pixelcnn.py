"""The gated PixelCNN, without a blind spot."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.models.blocks import check_images
from companion.models.pixels import PixelModel, read_out, shift_down


class GatedLayer(nn.Module):
    """One layer of both stacks: `vertical` sees rows above, `horizontal` to the left.

    Each method takes what lies before the part that it works on: `above`, the row of
    features above, or `left`, the column to the left; zeros at the border. So a whole
    image and a single row or pixel go through the same code.

    Shapes: vertical maps (B, tall, h, w), above (B, tall, 1, w); horizontal maps
        (B, width, h, w), left (B, width, h, 1).
    Source: van den Oord et al. (2016), Conditional image generation, figure 2.
    Differs: kernels 2 x 3 and 1 x 2 that end at the present place, where the paper
        masks larger ones; the link follows the gate, and the vertical stack may have
        fewer channels.
    """

    def __init__(self, width: int, tall: int):
        super().__init__()
        self.down = nn.Conv2d(tall, 2 * tall, kernel_size=(2, 3), padding=(0, 1))
        self.right = nn.Conv2d(width, 2 * width, kernel_size=(1, 2))
        self.link = nn.Conv2d(tall, 2 * width, kernel_size=1)
        self.out = nn.Conv2d(width, width, kernel_size=1)

    def vertical(self, v: Tensor, above: Tensor) -> tuple[Tensor, Tensor]:
        """The next vertical map, and what the horizontal stack hears of it."""
        v = gate(self.down(torch.cat([above, v], dim=2)))
        return v, self.link(v)

    def horizontal(self, h: Tensor, left: Tensor, heard: Tensor) -> Tensor:
        """The next horizontal map; `heard` comes from the vertical map above."""
        a = self.right(torch.cat([left, h], dim=3)) + heard
        return h + self.out(gate(a))


def gate(a: Tensor) -> Tensor:
    """tanh of one half of the channels times the sigmoid of the other.

    Shapes: (B, 2 C, H, W) -> (B, C, H, W).
    Source: van den Oord et al. (2016), Conditional image generation, equation 2.
    """
    value, opening = a.chunk(2, dim=1)
    return value.tanh() * opening.sigmoid()


@dataclass
class Row:
    """What is kept while a row is drawn, a map for each layer.

    `heard`: from the rows above; `above`: vertical features of the last row;
    `left`: horizontal features of the last pixel.
    """

    heard: list[Tensor]
    above: list[Tensor]
    left: list[Tensor]


class PixelCNN(PixelModel):
    """Each bit given all those before it, by two stacks of gated convolutions.

    The vertical stack reads all rows above a pixel; the horizontal one reads its row to
    the left and hears from the vertical stack. The first layer of each looks `reach`
    pixels far, the others one. `place`, a bias for each pixel, says where we are.

    Shapes: as `PixelModel`.
    Raises: ValueError for sizes below 1 or images of several channels.
    Source: van den Oord et al. (2016), Conditional image generation, section 2.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        width: int = 32,
        tall: int = 16,
        layers: int = 3,
        reach: int = 4,
        head: int = 64,
    ):
        super().__init__(image_shape)
        if min(width, tall, layers, reach, head) < 1:
            raise ValueError(
                f"width {width}, tall {tall}, layers {layers}, reach {reach} and head "
                f"{head} must be 1 or more."
            )
        self.width, self.tall, self.reach = width, tall, reach
        self.first_down = nn.Conv2d(
            1, tall, kernel_size=(reach, 2 * reach + 1), padding=(0, reach)
        )
        self.first_link = nn.Conv2d(tall, width, kernel_size=1)
        self.first_right = nn.Conv2d(1, width, kernel_size=(1, reach))
        self.place = nn.Parameter(torch.zeros(1, width, *image_shape[1:]))
        self.layers = nn.ModuleList(GatedLayer(width, tall) for _ in range(layers))
        self.head = read_out(width, head)
        # The layout in memory that a CPU convolves fastest; the values are the same.
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        check_images(x, self.image_shape)
        v = self.first_down(F.pad(x, (0, 0, self.reach - 1, 0)))
        h = self.first_right(F.pad(x, (self.reach, -1)))
        h = h + shift_down(self.first_link(v)) + self.place
        for layer in self.layers:
            v, heard = layer.vertical(v, torch.zeros_like(v[:, :, :1]))
            left = torch.zeros_like(h[:, :, :, :1])
            h = layer.horizontal(h, left, shift_down(heard))
        return self.head(h)

    def first_row(self, n: int) -> Row:
        zeros = self.place.new_zeros(n, 2 * self.width, 1, self.image_shape[2])
        heard = [zeros[:, : self.width]] + [zeros for _ in self.layers]
        above = [zeros.new_zeros(n, self.tall, 1, zeros.shape[3])] * len(self.layers)
        return Row(heard, above, self._start(n))

    def next_row(self, context: Row, x: Tensor, i: int) -> Row:
        window = F.pad(x, (0, 0, self.reach - 1, 0))[:, :, i : i + self.reach]
        v = self.first_down(window)
        heard, above = [self.first_link(v)], []
        for layer, before in zip(self.layers, context.above, strict=True):
            above.append(v)
            v, said = layer.vertical(v, before)
            heard.append(said)
        return Row(heard, above, self._start(len(x)))

    def logit(self, context: Row, x: Tensor, i: int, j: int) -> Tensor:
        window = F.pad(x[:, :, i : i + 1], (self.reach, 0))[..., j : j + self.reach]
        h = self.first_right(window) + self.place[:, :, i : i + 1, j : j + 1]
        h = h + context.heard[0][..., j : j + 1]
        for k, layer in enumerate(self.layers):
            left, context.left[k] = context.left[k], h
            h = layer.horizontal(h, left, context.heard[k + 1][..., j : j + 1])
        return self.head(h)

    def _start(self, n: int) -> list[Tensor]:
        """Zeros: nothing is to the left of the first pixel."""
        return [self.place.new_zeros(n, self.width, 1, 1) for _ in self.layers]
