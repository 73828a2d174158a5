"""Small scenes and their captions: things in colours and sizes, left and right."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from companion.data.mnist import digits
from companion.data.moving import paint
from companion.data.splits import Split
from companion.data.wording import Vocabulary
from companion.nearest import nearest

CELL = 16  # pixels a side of either half of a scene
DIGITS = (
    *("zero", "one", "two", "three", "four"),
    *("five", "six", "seven", "eight", "nine"),
)
SHAPES = ("circle", "square", "triangle", "ring", "cross")
THINGS = (*DIGITS, *SHAPES)
COLORS = {
    "red": (0.85, 0.1, 0.15),
    "orange": (0.95, 0.55, 0.05),
    "yellow": (0.9, 0.8, 0.0),
    "green": (0.1, 0.6, 0.25),
    "blue": (0.1, 0.35, 0.85),
    "purple": (0.55, 0.2, 0.65),
}
SIZES = {"small": 10, "large": 15}  # pixels a side
SIDES = ("left", "right")
NOTHING = len(THINGS)  # in place of a thing
VOCABULARY = Vocabulary(
    ("a", "and", "on", "the", *SIZES, *COLORS, *THINGS, *SIDES),
    longest=15,  # as many words has a caption with two things
)


@dataclass(frozen=True, eq=False)
class Scenes:
    """Pictures, the words of their captions, and what the words say.

    Shapes: x (N, 3, 16, 32) in [0, 1]; words (N, 15) int64, numbers of VOCABULARY;
        attributes (N, 2, 3) int64: of what is left and right the numbers of its thing
        (NOTHING, if nothing is there), colour and size.
    """

    x: Tensor
    words: Tensor
    attributes: Tensor

    @property
    def captions(self) -> list[str]:
        """As text."""
        return [VOCABULARY.text(row) for row in self.words]


def scenes(
    n: int,
    images: Split | None = None,
    *,
    held_out: bool = False,
    things: Sequence[str] = THINGS,
    seed: int = 0,
) -> Scenes:
    """n scenes with one thing or two, one of them left and the other right.

    A thing is a handwritten digit out of `images` (without: the training digits) or a
    shape. Of each thing and colour together one combination in nine never comes, see
    `is_held_out`; with `held_out` only these come. With `things` only these are shown.

    Raises: ValueError if n is below 1, images lack a digit, or things are unknown or
        have no combination of the wanted kind.
    """
    if n < 1:
        raise ValueError(f"n is {n}; ask for 1 scene or more.")
    images = digits().train if images is None else images
    g = torch.Generator().manual_seed(seed)
    attributes = _random_attributes(n, held_out, things, g)
    halves = []
    for side in attributes.unbind(dim=1):
        masks = _placed(_masks(side[:, 0], images, g), side, g)
        colors = torch.tensor(list(COLORS.values()))[side[:, 1], :, None, None]
        halves.append(torch.lerp(torch.ones(()), colors, masks))
    words = VOCABULARY.batch([_caption(row) for row in attributes.tolist()])
    return Scenes(torch.cat(halves, dim=3), words, attributes)


def is_held_out(thing: Tensor, color: Tensor) -> Tensor:
    """Which combinations of a thing and a colour are kept for testing.

    Each thing and each colour comes in others.

    Shapes: thing and color int64, of one shape -> bool.
    """
    return (thing + 4 * color) % 9 == 0


# Each in one colour; to compare with, the same things in the other colours.
HELD_OUT_THINGS = tuple(
    name
    for thing, name in enumerate(THINGS)
    if is_held_out(torch.tensor(thing), torch.arange(len(COLORS))).any()
)


def _caption(sides: list[list[int]]) -> str:
    phrases = [
        f"a {list(SIZES)[size]} {list(COLORS)[color]} {THINGS[thing]} on the {side}"
        for side, (thing, color, size) in zip(SIDES, sides, strict=True)
        if thing != NOTHING
    ]
    return " and ".join(phrases)


def _random_attributes(
    n: int, held_out: bool, things: Sequence[str], g: torch.Generator
) -> Tensor:
    for thing in things:
        if thing not in THINGS:
            raise ValueError(
                f"The thing {thing!r} is not known{nearest(thing, THINGS)}"
            )
    pairs = torch.cartesian_prod(torch.arange(len(THINGS)), torch.arange(len(COLORS)))
    pairs = pairs[is_held_out(*pairs.T) == held_out]
    wanted = torch.tensor([THINGS.index(thing) for thing in things])
    pairs = pairs[torch.isin(pairs[:, 0], wanted)]
    if not len(pairs):
        raise ValueError(
            f"things are {tuple(things)}, and none has a combination with held_out="
            f"{held_out}; add others, as of HELD_OUT_THINGS."
        )
    chosen = pairs[torch.randint(len(pairs), (n, 2), generator=g)]
    sizes = torch.randint(len(SIZES), (n, 2, 1), generator=g)
    attributes = torch.cat([chosen, sizes], dim=2)
    # Both, only the left one or only the right one, equally often.
    alone = torch.randint(3, (n,), generator=g)
    for side in range(2):
        attributes[alone == side + 1, side] = torch.tensor([NOTHING, 0, 0])
    return attributes


def _masks(things: Tensor, images: Split, g: torch.Generator) -> Tensor:
    """How much of each of 22 x 22 pixels a thing covers: (n, 1, 22, 22)."""
    masks = torch.zeros(len(things), 1, 22, 22)
    y = images.y.cpu()
    for thing in range(len(THINGS)):
        which = (things == thing).nonzero().flatten()
        if thing >= len(DIGITS):
            masks[which] = _shape(THINGS[thing])
            continue
        rows = (y == thing).nonzero().flatten()
        if not len(rows):
            raise ValueError(f"images hold no {DIGITS[thing]}; give all ten digits.")
        drawn = rows[torch.randint(len(rows), (len(which),), generator=g)]
        masks[which] = images.x[drawn.to(images.x.device)].cpu()[:, :, 3:-3, 3:-3]
    return masks


def _shape(name: str) -> Tensor:
    """A filled shape, smooth at the edge: (22, 22)."""
    fine = 4  # places in a pixel, a side
    at = (torch.arange(22 * fine) + 0.5) / (11 * fine) - 1
    v, u = at[:, None], at[None]
    radius = (u.square() + v.square()).sqrt()
    inside = {
        "circle": radius < 0.9,
        "square": torch.maximum(u.abs(), v.abs()) < 0.8,
        "triangle": (v < 0.85) & (2 * u.abs() < v + 0.95),
        "ring": (radius < 0.95) & (radius > 0.55),
        "cross": (torch.minimum((u - v).abs(), (u + v).abs()) < 0.35)
        & (torch.maximum(u.abs(), v.abs()) < 0.9),
    }[name]
    return F.avg_pool2d(inside.float()[None], fine)[0]


def _placed(masks: Tensor, things: Tensor, g: torch.Generator) -> Tensor:
    """Masks in their size and at a place in their half: (n, 1, 16, 16)."""
    largest = max(SIZES.values())
    images = torch.zeros(len(masks), 1, largest, largest)
    sides = torch.tensor(list(SIZES.values()))[things[:, 2]]
    for pixels in SIZES.values():
        resized = F.interpolate(
            masks, (pixels, pixels), mode="bilinear", antialias=True
        )
        rows = sides == pixels
        images[rows, :, :pixels, :pixels] = resized[rows]
    images = (1.3 * images).clamp(max=1)  # thin strokes grew pale
    images[things[:, 0] == NOTHING] = 0
    corners = (CELL - sides)[:, None] * torch.rand(len(masks), 2, generator=g)
    return paint(images[:, None], corners[:, None, None], CELL)[:, 0]
