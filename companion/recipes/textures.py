"""Textures by random filters: what to compare, how many scales, which optimiser.

Three textures at 64 x 64 pixels, painted from several starts by means, by means and
variances, and by Gram matrices of one layer of random filters. Each picture is measured
by filters that painted nothing, as are noise of the same colours and other real pieces.
"""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Adam

from companion.losses.texture import (
    Description,
    means,
    means_and_variances,
    products,
    sorted_difference,
    texture_loss,
)
from companion.models.style import Canvas, Palette, RandomFilters
from companion.pictures import fractal_noise, gradient_map, truchet, waves
from companion.trainers.style import lbfgs
from companion.trainers.texture import TextureTrainer, grow_texture
from companion.workshop.recipe import Found, Study, check_rising, setting

DESCRIPTIONS = {
    "means": means,
    "means and variances": means_and_variances,
    "Gram matrices": products,
}
HELPS = {  # scales that the filters see, and sizes that the picture grows through
    "three scales, grown": (3, True),
    "one scale, grown": (1, True),
    "three scales, at once": (3, False),
    "one scale, at once": (1, False),
}
CHANNELS, JUDGE = 32, 99  # filters that paint; seed of those that measure
NIGHT = [(0.05, 0.1, 0.35), (0.95, 0.8, 0.3)]
EMBERS = [(0.1, 0.05, 0.15), (0.75, 0.2, 0.15), (0.98, 0.9, 0.7), (0.1, 0.45, 0.5)]
SEA = [(0.05, 0.2, 0.4), (0.1, 0.5, 0.7), (0.8, 0.9, 0.9), (0.95, 0.6, 0.2)]


