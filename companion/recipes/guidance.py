"""What guidance does to digits: the shipped flow, with labels weighed more and more.

Pictures by label are drawn with several weights and compared with test images. The
weight 1 is no guidance. The noise of a seed is the same for all weights.
"""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from companion.data import ImageData, digits
from companion.metrics import accuracy, predict
from companion.models.judge import load_judge
from companion.pretrained import pretrained
from companion.recipes.flow_steps import Drawn
from companion.recipes.game import compared_with
from companion.workshop.recipe import Found, Study, setting

WEIGHTS = (1.0, 1.5, 2.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class Guidance(Study):
    source = "MNIST"

    noises: int = setting(3, "drawings from other noise")
    draw_steps: int = setting(6, "Heun's steps from noise to a picture")
    num_images: int = setting(2000, "images that the judge compares", least=100)

    def find_out(self, device: torch.device) -> Found:
        return self.from_data(pretrained("flow_digits", device), digits().to(device))

    def from_data(self, network: nn.Module, data: ImageData) -> Found:
        """For each weight the scores of each noise."""
        begun = time.perf_counter()
        measure = compared_with(data.test.x[: self.num_images])
        judge = load_judge(data.test.x.device)
        drawn = Drawn(network, self.num_images)
        y = torch.arange(self.num_images, device=data.test.x.device) % 10
        rows: list[dict[str, Any]] = []
        for weight in WEIGHTS:
            found = []
            for seed in range(self.seed, self.seed + self.noises):
                x = drawn(seed, steps=self.draw_steps, guidance=weight)
                scores = measure(x) | {"obedience": accuracy(predict(judge, x), y)}
                found.append(scores)
                print(weight, seed, scores, flush=True)
            rows.append(
                {"weight": weight}
                | {name: [round(one[name], 5) for one in found] for name in found[0]}
            )
        values = {"images": self.num_images, "steps": self.draw_steps, "weights": rows}
        return Found(values, 0, time.perf_counter() - begun)
