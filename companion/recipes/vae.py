"""Digits by a VAE whose posterior has a full covariance: its bounds on -log p(x).

The network of the chapter on the VAE, trained longer, on all images that are not for
testing, each batch binarised anew, and with a little weight decay, for after so many
steps the network over-fits. Its weights would take 2 MB and do not ship.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from companion.data import Batches, ImageData, binarize
from companion.losses.full_covariance import (
    full_importance_weighted_nll,
    full_path_negative_elbo,
)
from companion.models.full_covariance import FullCovarianceVAE
from companion.runtime import evaluating, same_random_state
from companion.trainers import VAETrainer
from companion.workshop.recipe import Recipe, Training, setting

BETAS = (0.9, 0.99)


@dataclass(frozen=True, kw_only=True)
class FullCovarianceDigits(Recipe):
    kind = FullCovarianceVAE

    steps: int = setting(9000, "optimiser steps", least=20)
    batch_size: int = setting(100, "images a step")
    lr: float = setting(5e-3, "highest learning rate")
    latent: int = setting(32, "numbers of a latent vector")
    decay: float = setting(0.05, "of the weights", least=0)
    samples: int = setting(500, "latent vectors of an image in the lower bound")

    def arguments(self, data: ImageData) -> dict[str, Any]:
        return {"latent": self.latent}

    def training(self, network: nn.Module, data: ImageData) -> Training:
        opt = AdamW(
            network.parameters(), self.lr, BETAS, weight_decay=self.decay, fused=True
        )
        schedule = OneCycleLR(
            opt,
            self.lr,
            total_steps=self.steps,
            pct_start=0.1,
            anneal_strategy="linear",
        )
        trainer = VAETrainer(
            network, opt, objective=full_path_negative_elbo, schedule=schedule
        )
        batches = Batches(
            torch.cat([data.train.x, data.validation.x]),
            batch_size=self.batch_size,
            augment=binarize,
            seed=self.seed,
        )
        return Training(trainer, batches, network)

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        """Two bounds on -log p(x) of the test images, binarised once with seed 0."""
        generator = torch.Generator(data.test.x.device).manual_seed(0)
        x = binarize(data.test.x, generator=generator)
        with evaluating(network), same_random_state():
            torch.manual_seed(0)
            # The mean over images, of which the last part may have fewer.
            nelbo = sum(
                full_path_negative_elbo(network, part)["loss"].item() * len(part)
                for part in x.split(1000)
            )
            nll = full_importance_weighted_nll(
                network, x, self.samples, generator=generator
            )
        return {
            "negative_elbo": round(nelbo / len(x), 2),
            "importance_weighted_nll": round(nll.mean().item(), 2),
            "standard_error": round((nll.std() / len(nll) ** 0.5).item(), 2),
            "samples": self.samples,
            "test_images": len(x),
        }
