"""The study of the fully connected GAN: a tiny run, and what it is made of."""

import json
import math

import pytest
import torch

from companion.data import ImageData, digits
from companion.recipes.game import (
    LOSSES,
    RATES,
    VARIANTS,
    Game,
    Watched,
    measured_by,
    networks,
)
from companion.trainers import fit

TINY = Game(
    passes=2,
    seeds=2,
    tuning_passes=1,
    batch_size=32,
    num_images=320,
    loss_seeds=1,
    loss_passes=1,
    head_start=2,
)
NUMBERS = ("frechet", "precision", "recall", "confident", "largest class")


@pytest.fixture(scope="module")
def data():
    whole = digits("embedded")
    return ImageData(
        train=whole.train.take(320),
        validation=whole.validation.take(320),
        test=whole.test.take(320),
        classes=whole.classes,
        source=whole.source,
        full=False,
    )


@pytest.fixture(scope="module")
def found(data):
    return TINY.from_data(data)


def test_a_tiny_study_has_each_variant_and_each_loss(found):
    values = json.loads(json.dumps(found.values))
    assert values["steps"] == [10, 20]
    assert values["variants"].keys() == VARIANTS.keys()
    for case in values["variants"].values():
        assert case["lr"] in RATES
        assert case.keys() == {"lr", *NUMBERS, "loss_G", "loss_D"}
        for name in NUMBERS:
            assert [len(run) for run in case[name]] == [2, 2]
            assert all(math.isfinite(v) for run in case[name] for v in run)
        assert case["frechet"][0] != case["frechet"][1]
    losses = values["losses"]
    for start in ("none", "head"):
        assert losses[start].keys() == LOSSES.keys()
        for runs in losses[start].values():
            assert [len(run) for run in runs] == [1]
    assert len(losses["untrained"]) == len(losses["D_fake"]) == 1
    assert found.steps == 4 * 10 * (len(RATES) + 2 * 2) + 4 * 10 + 2
    assert found.picture.shape == (1, 3, 4 * 2 * 56, 10 * 56)
    assert 0 <= found.picture.min() and found.picture.max() <= 1


def test_a_first_pass_is_that_of_a_run_of_one_pass(data, found):
    case = found.values["variants"]["plain"]
    once = Game(**{**vars(TINY), "passes": 1})
    pair = networks("plain", 0, data)
    once.train(data, pair, case["lr"], 0, epochs=1)
    again = measured_by(data.test.x[:320])(pair[0])
    assert {name: round(v, 4) for name, v in again.items()} == {
        name: case[name][0][0] for name in NUMBERS
    }


def test_losses_are_means_over_a_hundred_steps():
    class Counting:
        n = 0

        def takes(self, x):
            return {}

        def step(self, x):
            self.n += 1
            value = torch.tensor(float(self.n))
            return {"loss_G": value, "loss_D": -value}

    watched = Watched(Counting())
    fit(watched, [(torch.zeros(1, 1),)] * 250, steps=250, progress=False)
    assert watched.means == {"loss_G": [50.5, 150.5], "loss_D": [-50.5, -150.5]}


def test_an_interrupted_study_is_none(data, monkeypatch):
    class Interrupted:
        interrupted = True

    monkeypatch.setattr(
        "companion.recipes.game.fit", lambda *args, **settings: Interrupted()
    )
    with pytest.raises(KeyboardInterrupt):
        TINY.from_data(data)
