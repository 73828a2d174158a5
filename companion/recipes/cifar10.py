"""CIFAR-10 by a small residual network.

Nine convolutions and a linear layer in a row, three shortcuts with a convolution, some
sixteen million multiplications an image. The settings are the usual ones for CIFAR-10;
nothing but the length of the run was chosen for it. The validation images are looked at
after every epoch, and the test images once, at the end.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR

from companion.data import ImageData, crop, flip
from companion.metrics import accuracy, confusion_matrix, predict
from companion.models.residual import ResNet, multiplications
from companion.recipes.judge import AveragingTrainer, averaged, split_accuracy
from companion.workshop.recipe import Recipe, Training, setting


@dataclass(frozen=True, kw_only=True)
class Cifar10(Recipe):
    kind = ResNet
    ships = True
    sets = ("cifar10",)

    data: str = setting("cifar10", "what to learn from")
    steps: int = setting(12_000, "optimiser steps", least=20)
    batch_size: int = setting(128, "images a step")
    lr: float = setting(0.1, "highest learning rate")
    momentum: float = setting(0.9, "of Nesterov's kind", least=0, below=1)
    weight_decay: float = setting(5e-4, "of all parameters", least=0)
    # It reaches back some 200 steps, half an epoch.
    average_decay: float = setting(
        0.995, "of the average of the weights", least=0, below=1
    )
    widths: tuple[int, ...] = setting((16, 32, 64, 128), "channels of the stages")
    shift: int = setting(4, "pixels by which images are moved", least=0)

    def arguments(self, data: ImageData) -> dict[str, Any]:
        return {
            "in_channels": data.train.x.shape[1],
            "num_classes": len(data.classes),
            "widths": list(self.widths),
        }

    def training(self, network: nn.Module, data: ImageData) -> Training:
        opt = SGD(
            network.parameters(),
            self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.momentum > 0,
            fused=True,
        )
        schedule = OneCycleLR(
            opt, self.lr, total_steps=self.steps, pct_start=0.2, cycle_momentum=False
        )
        trainer = AveragingTrainer(network, opt, schedule, self.average_decay)
        return averaged(self, trainer, data.train, data.validation)

    def augment(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """Mirrored or not, and moved: what the network is shown of training images."""
        x = flip(x, generator=generator)
        return crop(x, self.shift, generator=generator)

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        """Accuracies, recall of each class, and how often one is taken for another."""
        logits = predict(network, data.test.x)
        counts = confusion_matrix(
            data.test.y, logits.argmax(dim=1), len(data.classes)
        ).tolist()
        values = {
            "test_accuracy": round(accuracy(logits, data.test.y), 4),
            "validation_accuracy": split_accuracy(network, data.validation),
            "test_images": len(data.test),
            "parameters": sum(w.numel() for w in network.parameters()),
            "multiplications": multiplications(network, data.test.x[:1]),
        }
        for name, row in zip(data.classes, counts, strict=True):
            # A test set for a trial may lack a class.
            recall = row[data.classes.index(name)] / max(1, sum(row))
            values[f"recall of {name}"] = round(recall, 4)
        for name, row in zip(data.classes, counts, strict=True):
            for other, count in zip(data.classes, row, strict=True):
                values[f"{name} as {other}"] = count
        return values
