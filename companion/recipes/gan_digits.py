"""Digits without labels: a deep convolutional GAN, trained until it draws them well.

The pair of the chapter on DCGAN, with its penalty, the deviation of the batch and the
average of weights that draws. The settings were chosen by the judge's distance to
other training images than those that `judge` compares with.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from companion.data import Batches, ImageData, crop, flip
from companion.models.gan import DCGANDiscriminator, DCGANGenerator
from companion.recipes.cures import falling
from companion.trainers import GANTrainer, WeightAverage
from companion.workshop.judging import scores_of_samples
from companion.workshop.recipe import FOLDER, Recipe, Training, setting

BETAS = (0.5, 0.99)


@dataclass(frozen=True, kw_only=True)
class GANDigits(Recipe):
    kind = DCGANGenerator
    sets = ("digits", "fashion", "emoji", "icons", "cifar10", FOLDER)
    ships = True

    steps: int = setting(40_000, "optimiser steps")
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
        return {
            "image_shape": list(data.train.x.shape[1:]),
            "widths": list(self.widths_G),
            "latent": self.latent,
            "resize": True,
        }

    def discriminator(self, data: ImageData) -> nn.Module:
        """The network that the generator plays against; it is not kept."""
        shape = tuple(data.train.x.shape[1:])
        return DCGANDiscriminator(shape, self.widths_D, subpixel=True, deviation=True)

    def labels(self, data: ImageData) -> tuple[Any, ...]:
        """What the networks are told beside the images."""
        return ()

    def training(self, network: nn.Module, data: ImageData) -> Training:
        G, x = network, data.train.x
        D = self.discriminator(data).to(x.device)
        opts = [Adam(net.parameters(), self.lr, BETAS, fused=True) for net in (G, D)]
        schedules = [LambdaLR(opt, falling(self.steps)) for opt in opts]
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
            *self.labels(data),
            batch_size=self.batch_size,
            augment=flip if self.mirror else None,
            seed=self.seed,
            drop_last=True,
        )
        return Training(trainer, batches, average.G)

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        return scores_of_samples(network, data, self.data)
