"""Digits drawn pixel by pixel by the gated PixelCNN: its exact likelihood.

Settings and steps are those of the transformer, but for the learning rate of the
chapter on drawing.
"""

from dataclasses import dataclass

from companion.models.pixelcnn import PixelCNN
from companion.recipes.pixels_transformer import PixelsTransformer
from companion.workshop.recipe import setting


@dataclass(frozen=True, kw_only=True)
class PixelsCNN(PixelsTransformer):
    kind = PixelCNN

    lr: float = setting(8e-3, "highest learning rate")
