"""Digits read by an LSTM as 784 pixels in one fixed random order: its accuracy.

What is near in the picture is far in the sequence, so that only a long memory helps.
"""

from dataclasses import dataclass

from companion.recipes.pixel_classifier import PixelClassifier
from companion.workshop.recipe import setting


@dataclass(frozen=True, kw_only=True)
class PixelClassifierShuffled(PixelClassifier):
    shuffled: bool = setting(True, "read the pixels in one fixed random order")
