"""Which cure of over-fitting helps? Classifiers of emoji, on five divisions by drawing.

Each treatment changes one thing of the plain run, or two, and is trained once on each
of five divisions, for as many steps. Differences from the plain run are taken picture
by picture of the test sets. Their means and errors count each base, that is, each
drawing with its variants, once, also if it is in the test sets of two divisions; how
the five trainings themselves differ is recorded beside. Two treatments are no cures,
but ask what the schedule of the learning rate is worth.

In trials on division 0, batches of one picture of each base an epoch, as the recipe
`judge_emoji` has them, did no better on the validation pictures than batches of all
pictures, and neither did turning, zooming and recolouring in the place of mirroring
and moving.
"""

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from companion.data import Batches, EmojiData, EmojiSplit, crop, emoji, flip
from companion.data.openmoji import CLASSES
from companion.losses import cross_entropy
from companion.metrics import confusion_by_group, f1_scores, mean_by_group, predict
from companion.models.classifier import Classifier
from companion.trainers import ClassifierTrainer, fit
from companion.workshop.recipe import Found, Study, setting

PLAIN = "no precaution"
STOPPED = "early stopping"  # of the plain run: it needs no training of its own


class Change(NamedTuple):
    """What a treatment changes of the plain run."""

    bases: float = 1.0  # share of the training bases
    single: bool = False  # one picture of each base only
    augment: bool = False
    dropout: float = 0.0
    decay: float = 0.0
    l1: float = 0.0
    smoothing: float = 0.0
    small: bool = False
    longer: int = 1  # times the steps
    constant: float = 0.0  # a learning rate that stays, as a share of the highest


TREATMENTS = {
    PLAIN: Change(),
    "a quarter of the drawings": Change(bases=0.25),
    "one picture a drawing": Change(single=True),
    "augmentation": Change(augment=True),
    "dropout": Change(dropout=0.5),
    "weight decay": Change(decay=1.0),
    "L1": Change(l1=1e-3),
    "smaller net": Change(small=True),
    "label smoothing": Change(smoothing=0.1),
    "augmentation + decay": Change(augment=True, decay=1.0),
    "no precaution, twice as long": Change(longer=2),
    "augmentation, twice as long": Change(augment=True, longer=2),
    "constant learning rate": Change(constant=1.0),
    "constant learning rate, a third": Change(constant=1 / 3),
}


class Answers(NamedTuple):
    """What a network says of a split, one value a picture: 1 if right, loss, class."""

    hit: Tensor
    nll: Tensor
    y_hat: Tensor


@dataclass(frozen=True, kw_only=True)
class Overfitting(Study):
    source = "OpenMoji, CC BY-SA 4.0"

    divisions: int = setting(5, "divisions of the drawings", least=2)
    steps: int = setting(500, "optimiser steps of a run, half of the longer ones")
    batch_size: int = setting(64, "images a step", least=2)
    lr: float = setting(3e-3, "highest learning rate")
    size: int = setting(32, "side of the pictures", least=8)
    widths: tuple[int, ...] = setting((16, 32, 64), "channels of the convolutions")
    hidden: int = setting(64, "numbers in the hidden layer")
    small_widths: tuple[int, ...] = setting((8, 16, 16), "channels of the smaller net")
    small_hidden: int = setting(16, "numbers in its hidden layer")

    def find_out(self, device: torch.device) -> Found:
        """Each treatment on each division, and the differences from the plain run."""
        started, steps = time.perf_counter(), 0
        runs: dict[str, list[dict[str, Any]]] = {}
        answers: dict[str, list[Answers]] = {}
        tests: list[EmojiSplit] = []
        for division in range(self.divisions):
            data = emoji(self.size, division).to(device)
            tests.append(data.test)
            for name, change in TREATMENTS.items():
                train = part_of(data.train, change, self.seed + division)
                kept = [(name, *self._train(train, data.validation, change, division))]
                if name == PLAIN:
                    _, network, passes, best = kept[0]
                    stopped = deepcopy(network)
                    stopped.load_state_dict(best)
                    kept.append((STOPPED, stopped, passes, best))
                for label, network, passes, _ in kept:
                    numbers, test = self._measure(network, train, data)
                    runs.setdefault(label, []).append(numbers | {"passes": passes})
                    answers.setdefault(label, []).append(test)
                steps += self.steps * change.longer
                print(
                    f"division {division}, {name}: train "
                    f"{runs[name][-1]['train_accuracy']:.3f}, test "
                    f"{runs[name][-1]['test_accuracy']:.3f}, "
                    f"{time.perf_counter() - started:.0f} s in all",
                    flush=True,
                )
        values = {
            "runs": {
                name: {key: [run[key] for run in rows] for key in rows[0]}
                for name, rows in runs.items()
            },
            "differences": {
                name: differences(made, answers[PLAIN], tests)
                for name, made in answers.items()
                if name != PLAIN
            },
            "class_f1_together": {
                name: class_f1(made, tests) for name, made in answers.items()
            },
            "class_f1": {
                name: [class_f1([a], [t]) for a, t in zip(made, tests, strict=True)]
                for name, made in answers.items()
            },
            "classes": list(CLASSES),
            "test_bases": [len(set(test.base)) for test in tests],
            "test_bases_together": len({b for test in tests for b in test.base}),
        }
        return Found(values, steps, time.perf_counter() - started)

    def _train(
        self, train: EmojiSplit, validation: EmojiSplit, change: Change, division: int
    ) -> tuple[nn.Module, dict[str, list[float]], dict[str, Tensor]]:
        """The network, validation by passes, the weights with the lowest such loss."""
        torch.manual_seed(self.seed + division)
        network = Classifier(
            size=self.size,
            widths=self.small_widths if change.small else self.widths,
            hidden=self.small_hidden if change.small else self.hidden,
            dropout=change.dropout,
            batch_norm=True,
        ).to(train.x.device)
        steps = self.steps * change.longer
        lr = self.lr * (change.constant or 1.0)
        opt = AdamW(network.parameters(), lr, weight_decay=change.decay, fused=True)
        schedule = None
        if not change.constant:
            schedule = OneCycleLR(opt, lr, total_steps=steps, cycle_momentum=False)
        trainer = ClassifierTrainer(
            network,
            opt,
            schedule=schedule,
            l1=change.l1,
            label_smoothing=change.smoothing,
        )
        passes: dict[str, list[float]] = {"validation_loss": [], "accuracy": []}
        best: dict[str, Tensor] = {}

        def validate() -> dict[str, float]:
            found = ask(network, validation)
            loss = mean_by_group(found.nll, validation.base)[0]
            if loss < min(passes["validation_loss"], default=float("inf")):
                best.update(deepcopy(network.state_dict()))
            passes["validation_loss"].append(round(loss, 4))
            right = mean_by_group(found.hit, validation.base)[0]
            passes["accuracy"].append(round(right, 4))
            return {}

        batches = Batches(
            train.x,
            train.y,
            batch_size=min(self.batch_size, len(train)),
            augment=mirror_and_move if change.augment else None,
            seed=self.seed + division,
        )
        history = fit(trainer, batches, steps=steps, validate=validate, progress=False)
        if history.interrupted:
            raise KeyboardInterrupt  # half a comparison is none
        return network, passes, best

    def _measure(
        self, network: nn.Module, train: EmojiSplit, data: EmojiData
    ) -> tuple[dict[str, Any], Answers]:
        """Numbers by base, and what the network says of the test pictures."""
        splits = {"train": train, "validation": data.validation, "test": data.test}
        found = {name: ask(network, split) for name, split in splits.items()}
        values: dict[str, float] = {}
        for name, split in splits.items():
            values[f"{name}_accuracy"] = mean_by_group(found[name].hit, split.base)[0]
            values[f"{name}_loss"] = mean_by_group(found[name].nll, split.base)[0]
        for name in ("validation", "test"):
            table = _confusion(found[name], splits[name])
            values[f"{name}_macro_f1"] = f1_scores(table).nanmean().item()
        numbers: dict[str, Any] = {k: round(v, 4) for k, v in values.items()}
        numbers |= {"train_pictures": len(train), "train_bases": len(set(train.base))}
        return numbers, found["test"]


