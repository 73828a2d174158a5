"""Digits by label: a conditional GAN, small enough to travel with the book.

The pair of the chapter on conditional GANs, trained longer: labels by conditional batch
normalisation and projection, the R1 penalty, an average of the weights that draws. The
settings were chosen by the judge's distance to other training images than those that
`judge` compares with. A generator half as wide again and a discriminator twice as wide,
at twice the time a step, were not better after 8,000 steps.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from companion.data import ImageData
from companion.models.cgan import ConditionalDCGANGenerator, ProjectionDiscriminator
from companion.recipes.gan_digits import GANDigits
from companion.workshop.recipe import num_classes, setting


@dataclass(frozen=True, kw_only=True)
class CGANDigits(GANDigits):
    kind = ConditionalDCGANGenerator
    ships = True

    steps: int = setting(30_000, "optimiser steps")

    def arguments(self, data: ImageData) -> dict[str, Any]:
        return {
            "image_shape": list(data.train.x.shape[1:]),
            "widths": list(self.widths_G),
            "latent": self.latent,
            "subpixel": True,
            "num_classes": num_classes(data),
        }

    def discriminator(self, data: ImageData) -> nn.Module:
        return ProjectionDiscriminator(
            tuple(data.train.x.shape[1:]),
            self.widths_D,
            subpixel=True,
            num_classes=len(data.classes),
        )

    def labels(self, data: ImageData) -> tuple[Tensor, ...]:
        return (data.train.y,)
