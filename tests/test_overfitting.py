"""The study of over-fitting: what its runs learn from, and how they are compared."""

import math

import numpy as np
import pytest
import torch

from companion.data import emoji
from companion.recipes.overfitting import (
    PLAIN,
    STOPPED,
    TREATMENTS,
    Answers,
    Change,
    Overfitting,
    ask,
    class_f1,
    differences,
    part_of,
)

TINY = {
    "divisions": 2,
    "steps": 20,
    "size": 8,
    "widths": (4, 4, 4),
    "hidden": 4,
    "small_widths": (2, 2, 2),
    "small_hidden": 2,
}


@pytest.fixture(scope="module")
def found():
    return Overfitting(**TINY).find_out(torch.device("cpu"))


@pytest.fixture(scope="module")
def data():
    return emoji(8)


def test_each_treatment_is_run_on_each_division(found):
    runs = found.values["runs"]
    assert set(runs) == {*TREATMENTS, STOPPED}
    assert all(len(run["test_accuracy"]) == 2 for run in runs.values())
    assert found.steps == 2 * 20 * sum(c.longer for c in TREATMENTS.values())
    for key in ("accuracy", "loss"):
        first, second = (runs[name][f"test_{key}"] for name in ("L1", PLAIN))
        each = found.values["differences"]["L1"][f"{key}_each"]
        assert each == pytest.approx(np.subtract(first, second), abs=2e-4)


def test_early_stopping_keeps_the_pass_with_the_lowest_loss(found):
    stopped, plain = (found.values["runs"][name] for name in (STOPPED, PLAIN))
    for division in range(2):
        losses = plain["passes"][division]["validation_loss"]
        assert stopped["validation_loss"][division] == min(losses)
        assert plain["validation_loss"][division] == losses[-1]


def test_the_same_seed_gives_the_same_runs(found):
    again = Overfitting(**TINY).find_out(torch.device("cpu"))
    assert again.values == found.values


def test_a_constant_learning_rate_trains_another_network(found):
    names = (PLAIN, "constant learning rate", "constant learning rate, a third")
    losses = [found.values["runs"][name]["train_loss"][0] for name in names]
    assert len(set(losses)) == 3


def test_one_picture_of_each_base(data):
    part = part_of(data.train, Change(single=True), seed=0)
    assert sorted(part.base) == sorted(set(data.train.base))
    place = {code: i for i, code in enumerate(data.train.codes)}
    for i in range(0, len(part), 100):
        at = place[part.codes[i]]
        assert torch.equal(part.x[i], data.train.x[at])
        assert part.y[i] == data.train.y[at]
        assert part.base[i] == data.train.base[at]


def test_a_share_of_the_bases_keeps_all_their_pictures_and_all_classes(data):
    part = part_of(data.train, Change(bases=0.25), seed=0)
    kept = set(part.base)
    assert len(kept) == pytest.approx(len(set(data.train.base)) / 4, abs=5)
    assert len(part) == sum(base in kept for base in data.train.base)
    assert set(part.y.tolist()) == set(range(10))
    other = part_of(data.train, Change(bases=0.25), seed=1)
    assert set(other.base) != kept


def test_without_a_change_all_pictures_are_learned_from(data):
    assert part_of(data.train, Change(), seed=0).codes == data.train.codes


def answers(hit):
    hit = torch.tensor(hit)
    return Answers(hit, 1 - hit, torch.zeros(len(hit), dtype=torch.int64))


def test_a_base_in_two_test_sets_counts_once():
    class Test:
        def __init__(self, *base):
            self.base = base

    tests = Test("a", "a", "b"), Test("a", "a", "c")
    one = answers([1.0, 1.0, 1.0]), answers([0.0, 1.0, 0.0])
    other = answers([0.0, 0.0, 0.0]), answers([0.0, 1.0, 0.0])
    # a: half of its four pictures gained; b gained; c did not.
    gain = differences(one, other, tests)
    error = np.std([0.5, 1.0, 0.0], ddof=1) / math.sqrt(3)
    assert gain["accuracy"] == pytest.approx([0.5, error], abs=1e-4)
    assert gain["accuracy_each"] == [1.0, 0.0]
    assert gain["loss"] == pytest.approx([-0.5, error], abs=1e-4)


def test_a_perfect_network_has_an_f1_of_1(data):
    class Knows(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.one_hot(data.test.y, 10).float()

    right = ask(Knows(), data.test)
    assert right.hit.mean() == 1
    assert class_f1([right], [data.test]) == [1.0] * 10
