"""Whether convolutions learned elsewhere help where few emoji have labels.

The target is five classes of emoji, those of which a class has drawings enough. The
sources of the convolutions: none (random weights), digits, photographs (CIFAR-10), and
the other five classes of emoji. Each run has another division of the drawings, other
labelled pictures, each of a drawing of its own, and newly trained sources, so that
differences between sources are taken within a run and their errors over runs. All
pictures are moved at random in training: without it, in a trial, the network that
starts from random weights was four points worse at 240 labels, and a weak rival proves
nothing. Frozen convolutions keep their weights and those of their batch normalisation,
whose averages follow the new pictures.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from companion.data import Batches, EmojiSplit, Split, cifar10, crop, digits, emoji
from companion.metrics import mean_by_group, predict
from companion.models.classifier import Classifier
from companion.trainers import ClassifierTrainer, fit
from companion.workshop.recipe import Found, Study, setting

TARGET = ("people", "nature", "food", "objects", "flags")
USES = ("frozen", "fine-tuned")
NEAR = "other emoji"


@dataclass(frozen=True, kw_only=True)
class Transfer(Study):
    source = "OpenMoji, CC BY-SA 4.0; MNIST; CIFAR-10"

    runs: int = setting(5, "divisions, draws and networks of each source", least=2)
    labelled: tuple[int, ...] = setting(
        (15, 60, 240), "labelled pictures of the target"
    )
    steps: int = setting(300, "optimiser steps on the target")
    source_steps: int = setting(1000, "optimiser steps on a source")
    batch_size: int = setting(32, "labelled pictures a step, at most")
    source_batch_size: int = setting(64, "pictures of a source a step")
    lr: float = setting(2e-3, "highest learning rate")

    def find_out(self, device: torch.device) -> Found:
        """All sources, uses and numbers of labels, in each run."""
        # The embedded digits would be another source.
        data = {"digits": digits("full").train, "photographs": cifar10().train}
        return self.compare(data, device)

    def compare(self, far: dict[str, Split], device: torch.device) -> Found:
        """The study with given far sources; the near one and the target are emoji."""
        started = time.perf_counter()
        accuracy: dict[str, list[list[float]]] = {}
        errors, steps, bases = [], 0, []
        for run in range(self.runs):
            data = emoji(division=self.seed + run)
            target = [data.classes.index(name) for name in TARGET]
            others = [k for k in range(len(data.classes)) if k not in target]
            train = of_classes(data.train, target)
            held = [of_classes(s, target) for s in (data.validation, data.test)]
            x, y = (torch.cat([part[k] for part in held]).to(device) for k in (0, 1))
            base = (*held[0][2], *held[1][2])
            bases.append(len(set(base)))
            sources: dict[str, nn.Module | None] = {"none": None}
            for name, split in far.items():
                sources[name] = self._source(like_emoji(split.x), split.y, run, device)
            near = of_classes(data.train, others)
            sources[NEAR] = self._source(near[0], near[1], run, device)
            steps += self.source_steps * (len(sources) - 1)
            print(f"run {run}: sources trained", flush=True)
            for name, network in sources.items():
                for use in USES:
                    row = []
                    for n in self.labelled:
                        few = few_labels(train[1], train[2], n, self.seed + run)
                        x_few, y_few = (
                            train[0][few].to(device),
                            train[1][few].to(device),
                        )
                        learner = self._learn(network, use, x_few, y_few, run)
                        hit = (predict(learner, x).argmax(1) == y).float()
                        mean, error = mean_by_group(hit, base)
                        row.append(round(mean, 4))
                        errors.append(error)
                        steps += self.steps
                    accuracy.setdefault(f"{name}, {use}", []).append(row)
                    print(f"run {run}: {name}, {use}: {row}", flush=True)
        values = {
            "target": list(TARGET),
            "labelled": list(self.labelled),
            "accuracy": accuracy,
            "differences": {
                rival: {
                    name: differences(rows, accuracy[rival])
                    for name, rows in accuracy.items()
                    if name != rival
                }
                for rival in (f"none, {use}" for use in USES)
            },
            "held_bases": bases,
            "error_within_a_run": round(sum(errors) / len(errors), 4),
        }
        return Found(values, steps, time.perf_counter() - started)

    def _source(
        self, x: Tensor, y: Tensor, run: int, device: torch.device
    ) -> Classifier:
        torch.manual_seed(self.seed + run)
        network = small_classifier(int(y.max()) + 1).to(device)
        x, y = x.to(device), y.to(device)
        self._fit(network, x, y, self.source_steps, self.source_batch_size, run)
        return network

    def _learn(
        self, source: nn.Module | None, use: str, x: Tensor, y: Tensor, run: int
    ) -> Classifier:
        # The same new layers for all sources: they differ in the convolutions only.
        torch.manual_seed(self.seed + run)
        network = small_classifier(len(TARGET)).to(x.device)
        if source is not None:
            network.convolutions.load_state_dict(source.convolutions.state_dict())
        network.convolutions.requires_grad_(use == "fine-tuned")
        self._fit(network, x, y, self.steps, min(self.batch_size, len(x)), run)
        return network

    def _fit(
        self, network: nn.Module, x: Tensor, y: Tensor, steps: int, size: int, run: int
    ) -> None:
        opt = AdamW([p for p in network.parameters() if p.requires_grad])
        schedule = OneCycleLR(opt, self.lr, total_steps=steps)
        trainer = ClassifierTrainer(network, opt, schedule=schedule)
        batches = Batches(x, y, batch_size=size, augment=crop, seed=self.seed + run)
        if fit(trainer, batches, steps=steps, progress=False).interrupted:
            raise KeyboardInterrupt


def small_classifier(num_classes: int) -> Classifier:
    """The book's classifier with narrow layers, untrained."""
    return Classifier(
        widths=(16, 32, 64), hidden=64, batch_norm=True, num_classes=num_classes
    )


