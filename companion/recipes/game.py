"""The fully connected GAN on digits: four variants, and two losses of its generator.

Each variant, with or without batch normalisation in G and dropout in D, has its own
learning rate: of three, the one with the smallest distance from the validation images
after a short run with another seed. All other numbers are measured with test images.
(The short run is unkind to the variant with both: with a rate of 0.002 for all and six
passes its distances were 0.145 to 0.188, those of batch norm alone 0.123 to 0.139.)
Then plain pairs are trained with the saturating and with the non-saturating loss, from
their beginning and with a D that was trained for a while before G begins.
"""

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from companion.data import Batches, ImageData, digits
from companion.losses import (
    discriminator_loss,
    non_saturating_loss,
    saturating_loss,
)
from companion.metrics import (
    confident_share,
    precision_recall,
    predict,
    relative_frechet_distance,
)
from companion.models.gan import Generator, MLPDiscriminator, MLPGenerator
from companion.models.judge import load_judge
from companion.trainers import GANTrainer, History, Trainer, fit
from companion.workshop.recipe import Found, Study, setting

RATES = (1e-3, 2e-3, 4e-3)
TUNING_SEED = 100  # added to the study's seed: not one of those compared
VARIANTS = {  # batch normalisation in G, dropout in D
    "plain": (False, 0.0),
    "batch norm": (True, 0.0),
    "dropout": (False, 0.3),
    "both": (True, 0.3),
}
LOSSES = {"saturating": saturating_loss, "non-saturating": non_saturating_loss}
ROWS, COLUMNS, SCALE = 2, 10, 2  # of the samples in the picture, for each variant
EVERY = 100  # steps over which losses are averaged

