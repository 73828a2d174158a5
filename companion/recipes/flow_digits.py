"""Digits by label: flow matching, with a small U-Net that says the velocity.

Some of the labels are dropped, so that the network also draws without and samples can
lean towards their label. The samples that are judged do not lean.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from companion.data import Batches, ImageData
from companion.losses.diffusion import logit_normal_times
from companion.models.unet import UNetFlow
from companion.trainers import WeightAverage
from companion.trainers.diffusion import DiffusionTrainer
from companion.workshop.judging import scores_of_samples
from companion.workshop.recipe import (
    FOLDER,
    Recipe,
    Training,
    num_classes,
    setting,
)

BETAS = (0.9, 0.99)


@dataclass(frozen=True, kw_only=True)
class FlowDigits(Recipe):
    kind = UNetFlow
    sets = ("digits", "fashion", "emoji", "icons", "cifar10", FOLDER)
    ships = True

    steps: int = setting(30_000, "optimiser steps", least=20)
    batch_size: int = setting(32, "images a step")
    lr: float = setting(4e-3, "highest learning rate")
    maps: tuple[int, ...] = setting((32, 64), "channels of the maps, largest first")
    blocks: int = setting(1, "blocks of each size, on either way")
    attention: bool = setting(False, "whether the smallest maps attend to themselves")
    drop: float = setting(0.1, "share of dropped labels", below=1)
    decay: float = setting(0.999, "of the average of the weights", least=0, below=1)
    size: int = setting(32, "side of the pictures of emoji and of a folder")
    weight_decay: float = setting(0.01, "decay of the weights", least=0)

    def arguments(self, data: ImageData) -> dict[str, Any]:
        return {
            "image_shape": list(data.train.x.shape[1:]),
            "widths": list(self.maps),
            "blocks": self.blocks,
            "attention": self.attention,
            "num_classes": num_classes(data),
            "untold": True,
        }

    def training(self, network: nn.Module, data: ImageData) -> Training:
        return flow_training(self, network, data.train.x, data.train.y)

    def judge(self, network: nn.Module, data: ImageData) -> dict[str, float]:
        return scores_of_samples(network, data, self.data)


def flow_training(
    recipe: Any,
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    times: Callable[..., Tensor] = logit_normal_times,
) -> Training:
    """The run of a flow that is told y, some of it dropped; its average is the result.

    Of the recipe the settings lr, weight_decay, decay, drop, steps, batch_size and seed
    are meant.
    """
    opt = AdamW(
        network.parameters(),
        recipe.lr,
        BETAS,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    average = WeightAverage(network, recipe.decay)
    trainer = DiffusionTrainer(
        network,
        opt,
        times=times,
        drop=recipe.drop,
        average=average,
        schedule=OneCycleLR(opt, recipe.lr, total_steps=recipe.steps, pct_start=0.1),
    )
    batches = Batches(
        x, y, batch_size=recipe.batch_size, seed=recipe.seed, drop_last=True
    )
    return Training(trainer, batches, average.G)
