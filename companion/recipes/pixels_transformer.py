"""Digits drawn pixel by pixel by a transformer over rows: its exact likelihood.

The network and the settings of the chapter on drawing, with more steps, each batch
binarised anew.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import OneCycleLR

from companion.data import Batches, ImageData, binarize
from companion.losses import bernoulli_nll
from companion.metrics import predict
from companion.models.attention import CausalTransformer
from companion.trainers.pixelcnn import LikelihoodTrainer
from companion.workshop.recipe import Recipe, Training, setting

BETAS = (0.9, 0.99)


@dataclass(frozen=True, kw_only=True)
class PixelsTransformer(Recipe):
    kind = CausalTransformer

    steps: int = setting(7500, "optimiser steps", least=20)
    batch_size: int = setting(16, "images a step")
    lr: float = setting(6e-3, "highest learning rate")
    max_norm: float = setting(10.0, "length from which a gradient is clipped")

    def training(self, network: nn.Module, data: ImageData) -> Training:
        opt = Adam(network.parameters(), self.lr, BETAS, fused=True)
        schedule = OneCycleLR(opt, self.lr, total_steps=self.steps, pct_start=0.1)
        trainer = LikelihoodTrainer(
            network, opt, max_norm=self.max_norm, schedule=schedule
        )
        batches = Batches(
            data.train.x, batch_size=self.batch_size, augment=binarize, seed=self.seed
        )
        return Training(trainer, batches, network)

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        """-log p(x) of the test images in nats, binarised once with seed 0."""
        generator = torch.Generator(data.test.x.device).manual_seed(0)
        x = binarize(data.test.x, generator=generator)
        nll = bernoulli_nll(predict(network, x, batch_size=250), x)
        return {
            "nll": round(nll.mean().item(), 2),
            "standard_error": round((nll.std() / len(nll) ** 0.5).item(), 2),
            "test_images": len(x),
        }
