"""Cures for mode collapse, compared in the plane with equal care.

Five generators play side by side against five discriminators for points in eight
clusters on a ring. Each cure has its own learning rate: of four, the one that gives the
first five seeds the most modes and good points. With it follow groups of five other
seeds. All GANs have equally many steps. A critic, which has five updates for each of
its generator's, is trained for as many steps of the generator, and for a fifth of them,
which takes about as long as a GAN does.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, RMSprop
from torch.optim.lr_scheduler import LambdaLR

from companion.data import Batches
from companion.models.copies import MLPDiscriminators, MLPGenerators
from companion.models.spectral import spectral_norm
from companion.trainers import GANTrainer, WGANGPTrainer, WGANTrainer, fit
from companion.workshop.recipe import Found, Study, setting

RATES = (5e-4, 1e-3, 2e-3, 4e-3)
COPIES, SIGMA, POINTS, N_CRITIC = 5, 0.02, 40_000, 5
SAMPLES, PAIRED = 1000, 500  # of each generator: counted, paired with real points
SHAPE, SIDE = (1, 1, 2), 110  # of a point; pixels of a picture of points
SHOWN = ("beta 0.9", "0.5, falling rate")  # the rows of the picture


class Cure(NamedTuple):
    """What differs from Adam with a first beta of 0.9 and no cure."""

    beta: float = 0.9
    wide: int = 1  # times the width of D
    faster: float = 1  # times the learning rate, for D
    r1: float = 0.0
    spectral: float = 0.0  # spectral normalisation: the factor on D's logits
    uniform: bool = False  # noise
    falls: bool = False  # the learning rate, in the second half, to 0
    clip: float = 0.0
    lambda_gp: float = 0.0
    length: float = 1.0  # times the steps of the generator

    @property
    def n_critic(self) -> int:
        """Updates of D for one of G."""
        return N_CRITIC if self.clip or self.lambda_gp else 1

    def updates(self, steps: int) -> int:
        """Of D, where a cure of length 1 has so many steps of G."""
        return max(1, round(self.length * steps)) * self.n_critic

    @property
    def betas(self) -> tuple[float, float]:
        """Of Adam; the critic's are those of Gulrajani et al. (2017)."""
        return (0.0, 0.9) if self.lambda_gp else (self.beta, 0.99)


CURES = {
    "beta 0.9": Cure(),
    "0.9, uniform noise": Cure(uniform=True),
    "0.9, wider D": Cure(wide=3),
    "0.9, D 4 x as fast": Cure(faster=4),
    "0.9, R1 of 0.1": Cure(r1=0.1),
    "0.9, R1 of 1": Cure(r1=1),
    "0.9, R1 of 10": Cure(r1=10),
    "0.9, spectral norm": Cure(spectral=1),
    "0.9, spectral norm x 20": Cure(spectral=20),
    "beta 0.5": Cure(0.5),
    "beta 0": Cure(0.0),
    "0.5, wider D": Cure(0.5, wide=3),
    "0.5, D 4 x as fast": Cure(0.5, faster=4),
    "0.5, R1 of 0.1": Cure(0.5, r1=0.1),
    "0.5, R1 of 1": Cure(0.5, r1=1),
    "0.5, R1 of 10": Cure(0.5, r1=10),
    "0.5, spectral norm": Cure(0.5, spectral=1),
    "0.5, spectral norm x 20": Cure(0.5, spectral=20),
    "0.5, falling rate": Cure(0.5, falls=True),
    "clipped at 0.03": Cure(clip=0.03),
    "clipped at 0.1": Cure(clip=0.1),
    "penalty of 0.1": Cure(lambda_gp=0.1),
    "penalty of 1": Cure(lambda_gp=1),
    "penalty of 0.1, short": Cure(lambda_gp=0.1, length=1 / N_CRITIC),
}


