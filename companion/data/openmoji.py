"""OpenMoji's colour pictures in ten classes, with skin tones and words."""

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch
from torch import Tensor

from companion.data.glyphs import draw_emoji, draw_outlines
from companion.data.splits import ImageData, Split, mixed_order, to_split

CLASSES = (
    "faces",
    "people",
    "activity",
    "body parts",
    "nature",
    "food",
    "travel",
    "objects",
    "symbols",
    "flags",
)
SKIN_TONES = ("none", "light", "medium-light", "medium", "medium-dark", "dark")
HELD_OUT = 15  # bases of a class in validation, and in test; at most a quarter of it
CREDIT = "OpenMoji, CC BY-SA 4.0"


@dataclass(frozen=True, eq=False)
class EmojiSplit(Split):
    """Pictures with class, skin tone, name, code points and base.

    Pictures with one base are variants of one drawing: skin tone, gender, direction.

    Shapes: x (N, 3, S, S); y and skin (N,) int64, skin from 0 (none) to 5 (dark), in
        the order of SKIN_TONES; names, codes and base N strings each.
    Raises: as `Split`, also for skin, names, codes or base of another length.
    """

    skin: Tensor
    names: tuple[str, ...]
    codes: tuple[str, ...]
    base: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("skin", "names", "codes", "base"):
            if len(getattr(self, name)) != len(self.x):
                raise ValueError(
                    f"{name} has length {len(getattr(self, name))}, but there are "
                    f"{len(self.x)} pictures; give one each."
                )

    def outlines(self) -> Tensor:
        """The black lines of the same pictures on white, drawn at each call.

        Shapes: -> (N, 1, S, S) float32 in [0, 1], on the device of x.
        """
        pictures = draw_outlines(self.codes, self.x.shape[-1])
        return torch.from_numpy(pictures).to(self.x.device).float() / 255


@dataclass(frozen=True, eq=False)
class EmojiData(ImageData):
    """A set of emoji: as ImageData, with EmojiSplit as splits."""

    train: EmojiSplit
    validation: EmojiSplit
    test: EmojiSplit


def emoji(size: int = 32, division: int = 0) -> EmojiData:
    """Colour pictures on white, drawn from OpenMoji's font, in ten classes.

    The variants of one drawing (skin tone, gender, direction) share a base and are in
    the same split. Of each class 15 bases are for validation and 15 for test, of a
    small class a quarter of its bases each; the others are for training. Of pictures
    that are identical at this size only the first is kept. Any leading part of a
    split holds the classes in fair shares. `division` is the seed by which the bases
    are divided: with others than 0 a result can be had several times.

    Shapes: x (N, 3, size, size).
    Raises: ValueError for a size below 8, a division outside 0..2**32-1, or if the
        installed font lacks a picture.
    Source: OpenMoji 17.0, https://openmoji.org, CC BY-SA 4.0.
    """
    if not isinstance(division, int) or not 0 <= division < 2**32:
        raise ValueError(
            f"division is {division}; give a whole number from 0 to 2**32 - 1."
        )
    table = _table()
    pictures = _pictures(size)
    first: dict[bytes, int] = {}
    kept = np.array(
        [
            first.setdefault(picture.tobytes(), i) == i
            for i, picture in enumerate(pictures)
        ]
    )
    labels = np.array([CLASSES.index(row["class"]) for row in table])
    part = _parts(tuple(row["base"] for row in table), labels, division)
    splits = []
    for number in range(3):
        members = np.flatnonzero(kept & (part == number))
        members = members[mixed_order(labels[members])]
        images = to_split(pictures, labels, members)
        rows = [table[i] for i in members]
        splits.append(
            EmojiSplit(
                x=images.x,
                y=images.y,
                skin=torch.tensor([int(row["skin"]) for row in rows]),
                names=tuple(row["name"] for row in rows),
                codes=tuple(row["code"] for row in rows),
                base=tuple(row["base"] for row in rows),
            )
        )
    return EmojiData(*splits, classes=CLASSES, source=CREDIT)


@lru_cache(maxsize=1)
def _table() -> list[dict[str, str]]:
    text = (files("companion.data") / "openmoji.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


@lru_cache(maxsize=2)
def _pictures(size: int) -> np.ndarray:
    """All pictures of the table; drawing them takes seconds."""
    return draw_emoji(tuple(row["code"] for row in _table()), size)


def _parts(bases: tuple[str, ...], labels: np.ndarray, seed: int) -> np.ndarray:
    """0, 1 or 2 (training, validation, test) for each picture: the same for a base.

    A base has 1 to 108 pictures, which are right or wrong together: what a split can
    tell depends on its number of bases, so these are what is counted.
    """
    label_of = dict(zip(bases, labels, strict=True))
    names = np.array(sorted(label_of))
    names = names[np.random.RandomState(seed).permutation(len(names))]
    part_of = dict.fromkeys(label_of, 0)
    for label in np.unique(labels):
        members = [name for name in names if label_of[name] == label]
        n = min(len(members) // 4, HELD_OUT)
        part_of |= dict.fromkeys(members[:n], 1) | dict.fromkeys(members[n : 2 * n], 2)
    return np.array([part_of[base] for base in bases])
