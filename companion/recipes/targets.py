"""Noise, picture or velocity: what a network that removes noise from digits should say.

One network, one path and one budget. Each target has its own learning rate: of two, the
one whose samples are nearer to the validation images after a short run with another
seed. The samples come from the averaged weights, by Heun's steps that begin a little
before t = 1, where a network that says the noise tells nothing of the picture. The
errors are those of the estimated picture, for test images with noise of several times:
all three networks' answers can be turned into one.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from companion.data import Batches, ImageData, digits
from companion.losses.diffusion import denoising_error
from companion.metrics import predict
from companion.models.diffusion import (
    Denoiser,
    ImageDenoiser,
    NoiseDenoiser,
    VelocityDenoiser,
    cosine,
)
from companion.models.sampling import draw, times_down
from companion.models.unet import TimeUNet
from companion.recipes.game import Measure, at_best_rate, both_measures, whole
from companion.trainers import WeightAverage
from companion.trainers.diffusion import DiffusionTrainer
from companion.workshop.recipe import Found, Study, setting

RATES = (2e-3, 6e-3)
BETAS = (0.9, 0.99)
FIRST = 0.99  # where the samples begin
TARGETS: dict[str, type[Denoiser]] = {
    "noise": NoiseDenoiser,
    "picture": ImageDenoiser,
    "velocity": VelocityDenoiser,
}
TIMES = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]


@dataclass(frozen=True, kw_only=True)
class Targets(Study):
    source = "MNIST"

    steps: int = setting(3000, "optimiser steps", least=2)
    tuning_steps: int = setting(500, "steps of the choice of a learning rate", least=2)
    seeds: int = setting(3, "networks for each target")
    batch_size: int = setting(32, "images a step")
    maps: tuple[int, ...] = setting((16, 32), "channels of the maps, largest first")
    num_images: int = setting(2000, "images that the judge compares", least=100)
    draw_steps: int = setting(10, "steps from noise to a picture")
    decay: float = setting(0.998, "of the average of the weights", least=0, below=1)

    def find_out(self, device: torch.device) -> Found:
        return self.from_data(digits().to(device))

    def from_data(self, data: ImageData) -> Found:
        """For each target its learning rate, the scores and errors of each seed."""
        begun = time.perf_counter()
        measures = both_measures(data, self.num_images)
        targets: dict[str, Any] = {}
        for name in TARGETS:
            run = partial(self.run, name, data)
            targets[name] = at_best_rate(
                self, RATES, run, measures, lambda found: found["frechet"]
            )
            print(name, targets[name], flush=True)
        values = {
            "rates": RATES,
            "images": self.num_images,
            "times": TIMES,
            "targets": targets,
        }
        a_target = len(RATES) * self.tuning_steps + self.seeds * self.steps
        return Found(values, len(TARGETS) * a_target, time.perf_counter() - begun)

    def run(
        self,
        target: str,
        data: ImageData,
        measure: Measure,
        lr: float,
        seed: int,
        steps: int,
    ) -> dict[str, Any]:
        """Scores and errors of one training, and its seconds."""
        trainer = self.trainer(target, data, lr, seed, steps)
        x = data.train.x
        batches = Batches(x, batch_size=self.batch_size, seed=seed, drop_last=True)
        history = whole(trainer, batches, steps=steps)
        denoiser = trainer.average.G
        scores = measure(Drawn(denoiser, self.draw_steps))
        found: dict[str, Any] = {name: round(v, 4) for name, v in scores.items()}
        found["errors"] = errors(denoiser, data.test.x[: self.num_images])
        found["seconds"] = round(history.seconds, 1)
        print(target, lr, seed, found, flush=True)
        return found

    def trainer(
        self, target: str, data: ImageData, lr: float, seed: int, steps: int
    ) -> DiffusionTrainer:
        """The untrained network of a target, ready to learn."""
        torch.manual_seed(seed)
        x = data.train.x
        network = TimeUNet(tuple(x.shape[1:]), self.maps)
        denoiser = TARGETS[target](network, cosine()).to(x.device)
        opt = AdamW(denoiser.parameters(), lr, BETAS, fused=True)
        return DiffusionTrainer(
            denoiser,
            opt,
            average=WeightAverage(denoiser, self.decay),
            schedule=OneCycleLR(opt, lr, total_steps=steps, pct_start=0.1),
        )


class Drawn:
    """A denoiser as a generator whose samples begin at the time FIRST."""

    def __init__(self, denoiser: Denoiser, steps: int):
        self.denoiser, self.steps = denoiser, steps

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        x = self.denoiser.noise(n, generator=generator)
        times = times_down(self.steps, first=FIRST).to(x.device)
        *_, (_, x, _) = draw(self.denoiser, x, times, heun=True)
        return self.denoiser.picture(x)


def errors(denoiser: Denoiser, x: Tensor) -> list[float]:
    """Mean squared error of the estimated picture at each of TIMES, in [-1, 1]."""
    signal = denoiser.signal(x)
    generator = torch.Generator(x.device).manual_seed(1)
    eps = torch.randn(x.shape, generator=generator, device=x.device)
    found = []
    for value in TIMES:
        t = torch.tensor(value, device=x.device)
        noisy = denoiser.path.noisy(signal, eps, t)
        image = predict(denoiser, noisy, function=lambda z, t=t: denoiser(z, t).image)
        found.append(float(f"{denoising_error(image, signal).mean().item():.4g}"))
    return found
