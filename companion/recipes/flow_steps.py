"""What a step costs and what it buys: the shipped flow of digits, by Euler and by Heun.

Pictures by label are drawn with several numbers of network evaluations and compared
with test images. They are also compared, pixel by pixel, with pictures that Heun's
steps draw from the same noise with many evaluations: how far the solution of the
equation is missed, whatever the pictures look like.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from companion.data import ImageData, digits
from companion.pretrained import pretrained
from companion.recipes.game import compared_with
from companion.workshop.recipe import Found, Study, check_rising, setting


@dataclass(frozen=True, kw_only=True)
class FlowSteps(Study):
    source = "MNIST"

    euler: tuple[int, ...] = setting((2, 4, 8, 16, 32), "steps of Euler")
    heun: tuple[int, ...] = setting((2, 3, 5, 8), "steps of Heun")
    finest: int = setting(16, "steps of Heun that stand for the solution")
    noises: int = setting(3, "drawings from other noise")
    repeated: int = setting(9, "most evaluations with which all noises are drawn")
    num_images: int = setting(2000, "images that the judge compares", least=100)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rising(self, "euler")
        check_rising(self, "heun")

    def find_out(self, device: torch.device) -> Found:
        return self.from_data(pretrained("flow_digits", device), digits().to(device))

    def from_data(self, network: nn.Module, data: ImageData) -> Found:
        """For each method, and each number of steps, the scores of each noise."""
        begun = time.perf_counter()
        measure = compared_with(data.test.x[: self.num_images])
        drawn = Drawn(network, self.num_images)
        exact = drawn(self.seed, steps=self.finest, heun=True)

        def look(seed: int, **how: Any) -> dict[str, float]:
            x = drawn(seed, **how)
            scores = measure(x)
            if seed == self.seed:
                scores["apart"] = (x - exact).square().mean().sqrt().item()
            found = {name: round(value, 5) for name, value in scores.items()}
            print(seed, how, found, flush=True)
            return found

        cases = [(False, steps) for steps in self.euler]
        cases += [(True, steps) for steps in (*self.heun, self.finest)]
        methods: dict[str, list[dict[str, Any]]] = {"Euler": [], "Heun": []}
        for heun, steps in cases:
            evaluations = evaluations_of(steps, heun)
            again = self.noises if evaluations <= self.repeated else 1
            seeds = range(self.seed, self.seed + again)
            found = list(map(partial(look, steps=steps, heun=heun), seeds))
            row: dict[str, Any] = {"steps": steps, "evaluations": evaluations}
            row |= {name: [one[name] for one in found] for name in found[-1]}
            row["apart"] = found[0]["apart"]
            methods["Heun" if heun else "Euler"].append(row)
        values = {"images": self.num_images, "methods": methods}
        return Found(values, 0, time.perf_counter() - begun)


class Drawn:
    """Pictures of a network, each class in its turn, from the noise of a seed."""

    def __init__(self, network: nn.Module, n: int):
        self.network, self.n = network, n
        self.device = next(network.parameters()).device

    def __call__(self, seed: int, **how: Any) -> Tensor:
        generator = torch.Generator(self.device).manual_seed(seed)
        return self.network.sample(self.n, generator=generator, **how)


def evaluations_of(steps: int, heun: bool) -> int:
    """How often the network is asked: Heun's last step is one of Euler's."""
    return 2 * steps - 1 if heun else steps
