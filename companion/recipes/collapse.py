"""Cures for mode collapse on digits, compared with equal care.

The small convolutional pair of the chapter on DCGAN, without its average of weights
and without R1 unless that is the cure. Each cure has its own learning rate: of three,
the one with the smallest relative Frechet distance after a short run of the first seed.
With it follow other seeds. The judge compares the samples with validation images to
choose, and with test images to report.
"""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from companion.data import Batches, ImageData, digits
from companion.data.mnist import FULL_SOURCE
from companion.metrics import class_coverage, predict, relative_frechet_distance
from companion.models.gan import DCGANDiscriminator, DCGANGenerator
from companion.models.judge import load_judge
from companion.recipes.cures import N_CRITIC, Cure, trainer_of
from companion.trainers import fit
from companion.workshop.recipe import Found, Study, setting

RATES = (1e-3, 2e-3, 4e-3)
CURES = {
    "beta 0.9": Cure(),
    "0.9, D 4 x as fast": Cure(faster=4),
    "0.9, R1 of 1": Cure(r1=1),
    "beta 0.5": Cure(0.5),
    "0.5, R1 of 1": Cure(0.5, r1=1),
    "beta 0": Cure(0.0),
    "penalty of 10, short": Cure(lambda_gp=10, length=1 / N_CRITIC),
}


@dataclass(frozen=True, kw_only=True)
class Collapse(Study):
    source = FULL_SOURCE

    steps: int = setting(1200, "steps of a generator", least=10)
    tuning_steps: int = setting(400, "steps of it, to choose a learning rate", least=10)
    seeds: int = setting(3, "networks of each kind to compare")
    batch_size: int = setting(64, "images a step")
    num_images: int = setting(2000, "images that the judge compares", least=320)

    def find_out(self, device: torch.device) -> Found:
        """For each cure its learning rate, distances and coverage."""
        return self.compare(digits("full"), device)

    def compare(self, data: ImageData, device: torch.device) -> Found:
        """The same for other digits."""
        begun, all_steps = time.perf_counter(), 0
        data, judge = data.to(device), load_judge(device)
        cases: list[dict[str, Any]] = []
        for label, cure in CURES.items():
            tuning = {}
            for lr in RATES:
                try:
                    x = self._samples(cure, lr, self.seed, self.tuning_steps, data)
                except FloatingPointError:
                    continue
                tuning[lr] = self._judged(x, data.validation.x, judge)["frechet"]
            if not tuning:
                raise FloatingPointError(f"No learning rate of {RATES} suits {label}.")
            lr = min(tuning, key=tuning.__getitem__)
            runs = []
            for seed in range(self.seed + 1, self.seed + 1 + self.seeds):
                x = self._samples(cure, lr, seed, self.steps, data)
                runs.append(self._judged(x, data.test.x, judge))
            cases.append(
                {
                    "cure": label,
                    "lr": lr,
                    "steps": cure.updates(self.steps),
                    "tuning": {f"{rate:g}": value for rate, value in tuning.items()},
                    **{key: [run[key] for run in runs] for key in runs[0]},
                }
            )
            all_steps += cure.updates(self.tuning_steps) * len(RATES)
            all_steps += cure.updates(self.steps) * self.seeds
            print(cases[-1], flush=True)
        values = {"images": self.num_images, "rates": RATES, "cases": cases}
        return Found(values, all_steps, time.perf_counter() - begun)

    def _samples(
        self, cure: Cure, lr: float, seed: int, length: int, data: ImageData
    ) -> Tensor:
        """What a generator draws after its training."""
        torch.manual_seed(seed)
        x = data.train.x
        G = DCGANGenerator(tuple(x.shape[1:]), subpixel=True).to(x.device)
        D = DCGANDiscriminator(tuple(x.shape[1:]), subpixel=True).to(x.device)
        batches = Batches(x, batch_size=self.batch_size, seed=seed, drop_last=True)
        trainer = trainer_of(cure, G, D, lr, length)
        steps = cure.updates(length)
        if fit(trainer, batches, steps=steps, progress=False).interrupted:
            raise KeyboardInterrupt  # half a study is none
        generator = torch.Generator(x.device).manual_seed(seed)
        return G.sample(self.num_images, generator=generator)

    def _judged(self, x: Tensor, real: Tensor, judge: torch.nn.Module) -> dict:
        real = real[: self.num_images]
        ours, theirs = (predict(judge, z, function=judge.features) for z in (real, x))
        y, y_fake = (predict(judge, z).argmax(dim=1) for z in (real, x))
        return {
            "frechet": round(relative_frechet_distance(ours, theirs), 4),
            "covered": round(class_coverage(y, y_fake, 10), 2),
        }