def mirror_and_move(x: Tensor, *, generator: torch.Generator) -> Tensor:
    return crop(flip(x, generator=generator), 3, generator=generator)


def part_of(split: EmojiSplit, change: Change, seed: int) -> EmojiSplit:
    """The pictures that a treatment may learn from.

    A share of the bases is taken of each class, at least one of it.
    """
    base = np.array(split.base)
    names, first = np.unique(base, return_index=True)
    order = np.random.RandomState(seed).permutation(len(names))
    if change.single:
        # Of each base a picture drawn at random.
        mixed = np.random.RandomState(seed).permutation(len(base))
        _, at = np.unique(base[mixed], return_index=True)
        return chosen(split, np.sort(mixed[at]))
    label = split.y.cpu().numpy()[first]
    taken: list[int] = []
    for k in np.unique(label):
        members = order[label[order] == k]
        taken += members[: max(1, round(change.bases * len(members)))].tolist()
    return chosen(split, np.flatnonzero(np.isin(base, names[taken])))


def chosen(split: EmojiSplit, index: np.ndarray) -> EmojiSplit:
    """The pictures of these numbers, with all that is known of them."""
    at = torch.from_numpy(index).to(split.x.device)
    return EmojiSplit(
        x=split.x[at],
        y=split.y[at],
        skin=split.skin[at],
        names=tuple(split.names[i] for i in index),
        codes=tuple(split.codes[i] for i in index),
        base=tuple(split.base[i] for i in index),
    )


def ask(network: nn.Module, split: EmojiSplit) -> Answers:
    logits = predict(network, split.x)
    y_hat = logits.argmax(dim=1)
    hit = (y_hat == split.y).float()
    return Answers(hit, cross_entropy(logits, split.y), y_hat)


def differences(
    one: Sequence[Answers], other: Sequence[Answers], tests: Sequence[EmojiSplit]
) -> dict[str, Any]:
    """Mean and error, over the bases of all test sets, of one treatment less another.

    A base that is in several test sets is averaged first. Also the mean difference in
    each division.
    """
    base = [name for test in tests for name in test.base]
    values: dict[str, Any] = {}
    measures: dict[str, Callable[[Answers], Tensor]] = {
        "accuracy": lambda a: a.hit,
        "loss": lambda a: a.nll,
    }
    for name, of in measures.items():
        gains = [of(a) - of(b) for a, b in zip(one, other, strict=True)]
        pair = mean_by_group(torch.cat(gains), base)
        each = [
            mean_by_group(gain, test.base)[0]
            for gain, test in zip(gains, tests, strict=True)
        ]
        values[name] = [round(v, 4) for v in pair]
        values[f"{name}_each"] = [round(v, 4) for v in each]
    return values


def class_f1(answers: Sequence[Answers], tests: Sequence[EmojiSplit]) -> list[float]:
    """F1 of each class, by base, for the confusions of several test sets together."""
    table = sum(_confusion(a, t) for a, t in zip(answers, tests, strict=True))
    return [round(v, 4) for v in f1_scores(table).tolist()]


def _confusion(answers: Answers, split: EmojiSplit) -> Tensor:
    return confusion_by_group(split.y, answers.y_hat, split.base, len(CLASSES))
