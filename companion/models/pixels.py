"""What models share that draw an image pixel by pixel."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.models.blocks import check_images


class PixelModel(nn.Module):
    """p(x) as a product over pixels, each given those above and to its left.

    A subclass computes all logits at once in `forward`, for training. For drawing it
    has three methods that compute each feature once and keep it in a context:
    `first_row(n)` and `next_row(context, x, i)` make the context of a row, from nothing
    and from row i; `logit(context, x, i, j)` is that of one pixel, (n, 1, 1, 1).

    Shapes: x (B, 1, H, W) of bits -> logits (B, 1, H, W); that of a pixel ignores the
        pixel itself and all later ones.
    Raises: ValueError for images of several channels or sizes below 1.
    Source: van den Oord et al. (2016), Pixel recurrent neural networks, section 2.
    """

    def __init__(self, image_shape: tuple[int, int, int]):
        super().__init__()
        if len(image_shape) != 3 or image_shape[0] != 1 or min(image_shape) < 1:
            raise ValueError(
                f"image_shape is {tuple(image_shape)}; give (1, height, width)."
            )
        self.image_shape = tuple(image_shape)

    def first_row(self, n: int) -> Any:
        raise NotImplementedError

    def next_row(self, context: Any, x: Tensor, i: int) -> Any:
        raise NotImplementedError

    def logit(self, context: Any, x: Tensor, i: int, j: int) -> Tensor:
        raise NotImplementedError

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        given: Tensor | None = None,
        rows: int = 0,
    ) -> Tensor:
        """n images drawn pixel by pixel, (n, 1, H, W) of bits.

        The first `rows` rows are those of `given`. The logits are divided by
        `temperature`: below 1 the draws are more probable and less varied.

        Raises: ValueError if n is below 1, the temperature not above 0, `given` does
            not hold n images, or `rows` does not fit.
        """
        if n < 1 or not temperature > 0:
            raise ValueError(
                f"n is {n} and temperature {temperature}; ask for 1 image or more, at "
                "a temperature above 0."
            )
        _, height, width = self.image_shape
        like = next(self.parameters())
        x = like.new_zeros(n, *self.image_shape)
        if given is not None:
            check_images(given, self.image_shape)
            if len(given) != n:
                raise ValueError(f"given holds {len(given)} images; give {n}.")
            x[:, :, :rows] = given[:, :, :rows]
        if not 0 <= rows <= (0 if given is None else height):
            raise ValueError(
                f"rows is {rows}; with given= it is 0 to {height}, without it 0."
            )
        context = self.first_row(n)
        for i in range(height):
            for j in range(width if i >= rows else 0):
                p = (self.logit(context, x, i, j) / temperature).sigmoid()
                x[:, :, i, j] = torch.bernoulli(p, generator=generator)[:, :, 0, 0]
            context = self.next_row(context, x, i)
        return x


def read_out(width: int, head: int) -> nn.Sequential:
    """From features to the logit of each pixel: (B, width, H, W) -> (B, 1, H, W)."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(width, head, kernel_size=1),
        nn.ReLU(),
        nn.Conv2d(head, 1, kernel_size=1),
    )


def shift_down(a: Tensor) -> Tensor:
    """Each row moved to the next; the first becomes zero, the last is dropped."""
    return F.pad(a, (0, 0, 1, -1))
