"""DCGAN, one choice at a time: what each part of the chapter's pair brings on digits.

Each case changes one thing of the chapter's own pair, but that batch normalisation in D
takes the place of the penalty, which it forbids, and then comes with small weights of
both networks as well. Each has its own learning rate: of two, the one with the smaller
distance from the validation images after a short run with another seed. The rate is
constant for the first half of a training and then falls to zero. Samples are judged
beside test images: of the last and of the averaged weights, at the half, where the rate
is still constant, and at the end.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from companion.data import Batches, ImageData, digits
from companion.models.gan import DCGANDiscriminator, DCGANGenerator, init_dcgan
from companion.recipes.cures import falling
from companion.recipes.game import Measure, at_best_rate, both_measures, whole
from companion.trainers import GANTrainer, WeightAverage
from companion.workshop.recipe import Found, Study, setting

RATES = (1e-3, 3e-3)
BETAS = (0.5, 0.99)
# What each case changes: settings of G and D, their widths, R1, the initial weights.
CASES: dict[str, dict[str, Any]] = {
    "the pair": {},
    "without R1": {"r1": 0.0},
    "batch norm in D, no R1": {"D": {"batch_norm": True}, "r1": 0.0},
    "the same, weights of 0.02": {"D": {"batch_norm": True}, "r1": 0.0, "std": 0.02},
    "without the deviation": {"D": {"deviation": False}},
    "half the width": {"widths": (32, 16)},
    "transposed convolutions": {"G": {"resize": False}},
}


@dataclass(frozen=True, kw_only=True)
class DCGAN(Study):
    source = "MNIST"

    steps: int = setting(2000, "optimiser steps, an even number", least=2)
    tuning_steps: int = setting(500, "steps of the choice of a learning rate", least=2)
    seeds: int = setting(3, "pairs of each kind")
    batch_size: int = setting(64, "images a step")
    num_images: int = setting(2000, "images that the judge compares", least=100)
    r1: float = setting(0.1, "weight of the R1 penalty", least=0)
    decay: float = setting(0.998, "of the average of the weights", least=0, below=1)

    def find_out(self, device: torch.device) -> Found:
        return self.from_data(digits().to(device))

    def from_data(self, data: ImageData) -> Found:
        """For each case its learning rate, and the scores of each seed."""
        begun = time.perf_counter()
        measures = both_measures(data, self.num_images)
        cases: dict[str, Any] = {}
        for name, changes in CASES.items():
            run = partial(self.run, changes, data)
            cases[name] = at_best_rate(
                self,
                RATES,
                run,
                measures,
                lambda found: found["averaged, end"]["frechet"],
            )
            print(name, cases[name], flush=True)
        values = {"rates": RATES, "images": self.num_images, "cases": cases}
        a_case = len(RATES) * self.tuning_steps + self.seeds * self.steps
        steps = len(CASES) * a_case
        return Found(values, steps, time.perf_counter() - begun)

    def run(
        self,
        changes: dict[str, Any],
        data: ImageData,
        measure: Measure,
        lr: float,
        seed: int,
        steps: int,
    ) -> dict[str, Any]:
        """Scores of one training of a case, and its seconds."""
        trainer = self.trainer(changes, data, lr, seed, steps)
        x = data.train.x
        batches = Batches(x, batch_size=self.batch_size, seed=seed, drop_last=True)
        found: dict[str, Any] = {"seconds": 0.0}
        for at in ("half", "end"):
            history = whole(trainer, batches, steps=steps // 2)
            found["seconds"] = round(found["seconds"] + history.seconds, 1)
            for name, G in {"averaged": trainer.average.G, "last": trainer.G}.items():
                scores = measure(G)
                found[f"{name}, {at}"] = {
                    key: round(value, 4) for key, value in scores.items()
                }
        return found

    def trainer(
        self, changes: dict[str, Any], data: ImageData, lr: float, seed: int, steps: int
    ) -> GANTrainer:
        """The untrained pair of a case, ready to play."""
        G, D = (net.to(data.train.x.device) for net in pair(changes, seed))
        opts = [Adam(net.parameters(), lr, BETAS, fused=True) for net in (G, D)]
        schedules = [LambdaLR(opt, falling(steps)) for opt in opts]
        return GANTrainer(
            G,
            D,
            *opts,
            r1=changes.get("r1", self.r1),
            average=WeightAverage(G, self.decay),
            schedule_G=schedules[0],
            schedule_D=schedules[1],
        )


def pair(changes: dict[str, Any], seed: int) -> tuple[nn.Module, nn.Module]:
    """The untrained generator and discriminator of a case."""
    torch.manual_seed(seed)
    widths = changes.get("widths", (64, 32))
    G = DCGANGenerator(widths=widths, **{"resize": True} | changes.get("G", {}))
    settings = {"subpixel": True, "deviation": True} | changes.get("D", {})
    D = DCGANDiscriminator(widths=widths[::-1], **settings)
    if "std" in changes:
        for network in (G, D):
            init_dcgan(network, changes["std"])
    return G, D
