"""A flow that draws digits by label: constant and falling learning rate, and its loss.

Every learning rate is trained with every seed, once constant and once falling, after
the same rise; nothing is chosen. Each network is looked at twice: its last weights, and
the average of its weights. The losses are means over test images at fixed times, with
fixed noise. One network, the average of the first seed at the smaller rate, is also
looked at on the way.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from companion.data import Batches, ImageData, Split, digits
from companion.losses.diffusion import denoising_error, logit_normal_times
from companion.models.diffusion import Denoiser
from companion.models.unet import UNetFlow
from companion.recipes.game import Measure, measured_by, whole
from companion.recipes.targets import BETAS, RATES, TIMES
from companion.runtime import evaluating
from companion.trainers import WeightAverage
from companion.trainers.diffusion import DiffusionTrainer
from companion.workshop.recipe import Found, Study, check_rising, setting

RISE = 0.1  # share of the steps in which the learning rate rises
SCHEDULES = ("constant", "falling")


@dataclass(frozen=True, kw_only=True)
class FlowRates(Study):
    source = "MNIST"

    steps: int = setting(1200, "optimiser steps", least=20)
    seeds: int = setting(3, "networks for each learning rate and schedule")
    batch_size: int = setting(32, "images a step")
    maps: tuple[int, ...] = setting((16, 32), "channels of the maps, largest first")
    num_images: int = setting(2000, "images that the judge compares", least=100)
    loss_images: int = setting(1000, "images that the losses are means over")
    draw_steps: int = setting(8, "Heun's steps from noise to a picture")
    decay: float = setting(0.998, "of the average of the weights", least=0, below=1)
    looks: tuple[int, ...] = setting((100, 200, 400, 800), "steps of the early looks")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rising(self, "looks")
        if self.looks[-1] >= self.steps:
            raise ValueError(
                f"--looks is {self.looks!r}; give steps below --steps {self.steps}."
            )

    def find_out(self, device: torch.device) -> Found:
        return self.from_data(digits().to(device))

    def from_data(self, data: ImageData) -> Found:
        """What is seen of each network at its end, and of one on its way."""
        begun = time.perf_counter()
        real = data.test.take(self.num_images)
        measure, runs = measured_by(real.x), []
        for schedule in SCHEDULES:
            for lr in RATES:
                for seed in range(self.seed, self.seed + self.seeds):
                    trainer = self.trainer(data, schedule, lr, seed)
                    look = partial(self.look, real=real, measure=measure)
                    seen = Seen(trainer, look, () if runs else self.looks)
                    whole(seen, self.batches(data, seed), steps=self.steps)
                    run: dict[str, Any] = {"schedule": schedule, "lr": lr, "seed": seed}
                    for name, denoiser in (
                        ("last", trainer.denoiser),
                        ("average", trainer.average.G),
                    ):
                        run[name] = look(denoiser)
                    if not runs:
                        way = seen.found | {str(self.steps): run["average"]}
                    runs.append(run)
                    print(run, flush=True)
        values = {
            "rates": RATES,
            "images": self.num_images,
            "times": TIMES,
            "runs": runs,
            "on the way": way,
        }
        return Found(values, len(runs) * self.steps, time.perf_counter() - begun)

    def look(self, denoiser: Denoiser, real: Split, measure: Measure) -> dict[str, Any]:
        """The judge's scores of samples, and the loss at each of TIMES."""
        drawn = partial(denoiser.sample, steps=self.draw_steps)
        scores = measure(SimpleNamespace(sample=drawn))
        found: dict[str, Any] = {name: round(v, 4) for name, v in scores.items()}
        some = real.x[: self.loss_images], real.y[: self.loss_images]
        return found | {"losses": losses(denoiser, *some)}

    def trainer(
        self, data: ImageData, schedule: str, lr: float, seed: int
    ) -> DiffusionTrainer:
        """An untrained network, ready to learn."""
        torch.manual_seed(seed)
        x = data.train.x
        network = UNetFlow(
            tuple(x.shape[1:]), widths=self.maps, num_classes=len(data.classes)
        )
        network.to(x.device)
        opt = AdamW(network.parameters(), lr, BETAS, fused=True)
        return DiffusionTrainer(
            network,
            opt,
            times=logit_normal_times,
            average=WeightAverage(network, self.decay),
            schedule=scheduled(schedule, opt, lr, self.steps),
        )

    def batches(self, data: ImageData, seed: int) -> Batches:
        x, y = data.train.x, data.train.y
        return Batches(x, y, batch_size=self.batch_size, seed=seed, drop_last=True)


class Seen:
    """A trainer whose averaged weights are looked at after some of its steps."""

    def __init__(
        self,
        trainer: DiffusionTrainer,
        look: Callable[[Denoiser], dict[str, Any]],
        when: Sequence[int],
    ):
        self.trainer, self.takes = trainer, trainer.takes
        self.look, self.when, self.done = look, when, 0
        self.found: dict[str, Any] = {}

    def step(self, *batch: Tensor) -> dict[str, Tensor]:
        terms = self.trainer.step(*batch)
        self.done += 1
        if self.done in self.when:
            self.found[str(self.done)] = self.look(self.trainer.average.G)
            print(self.done, self.found[str(self.done)], flush=True)
        return terms


def scheduled(name: str, opt: Optimizer, lr: float, steps: int) -> LRScheduler:
    """After a rise the rate stays, or falls to nearly 0 along a cosine."""
    if name == "falling":
        return OneCycleLR(opt, lr, total_steps=steps, pct_start=RISE)
    return LambdaLR(opt, lambda step: min(1.0, (step + 1) / (RISE * steps)))


def losses(denoiser: Denoiser, x: Tensor, y: Tensor) -> list[float]:
    """Mean squared error of the network's answer at each of TIMES, for fixed noise."""
    signal = denoiser.signal(x)
    generator = torch.Generator(x.device).manual_seed(1)
    eps = torch.randn(x.shape, generator=generator, device=x.device)
    found = []
    with evaluating(denoiser):
        for value in TIMES:
            t = torch.tensor(value, device=x.device)
            noisy = denoiser.path.noisy(signal, eps, t)
            said = torch.cat(
                [
                    denoiser.says(part, t, labels)
                    for part, labels in zip(noisy.split(500), y.split(500), strict=True)
                ]
            )
            error = denoising_error(said, denoiser.target(signal, eps, t))
            found.append(round(error.mean().item(), 5))
    return found
