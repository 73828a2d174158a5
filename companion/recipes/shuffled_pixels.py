"""What a convolution loses if neighbouring pixels are torn apart.

Digits as they are and with one fixed permutation of their pixels, learned by a linear
classifier, by a small CNN and by two networks with one hidden layer: one with about as
many parameters as the CNN, one with about as many multiplications an image. The linear
classifier and the two MLPs cannot tell the two kinds of digits apart before they are
trained; the CNN can.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from companion.convolution import shuffle_pixels
from companion.data import Batches, ImageData, digits
from companion.data.mnist import FULL_SOURCE
from companion.metrics import accuracy, predict
from companion.models.residual import multiplications
from companion.trainers import ClassifierTrainer, fit
from companion.workshop.recipe import Found, Study, setting

PIXELS, CLASSES = 28 * 28, 10
BLANK = torch.zeros(1, 1, 28, 28)
WIDTHS = (8, 16, 32)  # maps of the CNN's convolutions


@dataclass(frozen=True, kw_only=True)
class ShuffledPixels(Study):
    source = FULL_SOURCE

    lengths: tuple[int, ...] = setting((300, 3000), "optimiser steps of a run")
    runs: int = setting(3, "runs of each case, with seeds counted from 0")
    batch_size: int = setting(64, "images a step")
    lr: float = setting(5e-3, "learning rate at the start, for Adam")

    def find_out(self, device: torch.device) -> Found:
        """The test accuracy of each run, and what each network costs."""
        return self.compare(digits("full"), device)

    def compare(self, data: ImageData, device: torch.device) -> Found:
        """The same for other digits: the order of the pixels comes from `seed`."""
        data = data.to(device)
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(PIXELS, generator=generator).to(device)
        kinds = {"plain": data, "shuffled": shuffled(data, order)}
        makers = networks()
        started, steps = time.perf_counter(), 0
        found: dict[str, dict[str, dict[str, list[float]]]] = {}
        for kind, pictures in kinds.items():
            found[kind] = {name: {} for name in makers}
            for name, make in makers.items():
                for length in self.lengths:
                    runs = [
                        self._accuracy(pictures, make, seed, length, device)
                        for seed in range(self.runs)
                    ]
                    found[kind][name][str(length)] = runs
                    steps += length * self.runs
                    seconds = time.perf_counter() - started
                    print(
                        f"{kind}, {name}, {length} steps: {runs}, "
                        f"{seconds:.0f} s in all",
                        flush=True,
                    )
        values = {
            "accuracy": found,
            "lengths": list(self.lengths),
            "seeds": list(range(self.runs)),
            "parameters": {name: parameters(make()) for name, make in makers.items()},
            "multiplications": {
                name: multiplications(make(), BLANK) for name, make in makers.items()
            },
            "test_images": len(data.test),
        }
        return Found(values, steps, time.perf_counter() - started)

    def _accuracy(
        self,
        data: ImageData,
        make: Callable[[], nn.Module],
        seed: int,
        steps: int,
        device: torch.device,
    ) -> float:
        torch.manual_seed(seed)
        model = make().to(device)
        opt = torch.optim.Adam(model.parameters(), lr=self.lr)
        decay = torch.optim.lr_scheduler.LinearLR(opt, 1.0, 0.05, steps)
        trainer = ClassifierTrainer(model, opt, schedule=decay)
        x, y = data.train.x, data.train.y
        batches = Batches(x, y, batch_size=self.batch_size, seed=seed)
        if fit(trainer, batches, steps=steps, progress=False).interrupted:
            raise KeyboardInterrupt  # half a comparison is none
        return round(accuracy(predict(model, data.test.x), data.test.y), 4)


def shuffled(data: ImageData, order: Tensor) -> ImageData:
    """The same digits with their pixels in another order, the same for all."""
    parts = {
        name: type(part)(shuffle_pixels(part.x, order), part.y)
        for name, part in (
            ("train", data.train),
            ("validation", data.validation),
            ("test", data.test),
        )
    }
    return ImageData(**parts, classes=data.classes, source=data.source, full=data.full)


def networks() -> dict[str, Callable[[], nn.Module]]:
    """The four networks; the widths of the two MLPs follow from the CNN's costs."""
    pair = PIXELS + CLASSES  # the weights of one hidden unit, in and out
    narrow = (parameters(cnn()) - CLASSES) // (pair + 1)
    wide = multiplications(cnn(), BLANK) // pair
    return {
        "linear": linear,
        "MLP, equal parameters": lambda: mlp(narrow),
        "MLP, equal work": lambda: mlp(wide),
        "CNN": cnn,
    }


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, CLASSES))


def mlp(width: int) -> nn.Module:
    hidden, output = nn.Linear(PIXELS, width), nn.Linear(width, CLASSES)
    return nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), output)


def cnn() -> nn.Module:
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip((1, *WIDTHS), WIDTHS, strict=False):
        # Pooling before ReLU gives the same values as after it, with less work.
        layers += [nn.Conv2d(fan_in, fan_out, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(WIDTHS[-1] * 9, CLASSES))
    return net.to(memory_format=torch.channels_last)


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
