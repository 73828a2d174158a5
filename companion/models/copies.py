"""Several small networks with weights of their own, run side by side in one pass.

An experiment with several seeds then costs little more than one: for small networks
the time goes into calling the operations, not into the numbers.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from companion.models.gan import Discriminator, Generator
from companion.runtime import evaluating


class LinearCopies(nn.Module):
    """Linear layers side by side, initialised like `nn.Linear`.

    Shapes: x (copies, B, n_in) -> (copies, B, n_out).
    """

    def __init__(self, copies: int, n_in: int, n_out: int):
        super().__init__()
        bound = n_in**-0.5
        self.weight = nn.Parameter(
            torch.empty(copies, n_in, n_out).uniform_(-bound, bound)
        )
        self.bias = nn.Parameter(torch.empty(copies, 1, n_out).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class MLPGenerators(Generator):
    """As `MLPGenerator` without batch normalisation, several side by side.

    A batch is cut into as many equal parts as there are copies, in order: the first
    copy gets the first part. The gradient of a mean over the batch is, for each
    copy, that of its own mean, divided by the number of copies; Adam and RMSprop
    divide by the gradient's size, so that each copy trains as if it were alone.

    Shapes: noise (copies * B, latent) -> images (copies * B, *image_shape).
    Raises: ValueError for sizes below 1.
    """

    def __init__(
        self,
        copies: int,
        image_shape: tuple[int, int, int],
        hidden: Sequence[int],
        latent: int,
    ):
        super().__init__(image_shape, latent)
        sizes = [latent, *hidden, prod(image_shape)]
        self.copies = copies
        self.net = nn.Sequential(
            *_layers(copies, sizes), nn.Unflatten(1, self.image_shape)
        )

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """n images, equally many of each copy, in one pass: (n, *image_shape).

        Raises: ValueError if n is below 1 or no multiple of the number of copies.
        """
        if n % self.copies:
            raise ValueError(f"n is {n}; ask for a multiple of {self.copies} copies.")
        with evaluating(self):
            return self(self.noise(n, generator=generator))


class MLPDiscriminators(Discriminator):
    """As `MLPDiscriminator` without drop-out, several side by side.

    Shapes: x (copies * B, *image_shape) in [0, 1] -> (copies * B,).
    Raises: ValueError for sizes below 1.
    """

    def __init__(
        self, copies: int, image_shape: tuple[int, int, int], hidden: Sequence[int]
    ):
        super().__init__(image_shape)
        sizes = [prod(image_shape), *hidden, 1]
        self.net = nn.Sequential(nn.Flatten(), *_layers(copies, sizes))


def _layers(copies: int, sizes: Sequence[int]) -> list[nn.Module]:
    if min(copies, *sizes) < 1:
        raise ValueError(
            f"There are {copies} copies with layers of sizes {list(sizes)}; all must "
            "be 1 or more."
        )
    layers: list[nn.Module] = [nn.Unflatten(0, (copies, -1))]
    for a, b in zip(sizes, sizes[1:], strict=False):
        layers += [LinearCopies(copies, a, b), nn.LeakyReLU(0.2)]
    return [*layers[:-1], nn.Flatten(0, 1)]
