"""Outlines to be coloured: things whose colours the outline does not tell."""

from itertools import permutations

import torch
from torch import Generator, Tensor

from companion.data.augmentation import crop, flip
from companion.data.openmoji import CLASSES, EmojiSplit

THINGS = ("nature", "food", "travel", "objects", "symbols")  # nobody's skin
ORDERS = tuple(permutations(range(3)))  # of red, green and blue


def outlined(split: EmojiSplit) -> tuple[Tensor, Tensor]:
    """The outlines and the colour pictures of THINGS.

    Shapes: -> (N, 1, S, S) and (N, 3, S, S), in the order of the split.
    """
    wanted = torch.tensor([CLASSES.index(name) for name in THINGS])
    rows = torch.isin(split.y.cpu(), wanted).to(split.x.device)
    return split.outlines()[rows], split.x[rows]


def exchange(x: Tensor, *, generator: Generator | None = None) -> Tensor:
    """Put the three channels of each picture into one of their six orders, at random.

    Black, white and grey stay as they are; red becomes red, green or blue.

    Shapes: x (B, 3, H, W) -> the same.
    Raises: ValueError for pictures without three channels.
    """
    if x.dim() != 4 or x.shape[1] != 3:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; give colour pictures, (B, 3, H, W)."
        )
    chosen = torch.randint(len(ORDERS), (len(x),), generator=generator, device=x.device)
    orders = torch.tensor(ORDERS, device=x.device)[chosen]
    return x.gather(1, orders[:, :, None, None].expand_as(x))


def recoloured(both: Tensor, *, generator: Generator | None = None) -> Tensor:
    """Outline and picture, in the channels of one: mirrored, moved, and coloured anew.

    An augmentation for PairBatches: both are moved alike, by up to two pixels, and the
    channels of the picture are exchanged.

    Shapes: both (B, 4, H, W) -> the same.
    """
    both = crop(flip(both, generator=generator), 2, generator=generator)
    return torch.cat([both[:, :1], exchange(both[:, 1:], generator=generator)], dim=1)
