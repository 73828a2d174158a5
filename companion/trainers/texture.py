"""A new piece of a texture by optimising the picture, with any description."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from companion.losses.style import range_penalty
from companion.losses.texture import Description, texture_loss
from companion.models.style import Canvas
from companion.trainers.inputs import Check, pictures
from companion.trainers.style import grow, lbfgs

Network = Callable[[Tensor], Sequence[Tensor]]


class TextureTrainer:
    """Move the pixels until the network's maps are described as the texture's are.

    Only the canvas learns; the network stays as it is. The batch is the texture.

    Source: Gatys et al. (2015), with `describe` in place of the Gram matrix.
    Differs: a penalty that keeps pixels in [0, 1].
    """

    def __init__(
        self, canvas: Canvas, network: Network, opt: Optimizer, describe: Description
    ):
        self.canvas, self.network, self.opt = canvas, network, opt
        self.describe = describe

    def takes(self, style: Tensor) -> dict[str, Check]:
        return {"style": pictures}

    def step(self, style: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            targets = [self.describe(f) for f in self.network(style)]
        losses = []

        def closure() -> Tensor:  # a line search asks more than once a step
            self.opt.zero_grad()
            x = self.canvas()
            loss = texture_loss(self.network(x), targets, self.describe).mean()
            losses.append(loss.detach())
            loss = loss + 10 * range_penalty(x).mean()
            loss.backward()
            return loss

        self.opt.step(closure)
        return {"texture": losses[0]}  # as in every trainer: before the update


def grow_texture(
    style: Tensor,
    make_network: Callable[[Tensor], Network],
    describe: Description,
    *,
    sizes: Sequence[int] = (32, 64),
    steps: int = 40,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A new picture of the style's texture, from noise, small first.

    As `companion.trainers.style.synthesize`, but with any description and without
    total variation.

    Shapes, Raises: as `synthesize`.
    """

    def make_trainer(canvas: Canvas, small: Tensor) -> TextureTrainer:
        return TextureTrainer(canvas, make_network(small), lbfgs(canvas), describe)

    return grow(style, make_trainer, sizes=sizes, steps=steps, generator=generator)
