"""The judge of emoji: a classifier of colour pictures, trained on five divisions.

There are some 1,960 drawings only, the bases, of which one test split has 144, fifteen
of most classes: what a judge reaches there depends much on which they are. So five
networks are trained side by side, each on a division of its own, and F1 is given for
all five. The network of division 0 is the result; the others are let go.

A base has 1 to 108 pictures, variants in skin tone, gender or direction. In training
each base is shown once an epoch, by a picture of its own that is drawn at random, and
in F1 each base counts 1. The settings were chosen on the validation pictures of a
division that held out a tenth of the pictures of each class.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from companion.data import EmojiData, EmojiSplit, color_jitter, emoji
from companion.losses import cross_entropy
from companion.metrics import confusion_by_group, f1_scores, predict
from companion.models.judge import Judge
from companion.recipes.judge import JudgeOfDigits
from companion.runtime import same_random_state
from companion.trainers.inputs import Check, class_numbers, finite
from companion.trainers.parts import advance, train_mode
from companion.workshop.judging import noticed_faults, one_of_each
from companion.workshop.recipe import Training, setting

DIVISIONS = 5


class BaseBatches:
    """Batches of several splits at once: of each base one picture an epoch.

    Each split has bases and an order of its own. As with `Batches`, the pictures depend
    on `seed` and on the number of the epoch only, so that a resumed run sees the same.
    The splits have slightly different numbers of bases: an epoch has as many batches
    as the smallest fills, and who is left out changes with the epoch.

    Shapes: K splits; yields x (K, B, C, H, W), y (K, B).
    Raises: ValueError if a split has fewer bases than `batch_size`.
    """

    def __init__(
        self,
        splits: Sequence[EmojiSplit],
        *,
        batch_size: int,
        augment: Callable[..., Tensor],
        seed: int,
    ) -> None:
        self.splits, self.batch_size = tuple(splits), batch_size
        self.augment, self.seed, self.epoch = augment, seed, 0
        self.bases = [np.array(split.base) for split in splits]
        fewest = min(len(np.unique(bases)) for bases in self.bases)
        if fewest < batch_size:
            raise ValueError(
                f"batch_size is {batch_size}, above the {fewest} bases of a split, "
                "which leaves no batch; lower batch_size."
            )
        self._length = fewest // batch_size

    def __len__(self) -> int:
        """Batches of one epoch."""
        return self._length

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        number = (self.seed + 1_000_003 * self.epoch) % 2**32
        self.epoch += 1
        return self._draw(number)

    def _draw(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        device = self.splits[0].x.device
        order = torch.Generator().manual_seed(number)
        chosen = [one_of_each(bases, order).to(device) for bases in self.bases]
        # Another seed than the order's, as in `Batches`.
        generator = torch.Generator(device).manual_seed(number ^ 0x5DEECE66)
        for i in range(0, self._length * self.batch_size, self.batch_size):
            index = [one[i : i + self.batch_size] for one in chosen]
            parts = list(zip(self.splits, index, strict=True))
            x = torch.cat([split.x[at] for split, at in parts])
            x = self.augment(x, generator=generator)
            y = torch.stack([split.y[at] for split, at in parts])
            yield x.unflatten(0, y.shape), y

    def state_dict(self) -> dict[str, int]:
        """What `load_state_dict` needs to go on at the next epoch."""
        return {"epoch": self.epoch, "seed": self.seed, "batch_size": self.batch_size}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on after the epoch at which `state` was taken.

        Raises: ValueError if `state` comes from other batches.
        """
        ours = self.state_dict()
        if state.keys() != ours.keys():
            raise ValueError(
                f"The state holds {sorted(state)}, not {sorted(ours)}: "
                "it was not made by BaseBatches.state_dict()."
            )
        if state["batch_size"] != self.batch_size:
            raise ValueError(
                f"The state has batch_size {state['batch_size']}, these batches have "
                f"{self.batch_size}: resume with the batches that made it."
            )
        self.epoch, self.seed = state["epoch"], state["seed"]


