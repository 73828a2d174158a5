"""Digits drawn pixel by pixel by the Row LSTM: its exact likelihood.

Settings and steps are those of the transformer, but for the learning rate of the
chapter on drawing.
"""

from dataclasses import dataclass

from companion.models.pixelrnn import PixelRNN
from companion.recipes.pixels_transformer import PixelsTransformer
from companion.workshop.recipe import setting


@dataclass(frozen=True, kw_only=True)
class PixelsRNN(PixelsTransformer):
    kind = PixelRNN

    lr: float = setting(8e-3, "highest learning rate")
