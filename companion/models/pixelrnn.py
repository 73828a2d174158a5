"""A recurrent network that draws: an LSTM from row to row, convolved along them."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.models.blocks import check_images
from companion.models.pixels import PixelModel


class PixelRNN(PixelModel):
    """The Row LSTM: a state for each pixel of a row, handed on from row to row.

    The gates of a pixel hear `reach` pixels to its left, a window of the `reach` rows
    above, and the states of the three nearest pixels of the last row. `place`, a bias
    for each pixel, says where we are.

    Shapes: as `PixelModel`; states (B, W, width).
    Raises: ValueError for sizes below 1 or images of several channels.
    Source: van den Oord et al. (2016), Pixel recurrent neural networks, section 3.1.
    Differs: the window above, which the paper has not.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        width: int = 32,
        reach: int = 5,
        head: int = 64,
    ):
        super().__init__(image_shape)
        if min(width, reach, head) < 1:
            raise ValueError(
                f"width {width}, reach {reach} and head {head} must be 1 or more."
            )
        self.width, self.reach = width, reach
        self.from_left = nn.Conv2d(1, 4 * width, kernel_size=(1, reach))
        self.from_above = nn.Conv2d(
            1, 4 * width, kernel_size=(reach, 2 * reach + 1), padding=(0, reach)
        )
        self.from_state = nn.Linear(3 * width, 4 * width, bias=False)
        self.place = nn.Parameter(torch.zeros(*image_shape[1:], 4 * width))
        self.head = nn.Sequential(nn.Linear(width, head), nn.ReLU(), nn.Linear(head, 1))
        # The layout in memory that a CPU convolves fastest; the values are the same.
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        check_images(x, self.image_shape)
        a = self.from_left(F.pad(x, (self.reach, -1)))
        a = a + self.from_above(F.pad(x, (0, 0, self.reach, -1)))
        a = a.permute(0, 2, 3, 1) + self.place  # (B, H, W, 4 width)
        h = c = self._zeros(len(x))
        rows = []
        for a_i in a.unbind(dim=1):
            h, c = lstm_update(a_i + self.from_state(neighbours(h)), c)
            rows.append(h)
        return self.head(torch.stack(rows, dim=1)).permute(0, 3, 1, 2)

    def first_row(self, n: int) -> tuple[Tensor, Tensor]:
        return self._hear(self.place.new_zeros(n, *self.image_shape), 0), self._zeros(n)

    def next_row(
        self, context: tuple[Tensor, Tensor], x: Tensor, i: int
    ) -> tuple[Tensor, Tensor]:
        a, c = context
        left = self.from_left(F.pad(x[:, :, i : i + 1], (self.reach, -1)))
        h, c = lstm_update(a + left[:, :, 0].mT, c)
        if i + 1 == self.image_shape[1]:
            return a, c  # nothing follows
        return self._hear(x, i + 1) + self.from_state(neighbours(h)), c

    def logit(
        self, context: tuple[Tensor, Tensor], x: Tensor, i: int, j: int
    ) -> Tensor:
        a, c = (part[:, j] for part in context)
        window = F.pad(x[:, :, i : i + 1], (self.reach, 0))[..., j : j + self.reach]
        h, _ = lstm_update(a + self.from_left(window)[:, :, 0, 0], c)
        return self.head(h)[:, :, None, None]

    def _zeros(self, n: int) -> Tensor:
        return self.place.new_zeros(n, self.image_shape[2], self.width)

    def _hear(self, x: Tensor, i: int) -> Tensor:
        """What the gates of row i hear of the pixels above, (n, W, 4 width)."""
        window = F.pad(x, (0, 0, self.reach, 0))[:, :, i : i + self.reach]
        return self.from_above(window)[:, :, 0].mT + self.place[i]


def neighbours(h: Tensor) -> Tensor:
    """The states to the left, here and to the right, side by side; zeros outside.

    Shapes: h (B, W, C) -> (B, W, 3 C).
    """
    left, right = F.pad(h, (0, 0, 1, -1)), F.pad(h, (0, 0, -1, 1))
    return torch.cat([left, h, right], dim=2)


def lstm_update(a: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """The new state from the values before the gates, i, f, g, o, and the cell state.

    Shapes: a (..., 4 C), c (..., C) -> h, c (..., C).
    Source: Hochreiter and Schmidhuber (1997).
    """
    i, f, g, o = a.chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c
