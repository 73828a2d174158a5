"""Captions of emoji: the class, and those words of the name that come often enough."""

import re
from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor

from companion.data.openmoji import EmojiData, EmojiSplit
from companion.data.wording import Vocabulary

OFTEN = 5  # drawings whose names a word must be in
LONGEST = 10  # words
UNSAID = ("skin", "tone", "and", "at", "for", "in", "of", "on", "s", "with")
SHOWN = 4  # times in an epoch that a drawing is shown, or more


@dataclass(frozen=True)
class EmojiCaptions:
    """How the pictures of a set of emoji are called, as "people woman dark".

    The words are those of the classes and those in the names of at least `often`
    drawings of the training split, whatever their number of variants. A skin tone is
    one word.

    Raises: ValueError if `often` is below 1.
    """

    vocabulary: Vocabulary
    classes: tuple[str, ...]

    @classmethod
    def of(cls, data: EmojiData, often: int = OFTEN) -> "EmojiCaptions":
        if often < 1:
            raise ValueError(f"often is {often}; give 1 drawing or more.")
        drawings = defaultdict(set)
        for name, base in zip(data.train.names, data.train.base, strict=True):
            for word in words_in(name):
                drawings[word].add(base)
        frequent = sorted(w for w, bases in drawings.items() if len(bases) >= often)
        of_classes = " ".join(data.classes).split()
        words = tuple(dict.fromkeys([*of_classes, *frequent]))
        return cls(Vocabulary(words, LONGEST), data.classes)

    def captions(self, split: EmojiSplit) -> list[str]:
        """The class of each picture and the known words of its name, in their order."""
        return [
            " ".join([self.classes[y], *self._known(name)][:LONGEST])
            for y, name in zip(split.y.tolist(), split.names, strict=True)
        ]

    def numbers(self, split: EmojiSplit) -> Tensor:
        """The same as numbers: (N, LONGEST)."""
        return self.vocabulary.batch(self.captions(split))

    def of_classes(self, y: Tensor) -> Tensor:
        """Captions that say the class alone: (N,) -> (N, LONGEST)."""
        return self.vocabulary.batch([self.classes[i] for i in y.tolist()])

    def _known(self, name: str) -> list[str]:
        return [word for word in words_in(name) if word in self.vocabulary.words]


def words_in(name: str) -> list[str]:
    """The words of an emoji's name, small, without those that say nothing alone."""
    words = re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", name.lower())
    return [word for word in words if word not in UNSAID]


def shown_evenly(split: EmojiSplit, least: int = SHOWN) -> Tensor:
    """Numbers of pictures, so that each drawing comes `least` times or more.

    A drawing with more variants than that comes once in each variant; of one with fewer
    the variants are repeated.

    Shapes: -> (M,) int64, from 0 to N - 1.
    """
    variants = defaultdict(list)
    for number, base in enumerate(split.base):
        variants[base].append(number)
    return torch.tensor(
        [
            number
            for numbers in variants.values()
            for number in numbers * -(-least // len(numbers))
        ]
    )
