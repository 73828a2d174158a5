"""The study of depth: a tiny run, equal beginnings, and what it does about failure."""

import json
import math

import pytest
import torch

import companion.recipes.depth
from companion.data import digits
from companion.data.splits import Split
from companion.recipes.depth import RATES, Depth, loss_of, small

TINY = Depth(blocks=(1, 2), width=2, steps=20, tuning_steps=20, batch_size=8, seeds=2)


@pytest.fixture(scope="module")
def train():
    return small(digits("embedded").train.take(200))


def kind(blocks=1, batch_norm=True, residual=True):
    return {"blocks": blocks, "batch_norm": batch_norm, "residual": residual}


def test_a_tiny_study_has_a_case_for_each_kind(capsys):
    found = TINY.find_out(torch.device("cpu"))
    values = json.loads(json.dumps(found.values))
    assert values["seeds"] == [0, 1] and values["test_images"] == 1000
    cases = values["cases"]
    keys = ("layers", "batch_norm", "residual", "steps")
    kinds = [tuple(case[key] for key in keys) for case in cases]
    usual = [
        (n, bn, r, 20) for n in (4, 6) for bn in (True, False) for r in (False, True)
    ]
    longer = [(6, True, r, 60) for r in (False, True)]
    assert sorted(kinds) == sorted(usual + longer)
    for case in cases:
        assert case["lr"] in RATES
        assert len(case["train_loss"]) == len(case["test_accuracy"]) == 2
        assert all(math.isfinite(loss) for loss in case["train_loss"])
        twins = [c for c in cases if c["layers"] == case["layers"]]
        twins = [c for c in twins if c["batch_norm"] == case["batch_norm"]]
        assert len({c["parameters"] for c in twins}) == 1
    tuning = 8 * len(RATES) * 20
    assert found.steps == tuning + 2 * (8 * 20 + 2 * 60)
    assert len(capsys.readouterr().out.splitlines()) == len(cases)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_plain_and_residual_begin_alike(batch_norm):
    one, other = (
        TINY.network(kind(2, batch_norm, residual), seed=5)
        for residual in (True, False)
    )
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_same_seed_gives_the_same_network(train):
    losses = []
    for seed in (3, 3, 4):
        network = TINY.network(kind(), seed)
        TINY.train(network, train, 1e-2, 20, seed)
        losses.append(loss_of(network, train))
    assert losses[0] == losses[1] != losses[2]


def test_the_rate_is_the_one_with_the_lowest_loss(train):
    rate, steps = TINY._rate(train, kind())
    losses = {}
    for lr in RATES:
        network = TINY.network(kind(), seed=100)
        TINY.train(network, train, lr, 20, 100)
        losses[lr] = loss_of(network, train)
    assert rate == min(RATES, key=losses.__getitem__)
    assert steps == 20 * len(RATES)


def test_what_diverges_is_kept_as_nothing(train):
    case = TINY._case(train, train, kind(batch_norm=False), lr=math.inf, times=1)
    assert case["train_loss"] == case["test_accuracy"] == [None, None]


def test_what_the_last_step_ruins_is_kept_as_nothing(train, monkeypatch):
    def ruin(self, network, *_):
        torch.nn.init.constant_(network.output.bias, math.nan)

    monkeypatch.setattr(Depth, "train", ruin)
    case = TINY._case(train, train, kind(), lr=0.01, times=1)
    assert case["train_loss"] == case["test_accuracy"] == [None, None]
    with pytest.raises(FloatingPointError, match="No learning rate of"):
        TINY._rate(train, kind())


def test_without_a_usable_rate_the_study_ends(train, monkeypatch):
    monkeypatch.setattr(companion.recipes.depth, "RATES", (math.inf,))
    with pytest.raises(FloatingPointError, match="No learning rate of"):
        TINY._rate(train, kind(batch_norm=False))


def test_digits_are_cut_out_and_halved():
    x = torch.zeros(1, 1, 28, 28)
    x[0, 0, 4, 4], x[0, 0, 23, 22], x[0, 0, 3, 3] = 1.0, 0.5, 1.0
    found = small(Split(x, torch.zeros(1).long())).x
    assert found.shape == (1, 1, 10, 10)
    assert found[0, 0, 0, 0] == 0.25 and found[0, 0, 9, 9] == 0.125
    assert found.sum() == 0.375
