"""What a network makes of captions: as they are, without their order, and as a mean.

One network and one budget. In the first case it reads the words as they stand; in the
second they are sorted, so that nothing tells which colour belongs to which thing; in
the third no place of the maps asks for words, and only their mean is told. Pictures are
drawn for captions whose combinations of thing and colour came in training and for those
that were held out; the judge of scenes says how much it sees. The rival draws nothing:
it takes the training scene whose caption agrees most with what was asked for.
"""

import time
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

from companion.data import ImageData, digits
from companion.data.scenes import CELL, VOCABULARY, Scenes, scenes
from companion.metrics.captions import obeyed
from companion.models.words import WordFlow
from companion.pretrained import pretrained
from companion.recipes.flow_digits import flow_training
from companion.recipes.flow_scenes import later_times, obeyed_by
from companion.recipes.game import whole
from companion.recipes.judge_scenes import seen_by
from companion.workshop.recipe import Found, Study, setting

CASES = ("words", "sorted", "mean")


@dataclass(frozen=True, kw_only=True)
class Captions(Study):
    source = "MNIST"

    steps: int = setting(2500, "optimiser steps", least=2)
    seeds: int = setting(3, "networks for each case")
    batch_size: int = setting(32, "images a step")
    lr: float = setting(4e-3, "highest learning rate")
    maps: tuple[int, ...] = setting((24, 48), "channels of the maps, largest first")
    drop: float = setting(0.1, "share of dropped captions", below=1)
    decay: float = setting(0.998, "of the average of the weights", least=0, below=1)
    weight_decay: float = setting(0.01, "decay of the weights", least=0)
    later: float = setting(1.0, "what is added to the logit of the times", least=-10)
    scenes: int = setting(20_000, "scenes to learn from")
    asked: int = setting(1000, "captions of each kind that the judge looks at")
    draw_steps: int = setting(10, "steps from noise to a picture")

    def find_out(self, device: torch.device) -> Found:
        return self.from_data(digits().to(device))

    def from_data(self, data: ImageData) -> Found:
        """For each case and kind of caption what the judge sees, of each seed."""
        begun = time.perf_counter()
        device = data.train.x.device
        shown = scenes(self.scenes, data.train)
        wanted = {
            kind: scenes(self.asked, data.test, held_out=kind == "held out", seed=1)
            for kind in ("seen", "held out")
        }
        values: dict[str, Any] = {"asked": self.asked, "cases": {}}
        for case in CASES:
            found = {kind: [] for kind in wanted}
            for seed in range(self.seed, self.seed + self.seeds):
                network = self.trained(case, shown, seed, device)
                for kind, some in wanted.items():
                    said = replace(some, words=told(case, some.words))
                    hits = obeyed_by(network, said, steps=self.draw_steps)
                    found[kind].append(rounded(hits))
                    print(case, seed, kind, found[kind][-1], flush=True)
            values["cases"][case] = found
        judge = pretrained("judge_scenes", device)
        others = {"nearest": partial(nearest_in, shown), "real": attrgetter("x")}
        for name, pictures in others.items():
            values[name] = {}
            for kind, some in wanted.items():
                seen = seen_by(judge, pictures(some).to(device))
                values[name][kind] = rounded(obeyed(seen, some.attributes))
            print(name, values[name], flush=True)
        steps = len(CASES) * self.seeds * self.steps
        return Found(values, steps, time.perf_counter() - begun)

    def trained(
        self, case: str, shown: Scenes, seed: int, device: torch.device
    ) -> nn.Module:
        """A network of one case, after its training: the average of its weights."""
        torch.manual_seed(seed)
        network = WordFlow(
            (3, CELL, 2 * CELL),
            widths=self.maps,
            words=VOCABULARY.words,
            longest=VOCABULARY.longest,
        ).to(device)
        if case == "mean":
            network.network.attend = Deaf()
        x, y = shown.x.to(device), told(case, shown.words).to(device)
        training = flow_training(
            replace(self, seed=seed), network, x, y, times=later_times(self.later)
        )
        whole(training.trainer, training.batches, steps=self.steps)
        return training.network


class Deaf(nn.Module):
    """In place of attention to words: the maps stay as they are."""

    def forward(self, x: Tensor, words: Tensor, hidden: Tensor) -> Tensor:
        return x


def told(case: str, words: Tensor) -> Tensor:
    """What the network of a case is told of captions: (N, L) -> (N, L)."""
    return words.sort(dim=1, descending=True).values if case == "sorted" else words


def nearest_in(shown: Scenes, wanted: Scenes) -> Tensor:
    """Of each wanted scene the shown one that has most of its attributes: (N, ...)."""
    agree = [
        (shown.attributes == attributes).sum(dim=(1, 2)).argmax()
        for attributes in wanted.attributes
    ]
    return shown.x[torch.stack(agree)]


def rounded(found: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in found.items()}
