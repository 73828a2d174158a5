"""Attention, and two networks that draw with it: an LSTM and a transformer."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.models.blocks import check_images
from companion.models.pixels import PixelModel, read_out, shift_down


def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """For each query a mean of the values, weighted by how well their keys fit it.

    weights = softmax(q k^T / sqrt(d)), over the places that `mask` allows.

    Shapes: q (..., T, d), k (..., S, d), v (..., S, e), mask of bool that broadcasts
        to (..., T, S) -> mean (..., T, e), weights (..., T, S).
    Raises: ValueError if the sizes do not fit, or a query may look nowhere.
    Source: Vaswani et al. (2017), equation 1.
    """
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(
            f"q, k and v have shapes {tuple(q.shape)}, {tuple(k.shape)} and "
            f"{tuple(v.shape)}; give (..., T, d), (..., S, d) and (..., S, e)."
        )
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        if not mask.any(dim=-1).all():
            raise ValueError(
                "mask leaves a query nothing to look at; allow each at least one key."
            )
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights


def causal_mask(new: int, old: int = 0, *, device: Any = None) -> Tensor:
    """Which of the old + new places each of the new ones may see: none after it.

    Shapes: -> (new, old + new) of bool.
    """
    return torch.ones(new, old + new, dtype=torch.bool, device=device).tril(old)


class Heads(nn.Module):
    """Causal attention of a sequence to itself, in several heads side by side.

    Keys and values of earlier places may be handed in as `past`, and come back
    with the new ones, so that each is computed once.

    Shapes: a (B, T, width), past of two tensors (B, heads, S, d), d = width / heads
        -> (B, T, width), the new past, weights (B, heads, T, S + T).
    Raises: ValueError if width is no multiple of heads.
    Source: Vaswani et al. (2017), section 3.2.2.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        if min(width, heads) < 1 or width % heads:
            raise ValueError(
                f"width is {width} and heads {heads}; give a width that is a multiple "
                "of the number of heads, both 1 or more."
            )
        self.heads = heads
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(
        self, a: Tensor, past: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        split = self.to_qkv(a).unflatten(2, (3, self.heads, -1))  # (B, T, 3, heads, d)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # each (B, heads, T, d)
        if past is not None:
            k = torch.cat([past[0], k], dim=2)
            v = torch.cat([past[1], v], dim=2)
        new, old = q.shape[2], k.shape[2] - q.shape[2]
        mean, weights = attention(q, k, v, causal_mask(new, old, device=a.device))
        return self.out(mean.transpose(1, 2).flatten(2)), (k, v), weights


class RowModel(PixelModel):
    """A network that reads the rows above, and a head that draws the next one.

    A subclass has `read(rows, memory)`: rows (B, T, W) that follow those which made
    `memory` (None at the start) -> features (B, T, width) of the rows after each,
    and the new memory. The head of a pixel hears the features of its row, all pixels
    to its left, and a window of `reach` rows above.

    Shapes: as `PixelModel`.
    Raises: ValueError for sizes below 1 or images of several channels.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        width: int,
        reach: int,
        channels: int,
        head: int,
    ):
        super().__init__(image_shape)
        if min(width, reach, channels, head) < 1:
            raise ValueError(
                f"width {width}, reach {reach}, channels {channels} and head {head} "
                "must be 1 or more."
            )
        self.reach, w = reach, image_shape[2]
        self.spread = nn.Linear(width, channels * w)
        self.from_left = nn.Conv2d(1, channels, kernel_size=(1, w))
        self.from_above = nn.Conv2d(
            1, channels, kernel_size=(reach, 2 * reach + 1), padding=(0, reach)
        )
        self.head = read_out(channels, head)
        # The layout in memory that a CPU convolves fastest; the values are the same.
        self.to(memory_format=torch.channels_last)

    def read(self, rows: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        check_images(x, self.image_shape)
        features, _ = self.read(shift_down(x)[:, 0])
        above = self.from_above(F.pad(x, (0, 0, self.reach, -1)))
        left = self.from_left(F.pad(x, (x.shape[3], -1)))
        return self.head(self._spread(features) + above + left)

    def first_row(self, n: int) -> tuple[Tensor, Any]:
        like = next(self.parameters())
        x = like.new_zeros(n, *self.image_shape)
        return self._hear(x, -1, None)

    def next_row(self, context: tuple[Tensor, Any], x: Tensor, i: int) -> Any:
        if i + 1 == self.image_shape[1]:
            return context  # nothing follows
        return self._hear(x, i, context[1])

    def logit(self, context: tuple[Tensor, Any], x: Tensor, i: int, j: int) -> Tensor:
        width = self.image_shape[2]
        window = F.pad(x[:, :, i : i + 1], (width, 0))[..., j : j + width]
        return self.head(context[0][..., j : j + 1] + self.from_left(window))

    def _hear(self, x: Tensor, i: int, memory: Any) -> tuple[Tensor, Any]:
        """What row i + 1 hears of rows up to i, (n, channels, 1, W), and the memory."""
        padded = F.pad(x, (0, 0, self.reach, 0))[:, :, i + 1 : i + 1 + self.reach]
        features, memory = self.read(padded[:, 0, -1:], memory)
        return self._spread(features) + self.from_above(padded), memory

    def _spread(self, features: Tensor) -> Tensor:
        """(B, T, width) -> (B, channels, T, W)."""
        w = self.image_shape[2]
        return self.spread(features).unflatten(2, (w, -1)).permute(0, 3, 1, 2)


class AttentiveLSTM(RowModel):
    """An LSTM over rows that looks back at all its earlier states.

    The newest state asks, each earlier one answers by its key and gives its value;
    the weighted mean of the values stands beside the state as the row's features.

    Shapes: as `PixelModel`.
    Raises: ValueError for sizes below 1 or images of several channels.
    Source: Bahdanau et al. (2015), section 3.1.
    Differs: it looks at its own states, and scores are scaled scalar products.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        width: int = 96,
        reach: int = 4,
        channels: int = 24,
        head: int = 48,
    ):
        super().__init__(image_shape, 2 * width, reach, channels, head)
        self.lstm = nn.LSTM(image_shape[2], width, batch_first=True)
        self.look = Heads(width, heads=1)

    def read(self, rows: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        state, past = (None, None) if memory is None else memory
        h, state = self.lstm(rows, state)
        mean, past, _ = self.look(h, past)
        return torch.cat([h, mean], dim=2), (state, past)

    def weights(self, x: Tensor) -> Tensor:
        """How much row i (dim 1) looks at the state after row s - 1 (dim 2).

        Shapes: x (B, 1, H, W) -> (B, H, H); zero for s > i. State 0 read nothing yet.
        """
        check_images(x, self.image_shape)
        h, _ = self.lstm(shift_down(x)[:, 0])
        return self.look(h)[2][:, 0]


class Block(nn.Module):
    """Attention between the places, then a small network at each; both are added.

    Shapes: as `Heads`, without the weights.
    Source: Vaswani et al. (2017), section 3.1.
    Differs: normalisation before each part, not after (Xiong et al., 2020).
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.look = Heads(width, heads)
        self.think = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, a: Tensor, past: Any = None) -> tuple[Tensor, Any]:
        mean, past, _ = self.look(self.norm_1(a), past)
        a = a + mean
        return a + self.think(self.norm_2(a)), past


class CausalTransformer(RowModel):
    """A transformer over rows: each row of pixels is a token, each sees those before.

    `place`, a vector for each row, is added to its token and says where we are.

    Shapes: as `PixelModel`.
    Raises: ValueError for sizes below 1, a width that is no multiple of heads, or
        images of several channels.
    Source: Vaswani et al. (2017); for images Parmar et al. (2018).
    Differs: a token is a row; within it the head's convolution looks to the left.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        width: int = 96,
        layers: int = 2,
        heads: int = 4,
        reach: int = 4,
        channels: int = 24,
        head: int = 48,
    ):
        super().__init__(image_shape, width, reach, channels, head)
        if layers < 1:
            raise ValueError(f"layers is {layers}; give 1 or more.")
        _, height, w = self.image_shape
        self.embed = nn.Linear(w, width)
        self.place = nn.Parameter(0.02 * torch.randn(height, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def read(self, rows: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        done, pasts = (0, [None] * len(self.blocks)) if memory is None else memory
        new = done + rows.shape[1]
        a, kept = self.embed(rows) + self.place[done:new], []
        for block, past in zip(self.blocks, pasts, strict=True):
            a, past = block(a, past)
            kept.append(past)
        return self.norm(a), (new, kept)
