"""Scenes by caption: flow matching, with a U-Net that reads words.

One combination of thing and colour in nine never comes in training. Pictures are drawn
for captions of both kinds, of the same things, and a judge says how much of them it
sees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from companion.data import ImageData
from companion.data.scenes import CELL, HELD_OUT_THINGS, VOCABULARY, Scenes, scenes
from companion.metrics.captions import obeyed
from companion.models.words import WordFlow
from companion.pretrained import pretrained
from companion.recipes.flow_digits import flow_training
from companion.recipes.judge_scenes import seen_by
from companion.workshop.recipe import Recipe, Training, setting


@dataclass(frozen=True, kw_only=True)
class FlowScenes(Recipe):
    kind = WordFlow
    ships = True

    steps: int = setting(16_000, "optimiser steps", least=20)
    batch_size: int = setting(32, "images a step")
    lr: float = setting(3e-3, "highest learning rate")
    maps: tuple[int, ...] = setting((48, 96), "channels of the maps, largest first")
    drop: float = setting(0.1, "share of dropped captions", below=1)
    decay: float = setting(0.999, "of the average of the weights", least=0, below=1)
    weight_decay: float = setting(0.01, "decay of the weights", least=0)
    later: float = setting(1.0, "what is added to the logit of the times", least=-10)
    scenes: int = setting(40_000, "scenes to learn from")
    asked: int = setting(3000, "captions of each kind that the judge looks at")

    def arguments(self, data: ImageData) -> dict[str, Any]:
        return {
            "image_shape": [3, CELL, 2 * CELL],
            "widths": list(self.maps),
            "words": list(VOCABULARY.words),
            "longest": VOCABULARY.longest,
        }

    def training(self, network: nn.Module, data: ImageData) -> Training:
        some = scenes(self.scenes, data.train, seed=self.seed)
        device = data.train.x.device
        x, y = some.x.to(device), some.words.to(device)
        return flow_training(self, network, x, y, times=later_times(self.later))

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        values = {}
        for kind, held_out in (("seen", False), ("held_out", True)):
            wanted = scenes(
                self.asked,
                data.test,
                held_out=held_out,
                things=HELD_OUT_THINGS,
                seed=1,
            )
            found = obeyed_by(network, wanted)
            values |= {f"{kind}_{name}": round(v, 4) for name, v in found.items()}
        return values


def obeyed_by(network: nn.Module, wanted: Scenes, **how: Any) -> dict[str, float]:
    """How much of the captions the judge sees in pictures drawn for them, by seed 1.

    `how` as in `Denoiser.sample`.
    """
    device = next(network.parameters()).device
    x = network.sample(
        len(wanted.x),
        y=wanted.words.to(device),
        generator=torch.Generator(device).manual_seed(1),
        **how,
    )
    judge = pretrained("judge_scenes", device)
    return obeyed(seen_by(judge, x), wanted.attributes)


def later_times(by: float) -> Callable[..., Tensor]:
    """Random times that lie nearer to 1 than `logit_normal_times`.

    What a caption says of small things on white paper is decided while there is more
    noise than picture: after 2,600 steps of a small network 0.37 of the things were
    right with `by` of 0.7, and 0.22 with 0.

    Source: Esser et al. (2024), section 5.3.2, who shift the times for larger pictures.
    """
    return lambda n, *, device=None: (torch.randn(n, device=device) + by).sigmoid()