@dataclass(frozen=True, kw_only=True)
class Textures(Study):
    source = "textures made by rule"

    size: int = setting(64, "side of a picture, a multiple of 16", least=64)
    steps: int = setting(80, "steps at each of two sizes")
    seeds: int = setting(3, "starts of each kind")
    rates: tuple[int, ...] = setting((30, 100, 300), "Adam's learning rates, in 1/1000")
    evaluations: tuple[int, ...] = setting((20, 40, 80, 160), "when losses are read")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rising(self, "evaluations")
        if self.size % 16:
            raise ValueError(f"--size is {self.size}; give a multiple of 16.")

    def find_out(self, device: torch.device) -> Found:
        started = time.perf_counter()
        pieces = {
            name: [make(self.size, k).to(device) for k in range(6)]
            for name, make in TEXTURES.items()
        }
        compared = {name: self._compared(name, p) for name, p in pieces.items()}
        same = compared["tiles"][0]["Gram matrices"]
        values = {
            "rows": list(pieces),
            "columns": ["given", "another real piece", *DESCRIPTIONS],
            "size": self.size,
            "seeds": [self.seed + k for k in range(self.seeds)],
            "textures": {name: found for name, (found, _) in compared.items()},
            "helps": self._helped(pieces["tiles"][0], same),
            "optimisers": self._raced(pieces["tiles"][0]),
        }
        made = self.seeds * (len(TEXTURES) * len(DESCRIPTIONS) + len(HELPS) - 1)
        # Of the pictures; in the race of optimisers evaluations are counted, not steps.
        steps = 2 * self.steps * made
        picture = torch.cat([row for _, row in compared.values()], dim=2)
        return Found(values, steps, time.perf_counter() - started, picture)

    def _compared(self, name: str, pieces: list[Tensor]) -> tuple[dict, Tensor]:
        """Distances from the first piece, and a row of pictures by the first seed.

        The distances are pairs: of sorted values, and of Gram matrices.
        """
        given, *others = pieces
        noises = [noise_like(given, self.seed + k) for k in range(self.seeds)]
        found = {
            "noise of the same colours": [distances(x, given) for x in noises],
            "other real pieces": [distances(x, given) for x in others],
        }
        row = pieces[:2]
        for label, describe in DESCRIPTIONS.items():
            made = self._made(given, describe)
            found[label] = [distances(x, given) for x in made]
            row.append(made[0])
        print(f"{name}: {found}", flush=True)
        return found, torch.cat(row, dim=3)

    def _helped(self, given: Tensor, all_helps: list) -> dict[str, list]:
        found = {next(iter(HELPS)): all_helps}
        for label, (scales, grown) in list(HELPS.items())[1:]:
            made = self._made(given, products, scales, grown)
            found[label] = [distances(x, given) for x in made]
        print(f"helps: {found}", flush=True)
        return found

    def _made(
        self, given: Tensor, describe: Description, scales: int = 3, grown: bool = True
    ) -> list[Tensor]:
        """A picture from each seed; the same number of steps, grown or not."""
        return [
            grow_texture(
                given,
                lambda style: filters(style, scales),
                describe,
                sizes=(self.size // 2, self.size) if grown else (self.size,),
                steps=self.steps if grown else 2 * self.steps,
                generator=seeded(self.seed + k),
            )
            for k in range(self.seeds)
        ]

    def _raced(self, given: Tensor) -> dict[str, list[list[float]]]:
        """Losses after as many evaluations, by Gram matrices and without growing."""
        found = {"L-BFGS": [self._race(given, k) for k in range(self.seeds)]}
        for rate in self.rates:
            found[f"Adam, {rate / 1000:g}"] = [
                self._race(given, k, rate / 1000) for k in range(self.seeds)
            ]
        print(f"optimisers: {found}", flush=True)
        return found

    def _race(self, given: Tensor, k: int, rate: float | None = None) -> list[float]:
        """The lowest texture loss so far, at each number of evaluations."""
        canvas = Canvas(noise_like(given, self.seed + k, clip=False), given)
        look = filters(given)
        losses: list[float] = []
        targets = [products(f) for f in look(given)]
        opt = lbfgs(canvas) if rate is None else Adam(canvas.parameters(), rate)

        def network(x: Tensor) -> list[Tensor]:
            maps = look(x)
            if x.requires_grad:  # not the targets, which each step computes again
                with torch.no_grad():
                    losses.append(texture_loss(maps, targets, products).item())
            return maps

        trainer = TextureTrainer(canvas, network, opt, products)
        while len(losses) < self.evaluations[-1]:
            trainer.step(given)
        return [_rounded(min(losses[:n])) for n in self.evaluations]


def distances(x: Tensor, given: Tensor) -> list[float]:
    """By filters that painted nothing: of sorted values, and of Gram matrices."""
    look = filters(given, channels=32, seed=JUDGE)
    with torch.no_grad():
        ours, theirs = look(x), look(given)
        apart = [
            sorted_difference(a, b).mean() for a, b in zip(ours, theirs, strict=True)
        ]
        gram = texture_loss(ours, [products(f) for f in theirs], products)
    return [_rounded(torch.stack(apart).mean().item()), _rounded(gram.item())]


def filters(
    style: Tensor, scales: int = 3, *, channels: int = CHANNELS, seed: int = 0
) -> RandomFilters:
    return RandomFilters(
        style, channels=channels, scales=scales, generator=seeded(seed)
    )


def noise_like(style: Tensor, seed: int, *, clip: bool = True) -> Tensor:
    """Noise with the mean and covariance of the style's colours."""
    u = torch.randn(style.shape, generator=seeded(seed)).to(style)
    x = Palette(style).paint(u)
    return x.clamp(0, 1) if clip else x


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tiles(size: int, seed: int) -> Tensor:
    picture = truchet(8, 8, size // 8, generator=seeded(seed))
    return gradient_map(picture, NIGHT)[None]


def clouds(size: int, seed: int) -> Tensor:
    noise = fractal_noise(size, 5, 2, generator=seeded(seed))
    return gradient_map(2 * noise % 1.0, [*SEA, SEA[0]])[None]


def waves_of(size: int, seed: int) -> Tensor:
    """Five waves of one length in five directions; only where they begin is drawn."""
    frequencies = torch.tensor([[5, 0], [4, 3], [2, 5], [-2, 5], [-4, 3]])
    phases = 2 * math.pi * torch.rand(1, 5, generator=seeded(seed))
    x = waves(size, frequencies, phases, torch.ones(5))[0]
    return gradient_map((2 * x - 0.5).clamp(0, 1), EMBERS)[None]


TEXTURES = {"tiles": tiles, "clouds": clouds, "waves": waves_of}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
