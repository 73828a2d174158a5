"""Captions as numbers: a list of known words, and how long a caption may be."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from companion.nearest import nearest


@dataclass(frozen=True)
class Vocabulary:
    """The words that captions are made of; number 0 stands behind the end of each.

    Raises: ValueError without words, for a word twice, or longest below 1.
    """

    words: tuple[str, ...]
    longest: int

    def __post_init__(self) -> None:
        if not self.words or len(set(self.words)) < len(self.words):
            raise ValueError(
                f"There are {len(self.words)} words, {len(set(self.words))} of them "
                "different; give one or more, each once."
            )
        if self.longest < 1:
            raise ValueError(f"longest is {self.longest}; give 1 word or more.")

    def __len__(self) -> int:
        """How many numbers there are, 0 among them."""
        return len(self.words) + 1

    def numbers(self, caption: str) -> Tensor:
        """The numbers of a caption's words: (longest,) int64, 0 behind its end.

        Raises: ValueError for an unknown word, naming the nearest, or too many words.
        """
        words = caption.lower().split()
        for word in words:
            if word not in self.words:
                raise ValueError(
                    f"The word {word!r} is not known{nearest(word, self.words)}"
                )
        if len(words) > self.longest:
            raise ValueError(
                f"There are {len(words)} words; give at most {self.longest}."
            )
        numbers = torch.zeros(self.longest, dtype=torch.int64)
        for place, word in enumerate(words):
            numbers[place] = 1 + self.words.index(word)
        return numbers

    def batch(self, captions: Sequence[str]) -> Tensor:
        """The numbers of several captions: (B, longest).

        Raises: ValueError without captions; as `numbers`.
        """
        if not captions:
            raise ValueError("There are no captions; give one or more.")
        return torch.stack([self.numbers(caption) for caption in captions])

    def text(self, numbers: Tensor) -> str:
        """The reverse of `numbers`, of one caption."""
        return " ".join(self.words[i - 1] for i in numbers.tolist() if i)
