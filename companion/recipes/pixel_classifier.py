"""Digits read by an LSTM as a sequence of 784 single pixels: its accuracy.

The biases are such that each unit begins with a memory of its own length, from 1 to
784 steps. With one large forget bias for all units, which takes in every input in full
as well, the gradient explodes.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.lr_scheduler import OneCycleLR

from companion.data import Batches, ImageData
from companion.metrics import accuracy, predict
from companion.models.rnn import RowClassifier, spread_memories
from companion.trainers.rnn import RowTrainer
from companion.workshop.recipe import Recipe, Training, setting


@dataclass(frozen=True, kw_only=True)
class PixelClassifier(Recipe):
    kind = RowClassifier

    steps: int = setting(6000, "optimiser steps", least=20)
    batch_size: int = setting(128, "images a step")
    lr: float = setting(4e-3, "highest learning rate")
    hidden: int = setting(64, "units of the LSTM")
    max_norm: float = setting(1.0, "length from which a gradient is clipped")
    shuffled: bool = setting(False, "read the pixels in one fixed random order")

    def arguments(self, data: ImageData) -> dict[str, Any]:
        return {"input_size": 1, "hidden": self.hidden}

    def training(self, network: nn.Module, data: ImageData) -> Training:
        x = self._as_pixels(data.train.x)
        spread_memories(network.rnn, x.shape[2])
        opt = Adam(network.parameters(), self.lr, fused=True)
        schedule = OneCycleLR(opt, self.lr, total_steps=self.steps, pct_start=0.1)
        trainer = RowTrainer(network, opt, max_norm=self.max_norm, schedule=schedule)
        batches = Batches(x, data.train.y, batch_size=self.batch_size, seed=self.seed)
        return Training(trainer, batches, network)

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        logits = predict(network, self._as_pixels(data.test.x))
        return {
            "test_accuracy": round(accuracy(logits, data.test.y), 4),
            "test_images": len(data.test),
        }

    def _as_pixels(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, 1, H W, 1): each pixel becomes a row."""
        x = x.flatten(2)
        if self.shuffled:
            generator = torch.Generator().manual_seed(0)
            x = x[:, :, torch.randperm(x.shape[2], generator=generator).to(x.device)]
        return x[..., None]