Measure = Callable[[Generator], dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Game(Study):
    source = "MNIST"

    passes: int = setting(8, "passes over the training images")
    seeds: int = setting(3, "pairs of each variant")
    tuning_passes: int = setting(2, "passes of the choice of a learning rate")
    batch_size: int = setting(64, "images a step")
    num_images: int = setting(2000, "images that the judge compares", least=100)
    loss_seeds: int = setting(5, "pairs of each loss")
    loss_passes: int = setting(2, "passes with each loss")
    loss_lr: float = setting(1e-3, "learning rate of both losses")
    head_start: int = setting(100, "steps of D alone, of the pairs that have a start")

    def find_out(self, device: torch.device) -> Found:
        return self.from_data(digits().to(device))

    def from_data(self, data: ImageData) -> Found:
        """A case for each variant, and one for each loss with each start."""
        begun = time.perf_counter()
        choose, measure = both_measures(data, self.num_images)
        a_pass = len(self.batches(data, 0))
        variants, rows = {}, []
        for name in VARIANTS:
            lr = self._rate(data, name, choose)
            runs = [
                self._run(data, name, lr, seed, measure)
                for seed in range(self.seed, self.seed + self.seeds)
            ]
            rows.append(sheet(runs[0].pop("G")))
            variants[name] = {"lr": lr} | {
                key: [run[key] for run in runs] for key in runs[-1] if key != "G"
            }
        values = {
            "steps": [a_pass * (k + 1) for k in range(self.passes)],
            "losses over": EVERY,
            "rates": RATES,
            "variants": variants,
            "losses": self._losses(data, measure),
        }
        tuning = len(RATES) * self.tuning_passes
        steps = len(VARIANTS) * a_pass * (tuning + self.seeds * self.passes)
        with_losses = 2 * len(LOSSES) * self.loss_passes * a_pass + self.head_start
        steps += self.loss_seeds * with_losses
        picture = torch.cat(rows, dim=2)
        return Found(values, steps, time.perf_counter() - begun, picture)

    def batches(self, data: ImageData, seed: int) -> Batches:
        x = data.train.x
        return Batches(x, batch_size=self.batch_size, seed=seed, drop_last=True)

    def train(
        self,
        data: ImageData,
        pair: tuple[Generator, nn.Module],
        lr: float,
        seed: int,
        **how: Any,
    ) -> tuple["Watched", History]:
        """Play the game and watch its losses; `how` is what the trainer or `fit` takes.

        Raises: as `whole`.
        """
        loss = how.pop("generator_loss", non_saturating_loss)
        opts = [adam(net, lr) for net in pair]
        watched = Watched(GANTrainer(*pair, *opts, generator_loss=loss))
        return watched, whole(watched, self.batches(data, seed), **how)

    def _rate(self, data: ImageData, variant: str, measure: Measure) -> float:
        found = {}
        for lr in RATES:
            pair = networks(variant, self.seed + TUNING_SEED, data)
            self.train(data, pair, lr, self.seed, epochs=self.tuning_passes)
            found[lr] = measure(pair[0])["frechet"]
        print(f"{variant}: {found}", flush=True)
        return min(found, key=found.__getitem__)

    def _run(
        self, data: ImageData, variant: str, lr: float, seed: int, measure: Measure
    ) -> dict[str, Any]:
        """One pair: its numbers after each pass, and its losses."""
        pair = networks(variant, seed, data)
        watched, history = self.train(
            data,
            pair,
            lr,
            seed,
            epochs=self.passes,
            validate=partial(measure, pair[0]),
        )
        found: dict[str, Any] = {
            name: [round(value, 4) for value in history[name]]
            for name in measure(pair[0])
        }
        print(f"{variant}, seed {seed}: {found['frechet']}", flush=True)
        return {"G": pair[0]} | found | watched.means

    def _losses(self, data: ImageData, measure: Measure) -> dict[str, Any]:
        """Distances of each pair: before, and after each pass with each loss."""
        found: dict[str, Any] = {
            "head start": self.head_start,
            "untrained": [],
            "D_fake": [],
            **{start: {loss: [] for loss in LOSSES} for start in ("none", "head")},
        }
        for seed in range(self.seed, self.seed + self.loss_seeds):
            G, D = networks("plain", seed, data)
            found["untrained"].append(round(measure(G)["frechet"], 4))
            ahead = deepcopy(D)
            trainer = ExpertTrainer(G, ahead, adam(ahead, self.loss_lr))
            whole(trainer, self.batches(data, seed), steps=self.head_start)
            with torch.no_grad():
                told = ahead(G(G.noise(500))).sigmoid().mean().item()
            found["D_fake"].append(float(f"{told:.3g}"))
            for start, expert in (("none", D), ("head", ahead)):
                for name, loss in LOSSES.items():
                    torch.manual_seed(seed)
                    pair = deepcopy(G), deepcopy(expert)
                    _, history = self.train(
                        data,
                        pair,
                        self.loss_lr,
                        seed,
                        epochs=self.loss_passes,
                        validate=partial(measure, pair[0]),
                        generator_loss=loss,
                    )
                    distances = [round(v, 4) for v in history["frechet"]]
                    found[start][name].append(distances)
            print(f"losses, seed {seed}: {found}", flush=True)
        return found


class ExpertTrainer:
    """Trains D against a generator that stands still."""

    def __init__(self, G: Generator, D: nn.Module, opt: Optimizer):
        self.G, self.D, self.opt = G, D, opt

    def step(self, x: Tensor) -> dict[str, Tensor]:
        x_fake = self.G(self.G.noise(len(x))).detach()
        loss = discriminator_loss(self.D(x), self.D(x_fake)).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return {"loss_D": loss}


class Watched:
    """A GAN's trainer whose losses are kept, as means over some steps."""

    def __init__(self, trainer: GANTrainer):
        self.trainer, self.takes = trainer, trainer.takes
        self.means: dict[str, list[float]] = {"loss_G": [], "loss_D": []}
        self.kept: list[dict[str, Tensor]] = []

    def step(self, x: Tensor) -> dict[str, Tensor]:
        terms = self.trainer.step(x)
        self.kept.append({name: terms[name].detach() for name in self.means})
        if len(self.kept) == EVERY:
            for name, means in self.means.items():
                mean = torch.stack([kept[name] for kept in self.kept]).mean()
                means.append(round(mean.item(), 4))
            self.kept.clear()
        return terms


def networks(variant: str, seed: int, data: ImageData) -> tuple[Generator, nn.Module]:
    """An untrained pair; torch's random numbers go on from its seed."""
    torch.manual_seed(seed)
    batch_norm, dropout = VARIANTS[variant]
    pair = MLPGenerator(batch_norm=batch_norm), MLPDiscriminator(dropout=dropout)
    device = data.train.x.device
    return pair[0].to(device), pair[1].to(device)


def whole(trainer: Trainer, batches: Batches, **how: Any) -> History:
    """A training from its beginning to its end.

    Raises: KeyboardInterrupt, if it is interrupted.
    """
    history = fit(trainer, batches, progress=False, **how)
    if history.interrupted:
        raise KeyboardInterrupt  # half a study is none
    return history


def adam(network: nn.Module, lr: float) -> Adam:
    return Adam(network.parameters(), lr=lr, betas=(0.5, 0.99), fused=True)


def both_measures(data: ImageData, num_images: int) -> tuple[Measure, Measure]:
    """Beside validation images, to choose by, and beside test images."""
    choose, measure = (
        measured_by(split.x[:num_images]) for split in (data.validation, data.test)
    )
    return choose, measure


def at_best_rate(
    study: Any,
    rates: Sequence[float],
    run: Callable[[Measure, float, int, int], dict[str, Any]],
    measures: tuple[Measure, Measure],
    distance: Callable[[dict[str, Any]], float],
) -> dict[str, Any]:
    """What each seed finds with the best learning rate, and that rate.

    `run(measure, lr, seed, steps)` is one training. The rate with the smallest distance
    after a short run with another seed, beside the first of the `measures`, is taken.
    """
    choose, measure = measures
    seed, tuning_steps = study.seed + TUNING_SEED, study.tuning_steps
    tuning = {lr: distance(run(choose, lr, seed, tuning_steps)) for lr in rates}
    lr = min(rates, key=tuning.__getitem__)
    runs = [
        run(measure, lr, seed, study.steps)
        for seed in range(study.seed, study.seed + study.seeds)
    ]
    return {"lr": lr} | {key: [found[key] for found in runs] for key in runs[0]}


def measured_by(real: Tensor) -> Measure:
    """A function from a generator to how near its samples are to these images.

    It draws as many samples, always from the same noise.
    """
    measure = compared_with(real)

    def measure_samples(G: Generator) -> dict[str, float]:
        g = torch.Generator(real.device).manual_seed(1)
        return measure(G.sample(len(real), generator=g))

    return measure_samples


def compared_with(real: Tensor) -> Callable[[Tensor], dict[str, float]]:
    """A function from pictures to how near they are to these images."""
    judge = load_judge(real.device)
    f = predict(judge, real, function=judge.features)

    def measure(x: Tensor) -> dict[str, float]:
        f_fake = predict(judge, x, function=judge.features)
        with torch.no_grad():
            logits = judge.classify(f_fake)
        precision, recall = precision_recall(f, f_fake)
        counts = logits.argmax(dim=1).bincount(minlength=logits.shape[1])
        return {
            "frechet": relative_frechet_distance(f, f_fake),
            "precision": precision,
            "recall": recall,
            "confident": confident_share(logits),
            "largest class": counts.max().item() / len(x),
        }

    return measure


def sheet(G: Generator) -> Tensor:
    """Samples of a generator, not picked, in rows: (1, 3, H, W)."""
    g = torch.Generator(next(G.parameters()).device).manual_seed(0)
    x = G.sample(ROWS * COLUMNS, generator=g).cpu()
    lines = [torch.cat([*row], dim=2) for row in x.split(COLUMNS)]
    pixels = torch.cat(lines, dim=1).expand(3, -1, -1)[None]
    return pixels.repeat_interleave(SCALE, 2).repeat_interleave(SCALE, 3)