class SideBySideTrainer:
    """Several classifiers, each of which learns from its own row of a batch.

    One optimiser holds the parameters of all: what it does to one network does not
    depend on the others. A running average is kept of each network's weights.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        opt: Optimizer,
        schedule: LRScheduler,
        *,
        decay: float,
        label_smoothing: float,
    ) -> None:
        self.networks = nn.ModuleList(networks)
        self.averages = nn.ModuleList(
            AveragedModel(
                network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True
            )
            for network in networks
        )
        self.opt, self.schedule = opt, schedule
        self.label_smoothing = label_smoothing

    def takes(self, x: Tensor) -> dict[str, Check]:
        return {"x": finite} | class_numbers("y", self.networks[0].num_classes)

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        train_mode(self.networks)
        self.opt.zero_grad()
        losses, hits = [], []
        for network, own_x, own_y in zip(self.networks, x, y, strict=True):
            logits = network(own_x.contiguous(memory_format=torch.channels_last))
            loss = cross_entropy(logits, own_y, self.label_smoothing).mean()
            loss.backward()  # now, so that one network's graph is in memory at a time
            losses.append(loss.detach())
            hits.append((logits.argmax(dim=1) == own_y).float().mean())
        self.opt.step()
        advance(self.schedule)
        for network, average in zip(self.networks, self.averages, strict=True):
            average.update_parameters(network)
        return {
            "loss": torch.stack(losses).mean(),
            "accuracy": torch.stack(hits).mean(),
        }


@dataclass(frozen=True, kw_only=True)
class JudgeOfEmoji(JudgeOfDigits):
    sets = ("emoji",)

    data: str = setting("emoji", "what to learn from")
    # After 1,000 steps the loss on validation pictures rises.
    steps: int = setting(1_000, "optimiser steps", least=20)
    batch_size: int = setting(64, "images a step of each network", least=2)
    weight_decay: float = setting(0.05, "of the weights", least=0)
    label_smoothing: float = setting(
        0.1, "share of the target that all classes have", least=0, below=1
    )
    widths: tuple[int, ...] = setting((32, 64, 96, 96), "channels of convolutions")
    turn: float = setting(10.0, "degrees by which pictures are turned", least=0)
    zoom: float = setting(0.15, "by which the log of their size changes", least=0)
    shift: float = setting(3.0, "pixels by which they are moved", least=0)
    jitter: float = setting(
        0.2, "by which brightness, contrast and saturation change", least=0, below=1
    )
    dealings: int = setting(40, "pairs of halves in the test of noticing", least=2)

    def arguments(self, data: EmojiData) -> dict[str, Any]:
        return {
            "image_shape": list(data.train.x.shape[1:]),
            "num_classes": len(data.classes),
            "widths": list(self.widths),
        }

    def training(self, network: nn.Module, data: EmojiData) -> Training:
        parts = self.divisions(data)
        others = [Judge(**self.arguments(data)) for _ in parts[1:]]
        networks = [
            judge.to(data.train.x.device, memory_format=torch.channels_last)
            for judge in (network, *others)
        ]
        opt = AdamW(
            [weight for judge in networks for weight in judge.parameters()],
            self.lr,
            weight_decay=self.weight_decay,
            fused=True,
        )
        schedule = OneCycleLR(opt, self.lr, total_steps=self.steps, pct_start=0.2)
        trainer = SideBySideTrainer(
            networks,
            opt,
            schedule,
            decay=self.average_decay,
            label_smoothing=self.label_smoothing,
        )
        batches = BaseBatches(
            [part.train for part in parts],
            batch_size=self.batch_size,
            augment=self.augment,
            seed=self.seed,
        )
        averages = [average.module for average in trainer.averages]
        return Training(
            trainer,
            batches,
            averages[0],
            lambda: {"validation macro F1": macro_f1(averages[0], data.validation)},
            lambda: f1_of_all(averages, [part.test for part in parts]),
        )

    def judge(self, network: nn.Module, data: EmojiData) -> dict[str, float]:
        values = super().judge(network, data) | {
            "test_macro_f1": macro_f1(network, data.test),
            "validation_macro_f1": macro_f1(network, data.validation),
            "test_bases": len(set(data.test.base)),
        }
        with same_random_state():
            torch.manual_seed(0)
            untrained = Judge(**self.arguments(data)).to(data.test.x.device)
        new = (data.validation, data.test)
        x, base = torch.cat([s.x for s in new]), [b for s in new for b in s.base]
        y = torch.cat([s.y for s in new])
        for prefix, judge in (("", network), ("untrained_", untrained)):
            found = noticed_faults(judge, x, y, base, self.dealings)
            values |= {prefix + name: value for name, value in found.items()}
        return values

    def splits(self, data: EmojiData) -> tuple[EmojiSplit, EmojiSplit]:
        return data.train, data.validation

    def divisions(self, data: EmojiData) -> list[EmojiData]:
        """The data, which are of division 0, and those of the other divisions."""
        size, device = data.train.x.shape[-1], data.train.x.device
        return [data] + [emoji(size, k).to(device) for k in range(1, DIVISIONS)]

    def augment(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """Turned, resized, moved, half of them mirrored, on white, and recoloured."""

        def uniform(*shape: int) -> Tensor:
            return 2 * torch.rand(shape, generator=generator, device=x.device) - 1

        n, side = len(x), x.shape[-1]
        angle = uniform(n) * math.radians(self.turn)
        zoom = (uniform(n) * self.zoom).exp()
        # From -1 to 1, as affine_grid counts, there are `side` pixels.
        move = uniform(n, 2) * 2 * self.shift / side
        mirror = torch.where(uniform(n) < 0, -1.0, 1.0)
        c, s = angle.cos() * zoom, angle.sin() * zoom
        rows = torch.stack([c * mirror, -s, s * mirror, c], dim=1).view(n, 2, 2)
        matrix = torch.cat([rows, move[:, :, None]], dim=2)
        grid = F.affine_grid(matrix, x.shape, align_corners=False)
        # What comes in from outside is 0: in the negative, that is white.
        negative = F.grid_sample(1 - x, grid, align_corners=False)
        factors = (self.jitter,) * 3
        return color_jitter((1 - negative).clamp(0, 1), *factors, generator=generator)


def macro_f1(network: nn.Module, split: EmojiSplit) -> float:
    """The mean over classes of F1, in which each base counts 1."""
    return round(f1_scores(_confusion(network, split)).nanmean().item(), 4)


def f1_of_all(
    networks: Sequence[nn.Module], splits: Sequence[EmojiSplit]
) -> dict[str, float]:
    """Macro F1 of each network on its own split, their mean and standard deviation.

    Also macro F1 of all predictions taken together, which suffers less from a class
    of which a split has few bases.
    """
    tables = [_confusion(*pair) for pair in zip(networks, splits, strict=True)]
    scores = torch.stack([f1_scores(table).nanmean() for table in tables])
    values = {f"macro_f1_{k}": value for k, value in enumerate(scores.tolist())}
    values["macro_f1_mean"] = scores.mean().item()
    values["macro_f1_deviation"] = scores.std().item()
    values["macro_f1_together"] = f1_scores(sum(tables)).nanmean().item()
    return {name: round(value, 4) for name, value in values.items()}


def _confusion(network: nn.Module, split: EmojiSplit) -> Tensor:
    logits = predict(network, split.x)
    return confusion_by_group(
        split.y, logits.argmax(dim=1), split.base, logits.shape[1]
    )
