"""The algorithm of texture synthesis and style transfer: optimise the picture."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import LBFGS, Optimizer

from companion.losses.style import (
    content_loss,
    gram_matrix,
    range_penalty,
    style_loss,
    total_variation,
)
from companion.models.style import Canvas, Palette
from companion.trainers.fit import Trainer, fit
from companion.trainers.inputs import Check, finite, pictures
from companion.trainers.parts import check_weights


class StyleTrainer:
    """Move the pixels until the network sees the style's texture and the content.

    Only the canvas learns; the network stays as it is. The batch is the style, or
    the style and the content. Content is compared in all layers but the first,
    which sees single pixels' neighbourhoods and would leave no room for the style.

    Raises: ValueError for a negative weight.
    Source: Gatys et al. (2016); without content, Gatys et al. (2015).
    Differs: a total variation, and a penalty that keeps pixels in [0, 1].
    """

    def __init__(
        self,
        canvas: Canvas,
        network: Callable[[Tensor], Sequence[Tensor]],
        opt: Optimizer,
        *,
        content_weight: float = 0.03,
        tv_weight: float = 0.005,
        range_weight: float = 10.0,
    ):
        check_weights(
            content_weight=content_weight,
            tv_weight=tv_weight,
            range_weight=range_weight,
        )
        self.canvas, self.network, self.opt = canvas, network, opt
        self.content_weight, self.tv_weight = content_weight, tv_weight
        self.range_weight = range_weight

    def takes(self, style: Tensor) -> dict[str, Check]:
        # The content may be shifted towards the style's colours, even out of range.
        return {"style": pictures, "content": finite}

    def step(self, style: Tensor, content: Tensor | None = None) -> dict[str, Tensor]:
        with torch.no_grad():  # the targets: what the network sees in the batch
            grams = [gram_matrix(f) for f in self.network(style)]
            maps = None if content is None else self.network(content)[1:]
        before: dict[str, Tensor] = {}

        def closure() -> Tensor:  # a line search asks more than once a step
            self.opt.zero_grad()
            x = self.canvas()
            features = self.network(x)
            terms = {"style": style_loss(features, grams).mean()}
            loss = terms["style"] + self.tv_weight * total_variation(x).mean()
            loss = loss + self.range_weight * range_penalty(x).mean()
            if maps is not None:
                terms["content"] = content_loss(features[1:], maps).mean()
                loss = loss + self.content_weight * terms["content"]
            loss.backward()
            if not before:  # as in every trainer: the terms before the update
                before.update({"loss": loss.detach()})
                before.update({name: term.detach() for name, term in terms.items()})
            return loss

        self.opt.step(closure)
        return before


def lbfgs(canvas: nn.Module) -> LBFGS:
    """The optimiser for a picture: one L-BFGS update a step, with a line search.

    A step evaluates the loss about twice.
    """
    return LBFGS(
        canvas.parameters(),
        max_iter=1,
        max_eval=25,
        history_size=10,
        line_search_fn="strong_wolfe",
    )


def synthesize(
    style: Tensor,
    make_network: Callable[[Tensor], Callable[[Tensor], Sequence[Tensor]]],
    *,
    sizes: Sequence[int] = (24, 48, 96),
    steps: int = 50,
    tv_weight: float = 0.005,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A new picture of the style's texture, from noise, small first.

    At each side length in `sizes` the style is shrunk to it, `make_network(style)`
    makes the network for it, and the picture so far, enlarged, takes `steps` steps.

    Shapes: style (1, 3, S, S), S at least the last size -> (1, 3, s, s) in [0, 1],
        s the last size.
    Raises: ValueError if sizes are empty, do not rise or exceed the style, or style
        is not one square picture.
    """

    def make_trainer(canvas: Canvas, small: Tensor) -> StyleTrainer:
        network = make_network(small)
        return StyleTrainer(canvas, network, lbfgs(canvas), tv_weight=tv_weight)

    return grow(style, make_trainer, sizes=sizes, steps=steps, generator=generator)


def grow(
    style: Tensor,
    make_trainer: Callable[[Canvas, Tensor], Trainer],
    *,
    sizes: Sequence[int],
    steps: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A picture from noise in the style's colours, small first.

    At each side length in `sizes` the style is shrunk to it, `make_trainer` is given
    a canvas with the picture so far, enlarged, and the small style, and its trainer
    takes `steps` steps, each with the small style as its batch.

    Shapes: style (1, 3, S, S), S at least the last size -> (1, 3, s, s) in [0, 1],
        s the last size.
    Raises: ValueError if sizes are empty, do not rise or exceed the style, or style
        is not one square picture.
    """
    sizes = list(sizes)
    if style.dim() != 4 or len(style) != 1 or style.shape[2] != style.shape[3]:
        raise ValueError(
            f"style has shape {tuple(style.shape)}; give one square (1, 3, S, S)."
        )
    rising = all(a < b for a, b in zip(sizes, sizes[1:], strict=False))
    if not sizes or not rising or sizes[0] < 2 or sizes[-1] > style.shape[2]:
        raise ValueError(
            f"sizes are {sizes}; give rising side lengths of at most {style.shape[2]}."
        )
    picture = None
    for size in sizes:
        small = F.interpolate(style, (size, size), mode="area")
        if picture is None:
            noise = torch.randn(1, 3, size, size, generator=generator).to(style)
            picture = Palette(small).paint(noise)
        start = F.interpolate(picture, (size, size), mode="bicubic")
        canvas = Canvas(start, small)
        trainer = make_trainer(canvas, small)
        history = fit(trainer, [(small,)], steps=steps, progress=False)
        if history.interrupted:
            raise KeyboardInterrupt  # an unfinished picture is none
        picture = canvas.picture()
    return picture