@dataclass(frozen=True, kw_only=True)
class Cures(Study):
    source = "points drawn by rule"

    steps: int = setting(3000, "steps of a generator", least=10)
    width: int = setting(64, "width of the networks")
    groups: int = setting(2, "groups of five seeds to compare")
    batch_size: int = setting(64, "points a step, for each generator")

    def find_out(self, device: torch.device) -> Found:
        """For each cure its learning rate, and the counts of each seed."""
        begun, all_steps = time.perf_counter(), 0
        cases: list[dict[str, Any]] = []
        bands: dict[str, Tensor] = {}
        centres = ring().to(device)
        for label, cure in CURES.items():
            case, G = self._case(cure, centres)
            cases.append({"cure": label} | case)
            all_steps += case["steps"] * (len(RATES) + self.groups)
            if label in SHOWN:
                bands[label] = picture(G, points(centres, 0))
            print(cases[-1], flush=True)
        values = {"copies": COPIES, "rates": RATES, "shown": SHOWN, "cases": cases}
        sheet = torch.cat([bands[label] for label in SHOWN], dim=1)
        seconds = time.perf_counter() - begun
        return Found(values, all_steps, seconds, sheet[None].expand(1, 3, -1, -1))

    def _case(self, cure: Cure, centres: Tensor) -> tuple[dict, MLPGenerators]:
        tuning, generators = {}, {}
        for lr in RATES:
            try:
                tuning[lr], generators[lr] = self.run(cure, centres, lr, group=0)
            except FloatingPointError:
                continue
        if not tuning:
            raise FloatingPointError(f"No learning rate of {RATES} suits {cure}.")
        lr = max(tuning, key=lambda rate: _score(tuning[rate], len(centres)))
        runs = [
            self.run(cure, centres, lr, group)[0] for group in range(1, self.groups + 1)
        ]
        case = {
            "lr": lr,
            "steps": cure.updates(self.steps),
            "ms": round(sum(run["ms"] for run in runs) / len(runs), 2),
            "tuning": {f"{rate:g}": _counts(run) for rate, run in tuning.items()},
        }
        for key in ("modes", "good", "distance"):
            case[key] = [value for run in runs for value in run[key]]
        return case, generators[lr]

    def run(
        self, cure: Cure, centres: Tensor, lr: float, group: int
    ) -> tuple[dict[str, Any], MLPGenerators]:
        """The counts of five seeds, and their generators.

        Raises: FloatingPointError if a loss leaves the numbers.
        """
        x = points(centres, group)
        torch.manual_seed(self.seed + group)
        G, D = pair(cure, self.width)
        G, D = G.to(x.device), D.to(x.device)
        trainer = trainer_of(cure, G, D, lr, self.steps)
        steps = cure.updates(self.steps)
        batches = Batches(x, batch_size=self.batch_size * COPIES, seed=group)
        looks: list[Tensor] = []
        begun = time.process_time()  # in which other work does not count
        history = fit(
            trainer,
            batches,
            steps=steps,
            progress=False,
            watch=lambda step: looks.append(look_at(G, centres)),
        )
        if history.interrupted:
            raise KeyboardInterrupt  # half a study is none
        ms = 1000 * (time.process_time() - begun) * cure.n_critic / steps
        modes, good = torch.stack(looks[-2:]).mean(dim=0)
        return {
            "modes": [round(m, 1) for m in modes.tolist()],
            "good": [round(g, 4) for g in good.tolist()],
            "distance": [round(d, 4) for d in distances(G, x)],
            "ms": ms,
        }, G


def trainer_of(
    cure: Cure, G: nn.Module, D: nn.Module, lr: float, steps: int
) -> GANTrainer | WGANTrainer | WGANGPTrainer:
    """A cure's optimisers and losses; `steps` are those in which the rate may fall."""
    if cure.clip:
        opts = [RMSprop(net.parameters(), lr) for net in (G, D)]
        return WGANTrainer(G, D, *opts, clip=cure.clip, n_critic=N_CRITIC)
    opts = [
        Adam(net.parameters(), rate, betas=cure.betas, fused=True)
        for net, rate in ((G, lr), (D, cure.faster * lr))
    ]
    if cure.lambda_gp:
        return WGANGPTrainer(G, D, *opts, lambda_gp=cure.lambda_gp, n_critic=N_CRITIC)
    schedules = {}
    if cure.falls:
        falls = [LambdaLR(opt, falling(steps)) for opt in opts]
        schedules = {"schedule_G": falls[0], "schedule_D": falls[1]}
    return GANTrainer(G, D, *opts, r1=cure.r1, r1_every=4, **schedules)


