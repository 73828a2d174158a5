"""The judge of scenes: thing, colour and size of each half.

It sees one half at a time, so that it cannot mistake sides, and it learns from all
combinations of thing and colour, those that are held out from generators, too. The
digits of its scenes are training digits; the test scenes have test digits.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from companion.data import Batches, ImageData
from companion.data.scenes import CELL, NOTHING, Scenes, scenes
from companion.data.splits import Split
from companion.losses import cross_entropy
from companion.metrics import predict
from companion.metrics.captions import ATTRIBUTES, obeyed, read_scenes, sides_of
from companion.recipes.judge import AveragingTrainer, JudgeOfDigits
from companion.trainers.parts import advance, train_mode
from companion.workshop.recipe import Training, setting


class AttributesTrainer(AveragingTrainer):
    """A training for several answers at once: the sum of their cross-entropies.

    An empty half has no colour, size and height to be learned.
    """

    def takes(self, x: Tensor) -> dict[str, Any]:
        return {}

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        train_mode(self.model)
        answers = self.model(x).split(list(ATTRIBUTES.values()), dim=1)
        there = y[:, 0] != NOTHING
        loss = cross_entropy(answers[0], y[:, 0]).mean()
        for answer, wanted in zip(answers[1:], y.T[1:], strict=True):
            loss = loss + (cross_entropy(answer, wanted) * there).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        advance(self.schedule)
        self.average.update_parameters(self.model)
        return {"loss": loss}


@dataclass(frozen=True, kw_only=True)
class JudgeOfScenes(JudgeOfDigits):
    steps: int = setting(6_000, "optimiser steps", least=20)
    batch_size: int = setting(128, "halves of scenes a step")
    scenes: int = setting(40_000, "scenes to learn from, of both kinds together")

    def arguments(self, data: ImageData) -> dict[str, Any]:
        return {
            "image_shape": [3, CELL, CELL],
            "num_classes": sum(ATTRIBUTES.values()),
        }

    def training(self, network: nn.Module, data: ImageData) -> Training:
        judge = network.to(memory_format=torch.channels_last)
        opt = AdamW(judge.parameters(), self.lr, weight_decay=self.weight_decay)
        schedule = OneCycleLR(opt, self.lr, total_steps=self.steps, pct_start=0.2)
        trainer = AttributesTrainer(judge, opt, schedule, self.average_decay)
        both = both_kinds(self.scenes, data.train)
        device = data.train.x.device
        batches = Batches(
            torch.cat([sides_of(some.x) for some in both]).to(device),
            torch.cat([some.attributes.flatten(0, 1) for some in both]).to(device),
            batch_size=self.batch_size,
            seed=self.seed,
            drop_last=True,
        )
        return Training(trainer, batches, trainer.average.module)

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        values = {}
        for kind, some in zip(
            ("seen", "held_out"), both_kinds(10_000, data.test, seed=1), strict=True
        ):
            found = judged(network, some)
            values |= {f"{kind}_{name}": round(v, 4) for name, v in found.items()}
        return values


def both_kinds(n: int, images: Split, seed: int = 0) -> tuple[Scenes, Scenes]:
    """n scenes, nine in ten of them of combinations that come in training.

    That is about the share of the combinations that come.
    """
    held_out = max(n // 10, 1)
    return (
        scenes(n - held_out, images, seed=seed),
        scenes(held_out, images, held_out=True, seed=seed),
    )


def judged(network: nn.Module, some: Scenes) -> dict[str, float]:
    """How much of their captions the judge sees in real scenes."""
    device = next(network.parameters()).device
    return obeyed(seen_by(network, some.x.to(device)), some.attributes)


def seen_by(judge: nn.Module, x: Tensor) -> Tensor:
    """The attributes that a judge sees in scenes, on the CPU: (N, 2, 3)."""
    return predict(judge, x, function=lambda part: read_scenes(judge, part)).cpu()
