"""Emoji by class, skin tone and word: flow matching, with a U-Net that reads words.

A drawing is shown four times in an epoch, or once in each of its variants if there are
more. One time in four its caption is the class alone.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from companion.data import EmojiData
from companion.data.naming import EmojiCaptions, shown_evenly
from companion.metrics import accuracy, predict
from companion.metrics.captions import skin_tones
from companion.metrics.generation import kernel_distance
from companion.models.words import WordFlow
from companion.pretrained import pretrained
from companion.recipes.flow_digits import flow_training
from companion.workshop.recipe import Recipe, Training, setting

GUIDANCE = 2.0


@dataclass(frozen=True, kw_only=True)
class FlowEmoji(Recipe):
    kind = WordFlow
    sets = ("emoji",)
    ships = True

    data: str = setting("emoji", "what to learn from")
    steps: int = setting(16_000, "optimiser steps", least=20)
    batch_size: int = setting(32, "images a step")
    lr: float = setting(3e-3, "highest learning rate")
    maps: tuple[int, ...] = setting(
        (48, 96, 128), "channels of the maps, largest first"
    )
    drop: float = setting(0.1, "share of dropped captions", below=1)
    decay: float = setting(0.999, "of the average of the weights", least=0, below=1)
    weight_decay: float = setting(0.01, "decay of the weights", least=0)
    size: int = setting(32, "side of the pictures")

    def arguments(self, data: EmojiData) -> dict[str, Any]:
        vocabulary = EmojiCaptions.of(data).vocabulary
        return {
            "image_shape": list(data.train.x.shape[1:]),
            "widths": list(self.maps),
            "words": list(vocabulary.words),
            "longest": vocabulary.longest,
        }

    def training(self, network: nn.Module, data: EmojiData) -> Training:
        captions = EmojiCaptions.of(data)
        words = captions.numbers(data.train)
        shown = shown_evenly(data.train)
        y = words[shown]
        alone = torch.rand(len(y), generator=torch.Generator().manual_seed(0)) < 0.25
        y[alone] = captions.of_classes(data.train.y.cpu()[shown][alone])
        x = data.train.x
        return flow_training(self, network, x[shown.to(x.device)], y.to(x.device))

    def judge(self, network: nn.Module, data: EmojiData) -> dict[str, float]:
        return scores_of_captions(network, data)


def scores_of_captions(network: nn.Module, data: EmojiData) -> dict[str, float]:
    """Pictures for the captions of the test pictures, beside these.

    Whether they are of the class (by judge_emoji) and of the tone that was asked for;
    the kernel distance between the judge's features of samples and of test pictures,
    beside that of the validation pictures; and the distance to the nearest training
    picture. With and without guidance.
    """
    captions, test = EmojiCaptions.of(data), data.test
    device = test.x.device
    judge = pretrained("judge_emoji", device)
    y = captions.numbers(test).to(device)
    drawn = {
        f"guided_{weight:g}": network.sample(
            len(y),
            y=y,
            guidance=weight,
            generator=torch.Generator(device).manual_seed(1),
        )
        for weight in (1.0, GUIDANCE)
    }
    real = predict(judge, test.x, function=judge.features)
    values = {}
    for name, x in (
        *drawn.items(),
        ("test", test.x),
        ("validation", data.validation.x),
    ):
        features = predict(judge, x, function=judge.features)
        if name != "validation":
            logits = predict(judge, features, function=judge.classify)
            told = test.skin > 0
            tones = skin_tones(x[told]) == test.skin[told]
            values[f"{name}_class"] = accuracy(logits, test.y)
            values[f"{name}_tone"] = tones.double().mean().item()
            apart = torch.cdist(x.flatten(1), data.train.x.flatten(1))
            values[f"{name}_neighbour"] = apart.amin(dim=1).median().item()
        if name != "test":
            values[f"{name}_distance"] = kernel_distance(real, features)
    return {name: round(value, 4) for name, value in values.items()}
