"""Colours for outlines of things: pix2pix, where the outline does not tell the colour.

At each step the three channels of each picture stand in a random order. Without the
batch normalisation of G all things came in one colour, and with a sub-pixel doubling
replaced by resizing the surfaces became no more even.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from companion.data import PairBatches
from companion.data.colouring import outlined, recoloured
from companion.data.openmoji import EmojiData, EmojiSplit
from companion.losses import absolute_error
from companion.metrics import predict
from companion.metrics.colours import chroma, nearest_order_error, unevenness
from companion.models.translation import PatchDiscriminator, UNet
from companion.recipes.cures import falling
from companion.trainers import Pix2PixTrainer, TranslationTrainer
from companion.workshop.recipe import Recipe, Training, setting

BETAS = (0.5, 0.99)


@dataclass(frozen=True, kw_only=True)
class Colours(Recipe):
    kind = UNet
    sets = ("emoji",)
    ships = True

    data: str = setting("emoji", "what to learn from")
    steps: int = setting(6000, "optimiser steps")
    batch_size: int = setting(16, "pairs a step")
    lr: float = setting(2e-3, "learning rate, of the first half")
    lambda_l1: float = setting(10.0, "weight of the L1 error", least=0)
    r1: float = setting(0.1, "weight of the R1 penalty", least=0)
    size: int = setting(32, "side of the pictures")

    def arguments(self, data: EmojiData) -> dict[str, Any]:
        return {"in_channels": 1, "out_channels": 3}

    def training(self, network: nn.Module, data: EmojiData) -> Training:
        trainer = game(network, self.lr, self.steps, self.lambda_l1, self.r1)
        batches = pairs(data, self.batch_size, self.seed)
        return Training(trainer, batches, network)

    def judge(self, network: nn.Module, data: EmojiData) -> dict[str, float]:
        return painted(network, data.test)


def pairs(data: EmojiData, batch_size: int, seed: int) -> PairBatches:
    """Outlines and pictures of the training set, coloured anew each time."""
    x, y = outlined(data.train)
    return PairBatches(x, y, batch_size=batch_size, augment=recoloured, seed=seed)


def regression(G: nn.Module, lr: float, steps: int) -> TranslationTrainer:
    """G learns by the L1 error alone."""
    opt = Adam(G.parameters(), lr, BETAS, fused=True)
    return TranslationTrainer(G, opt, schedule_G=LambdaLR(opt, falling(steps)))


def game(
    G: nn.Module, lr: float, steps: int, lambda_l1: float, r1: float
) -> Pix2PixTrainer:
    """G plays against an untrained discriminator of outline and picture."""
    device = next(G.parameters()).device
    D = PatchDiscriminator(G.in_channels + G.out_channels).to(device)
    opts = [Adam(net.parameters(), lr, BETAS, fused=True) for net in (G, D)]
    schedules = [LambdaLR(opt, falling(steps)) for opt in opts]
    return Pix2PixTrainer(
        G,
        D,
        *opts,
        lambda_l1=lambda_l1,
        r1=r1,
        schedule_G=schedules[0],
        schedule_D=schedules[1],
    )


def painted(network: nn.Module, split: EmojiSplit) -> dict[str, float]:
    """What a network that colours outlines is known by, on pictures of a split.

    The chroma is that of the pixels that are painted in the true picture, beside that
    of the true ones.
    """
    x, y = outlined(split)
    made = predict(network, x)
    where = (x[:, 0] > 0.95) & (y.amin(dim=1) < 0.95)
    share = chroma(made)[where].mean() / chroma(y)[where].mean()
    values = {
        "error": absolute_error(made, y).mean(),
        "nearest_order_error": nearest_order_error(made, y).mean(),
        "chroma_beside_true": share,
        "unevenness": torch.tensor(unevenness(made, x)),
    }
    return {name: round(value.item(), 4) for name, value in values.items()}
