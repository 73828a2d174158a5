"""Digits by label: a conditional GAN, small enough to travel with the book.

The pair of the chapter on conditional GANs, trained longer: labels by conditional batch
normalisation and projection, the R1 penalty, an average of the weights that draws. The
settings were chosen by the judge's distance to other training images than those that
`judge` compares with. A generator half as wide again and a discriminator twice as wide,
at twice the time a step, were not better after 8,000 steps.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from companion.data import Batches, ImageData, crop, flip
from companion.models.cgan import ConditionalDCGANGenerator, ProjectionDiscriminator
from companion.trainers import GANTrainer, WeightAverage
from companion.workshop.judging import beside_neighbours, beside_real_digits
from companion.workshop.recipe import FOLDER, Recipe, Training, setting

BETAS = (0.5, 0.99)


@dataclass(frozen=True, kw_only=True)
class CGANDigits(Recipe):
    kind = ConditionalDCGANGenerator
    sets = ("digits", "fashion", "emoji", "icons", "cifar10", FOLDER)
    ships = True

    steps: int = setting(30_000, "optimiser steps")
    lr: float = setting(3e-3, "learning rate, of the first half")
    latent: int = setting(64, "numbers of noise")
    widths_G: tuple[int, ...] = setting((64, 32), "channels of the generator")
    widths_D: tuple[int, ...] = setting((32, 64), "channels of the discriminator")
    r1: float = setting(0.1, "weight of the R1 penalty", least=0)
    decay: float = setting(
        0.998, "of the average of the generator's weights", least=0, below=1
    )
    size: int = setting(32, "side of the pictures of emoji and of a folder")
    shift: int = setting(0, "pixels by which D sees all pictures moved", least=0)
    mirror: bool = setting(False, "whether half of the pictures are mirrored")

    def arguments(self, data: ImageData) -> dict[str, Any]:
        if len(data.classes) < 2:
            raise ValueError(
                f"{data.source} has one class, and labels need two or more: put the "
                "pictures of each class into a folder of its own."
            )
        return {
            "image_shape": list(data.train.x.shape[1:]),
            "widths": list(self.widths_G),
            "latent": self.latent,
            "subpixel": True,
            "num_classes": len(data.classes),
        }

    def training(self, network: nn.Module, data: ImageData) -> Training:
        G, x, y = network, data.train.x, data.train.y
        D = ProjectionDiscriminator(
            tuple(x.shape[1:]),
            self.widths_D,
            subpixel=True,
            num_classes=len(data.classes),
        ).to(x.device)
        opts = [Adam(net.parameters(), self.lr, BETAS, fused=True) for net in (G, D)]
        schedules = [LambdaLR(opt, self._rate) for opt in opts]
        average = WeightAverage(G, self.decay)
        trainer = GANTrainer(
            G,
            D,
            *opts,
            r1=self.r1,
            augment=partial(crop, padding=self.shift) if self.shift else None,
            average=average,
            schedule_G=schedules[0],
            schedule_D=schedules[1],
        )
        batches = Batches(
            x,
            y,
            batch_size=self.batch_size,
            augment=flip if self.mirror else None,
            seed=self.seed,
            drop_last=True,
        )
        return Training(trainer, batches, average.G)

    def _rate(self, step: int) -> float:
        """The share of `lr`: constant for the first half, then falling to 0."""
        return min(1.0, 2 - 2 * step / self.steps)

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        """Samples with the labels of 10,000 training images, beside these images.

        Without truncation or rejection. For other pictures than digits there is no
        judge: their nearest training pictures are looked at.
        """
        if self.data == "digits":
            return beside_real_digits(network, data)
        return beside_neighbours(network, data)
