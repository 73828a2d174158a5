"""Clothes from styles: a small StyleGAN on Fashion-MNIST, without labels.

The discriminator and the average of weights are those of `gan_digits`. With its weight
of the penalty, 0.1, the discriminator won from the first hundred steps on.
"""

from dataclasses import dataclass
from typing import Any

from companion.data import ImageData
from companion.models.stylegan import StyleGenerator
from companion.recipes.gan_digits import GANDigits
from companion.workshop.recipe import setting


@dataclass(frozen=True, kw_only=True)
class StyleGANClothes(GANDigits):
    kind = StyleGenerator
    ships = True

    data: str = setting("fashion", "what to learn from")
    steps: int = setting(12_000, "optimiser steps")
    lr: float = setting(2e-3, "learning rate, of the first half")
    r1: float = setting(1.0, "weight of the R1 penalty", least=0)
    widths_G: tuple[int, ...] = setting((64, 32, 16), "channels of the generator")

    def arguments(self, data: ImageData) -> dict[str, Any]:
        return {
            "image_shape": list(data.train.x.shape[1:]),
            "widths": list(self.widths_G),
            "latent": self.latent,
        }