def ring() -> Tensor:
    """Eight centres on a circle: (8, 2)."""
    turn = 2 * math.pi * torch.arange(8) / 8
    return 0.5 + 0.35 * torch.stack([turn.cos(), turn.sin()], dim=1)


def points(centres: Tensor, seed: int) -> Tensor:
    """Normal clusters, equally probable: (POINTS, 1, 1, 2)."""
    g = torch.Generator().manual_seed(seed)
    cluster = torch.randint(len(centres), (POINTS,), generator=g)
    shift = SIGMA * torch.randn(POINTS, 2, generator=g)
    return (centres[cluster] + shift.to(centres)).view(-1, *SHAPE)


def pair(cure: Cure, width: int) -> tuple[MLPGenerators, MLPDiscriminators]:
    kind = UniformNoise if cure.uniform else MLPGenerators
    G = kind(COPIES, SHAPE, [width] * 2, latent=2)
    D = MLPDiscriminators(COPIES, SHAPE, [cure.wide * width] * 2)
    if cure.spectral:
        D = spectral_norm(D)
        D.net.append(Times(cure.spectral))
    return G, D


class UniformNoise(MLPGenerators):
    """z uniform in [-2, 2] in place of normal."""

    def noise(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        device = next(self.parameters()).device
        z = torch.rand(n, self.latent, generator=generator, device=device)
        return 4 * z - 2


class Times(nn.Module):
    """The input times a number."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def falling(steps: int) -> Callable[[int], float]:
    """1 for half of the steps, then straight down to 0."""
    return lambda step: min(1.0, 2 - 2 * step / steps)


def look_at(G: MLPGenerators, centres: Tensor) -> Tensor:
    """Modes covered and share of good points of each copy: (2, COPIES).

    A sample is good within three standard deviations of a centre; a mode is covered
    if it gets a quarter of its share of all samples, all of them good.
    """
    g = torch.Generator(centres.device).manual_seed(1)
    x = G.sample(SAMPLES * COPIES, generator=g).view(COPIES, SAMPLES, 2)
    K = len(centres)
    distance, nearest = torch.cdist(x, centres.expand(COPIES, K, 2)).min(dim=2)
    good = distance < 3 * SIGMA
    hits = (F.one_hot(nearest, K) * good[..., None]).sum(dim=1)
    modes = (hits >= SAMPLES / K / 4).sum(dim=1)
    return torch.stack([modes.float(), good.float().mean(dim=1)])


def distances(G: MLPGenerators, x: Tensor) -> list[float]:
    """The Wasserstein distance of each copy's samples from real points, exactly."""
    g = torch.Generator(x.device).manual_seed(2)
    fakes = G.sample(PAIRED * COPIES, generator=g).view(COPIES, PAIRED, 2)
    real = x[: PAIRED * COPIES].view(COPIES, PAIRED, 2)
    found = []
    for cost in torch.cdist(real, fakes).cpu():
        rows, columns = linear_sum_assignment(cost.numpy())
        found.append(cost[rows, columns].mean().item())
    return found


def picture(G: MLPGenerators, x: Tensor) -> Tensor:
    """Each copy's samples, black, on real points, grey: (1, SIDE, COPIES * SIDE)."""
    g = torch.Generator(x.device).manual_seed(3)
    fakes = G.sample(2000 * COPIES, generator=g).view(COPIES, -1, 2)
    panes = torch.ones(COPIES, SIDE, SIDE)
    for pane, samples in zip(panes, fakes, strict=True):
        pane[[0, -1]] = pane[:, [0, -1]] = 0.75
        for shown, shade in ((x[:2000].view(-1, 2), 0.7), (samples, 0.0)):
            across, up = ((SIDE - 1) * shown.cpu()).round().long().unbind(dim=1)
            pane[SIDE - 1 - up, across] = shade
    return torch.cat(list(panes), dim=1)[None]


def _counts(run: dict[str, Any]) -> dict[str, list[float]]:
    return {key: run[key] for key in ("modes", "good")}


def _score(run: dict[str, Any], modes: int) -> float:
    return sum(run["modes"]) / modes + sum(run["good"])