def of_classes(
    split: EmojiSplit, wanted: Sequence[int]
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Pictures of some classes, labels that count these classes from 0, and bases."""
    numbers = torch.tensor(wanted)
    keep = torch.isin(split.y, numbers)
    base = tuple(b for b, kept in zip(split.base, keep.tolist(), strict=True) if kept)
    return split.x[keep], torch.searchsorted(numbers, split.y[keep]), base


def few_labels(y: Tensor, base: Sequence[str], n: int, seed: int) -> Tensor:
    """Which n pictures have labels: as many of each class, each of another base.

    Fewer labels of the same seed are among more.

    Raises: ValueError if n is no multiple of the classes, or a class has too few bases.
    """
    num_classes = int(y.max()) + 1
    each, rest = divmod(n, num_classes)
    g = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(base), generator=g).tolist()
    one = torch.tensor(sorted({base[i]: i for i in order}.values()))
    one = one[torch.randperm(len(one), generator=g)]
    fewest = int(y[one].bincount(minlength=num_classes).min())
    if rest or not 1 <= each <= fewest:
        raise ValueError(
            f"{n} labels for {num_classes} classes, the smallest of {fewest} bases: "
            "give a multiple of the classes that each can fill."
        )
    return torch.cat([one[y[one] == k][:each] for k in range(num_classes)])


def like_emoji(x: Tensor) -> Tensor:
    """Grey 28 x 28 pixels on black become 32 x 32 colour pixels on white.

    Colour pictures are returned as they are.
    """
    if x.shape[1] == 3:
        return x
    return (1 - F.pad(x, (2, 2, 2, 2))).expand(-1, 3, -1, -1)


def differences(
    rows: Sequence[Sequence[float]], rival: Sequence[Sequence[float]]
) -> list[list[float]]:
    """Mean and standard error over runs of the difference, for each column."""
    gain = torch.tensor(rows).double() - torch.tensor(rival).double()  # (runs, n)
    error = gain.std(0) / len(gain) ** 0.5
    return [
        [round(m, 4), round(e, 4)]
        for m, e in zip(gain.mean(0).tolist(), error.tolist(), strict=True)
    ]
