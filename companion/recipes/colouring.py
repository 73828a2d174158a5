"""Outlines coloured with and without a game, for two weights of the L1 error."""

import time
from dataclasses import dataclass
from typing import Any

import torch

from companion.data import emoji
from companion.data.openmoji import EmojiData
from companion.models.translation import UNet
from companion.recipes.colours import game, painted, pairs, regression
from companion.recipes.game import whole
from companion.workshop.recipe import Found, Study, setting

# The weight of the L1 error beside the game; None is no game.
CASES: dict[str, float | None] = {
    "L1 alone": None,
    "game, weight 10": 10.0,
    "game, weight 1": 1.0,
}


@dataclass(frozen=True, kw_only=True)
class Colouring(Study):
    source = "OpenMoji"

    steps: int = setting(1500, "optimiser steps", least=2)
    seeds: int = setting(3, "trainings of each case")
    batch_size: int = setting(16, "pairs a step")
    lr: float = setting(2e-3, "learning rate, of the first half")
    r1: float = setting(0.1, "weight of the R1 penalty", least=0)
    size: int = setting(32, "side of the pictures")

    def find_out(self, device: torch.device) -> Found:
        return self.from_data(emoji(self.size).to(device))

    def from_data(self, data: EmojiData) -> Found:
        """For each case the scores of each seed, on test pictures."""
        begun = time.perf_counter()
        cases: dict[str, Any] = {}
        for name, weight in CASES.items():
            runs = [
                self.run(weight, data, seed)
                for seed in range(self.seed, self.seed + self.seeds)
            ]
            cases[name] = {key: [run[key] for run in runs] for key in runs[0]}
            print(name, cases[name], flush=True)
        steps = len(CASES) * self.seeds * self.steps
        return Found({"cases": cases}, steps, time.perf_counter() - begun)

    def run(
        self, weight: float | None, data: EmojiData, seed: int
    ) -> dict[str, float | None]:
        """Scores of one training; of a game also the last loss of D."""
        torch.manual_seed(seed)
        G = UNet(1, 3).to(data.train.x.device)
        if weight is None:
            trainer = regression(G, self.lr, self.steps)
        else:
            trainer = game(G, self.lr, self.steps, weight, self.r1)
        batches = pairs(data, self.batch_size, seed)
        history = whole(trainer, batches, steps=self.steps)
        last = None if weight is None else round(history["loss_D"][-1], 4)
        return painted(G, data.test) | {"loss_D": last}
