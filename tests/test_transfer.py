import json

import pytest
import torch

from companion.data import Split, emoji
from companion.recipes.transfer import (
    TARGET,
    Transfer,
    differences,
    few_labels,
    like_emoji,
    of_classes,
)


@pytest.fixture(scope="module")
def target():
    data = emoji()
    wanted = [data.classes.index(name) for name in TARGET]
    return data, of_classes(data.train, wanted)


def test_the_target_is_cut_out_with_its_bases(target):
    data, (x, y, base) = target
    assert len(x) == len(y) == len(base)
    names = dict(zip(data.train.base, data.train.y.tolist(), strict=True))
    assert all(
        data.classes[names[b]] == TARGET[k]
        for b, k in zip(base, y.tolist(), strict=True)
    )


def test_labelled_pictures_are_balanced_and_of_different_bases(target):
    _, (_, y, base) = target
    few = few_labels(y, base, 240, seed=3)
    assert len({base[i] for i in few.tolist()}) == 240
    assert y[few].bincount().tolist() == [48] * 5
    assert set(few_labels(y, base, 15, seed=3).tolist()) < set(few.tolist())
    other = few_labels(y, base, 240, seed=4)
    assert set(other.tolist()) != set(few.tolist())


def test_each_base_is_as_likely_as_any_other():
    # Of two bases of one class, one has nine pictures and one has a single one.
    y, base = torch.zeros(10, dtype=torch.int64), ("many",) * 9 + ("one",)
    single = sum(few_labels(y, base, 1, seed)[0] == 9 for seed in range(400))
    assert 150 < single < 250


@pytest.mark.parametrize("n", [0, 4, 300])
def test_labels_that_cannot_be_drawn_are_refused(target, n):
    _, (_, y, base) = target
    with pytest.raises(ValueError, match="give a multiple"):
        few_labels(y, base, n, seed=0)


def test_digits_become_black_on_white_in_colour():
    x = like_emoji(torch.ones(2, 1, 28, 28))
    assert x.shape == (2, 3, 32, 32)
    assert x[0, 0, 0, 0] == 1 and x[0, 0, 16, 16] == 0
    colours = torch.rand(1, 3, 32, 32)
    assert like_emoji(colours) is colours


def test_differences_are_paired():
    found = differences([[0.5, 0.9], [0.7, 0.9]], [[0.4, 0.9], [0.6, 0.5]])
    # Equal gains have no error; gains of 0 and 0.4 have 0.2 * sqrt(2) / sqrt(2).
    assert found == [[0.1, 0.0], [0.2, 0.2]]


def test_a_tiny_study_records_every_run():
    g = torch.Generator().manual_seed(0)
    digits = Split(torch.rand(40, 1, 28, 28, generator=g), torch.arange(40) % 10)
    recipe = Transfer(runs=2, labelled=(5, 10), steps=2, source_steps=3)
    found = recipe.compare({"digits": digits}, torch.device("cpu"))
    values = json.loads(json.dumps(found.values))
    # Fifteen bases of a class in validation and in test; a few bases have two classes.
    assert all(150 <= bases <= 155 for bases in values["held_bases"])
    names = [
        f"{source}, {use}"
        for source in ("none", "digits", "other emoji")
        for use in ("frozen", "fine-tuned")
    ]
    assert list(values["accuracy"]) == names
    table = torch.tensor([*values["accuracy"].values()])
    assert table.shape == (6, 2, 2) and table.min() >= 0 and table.max() <= 1
    assert 0 < values["error_within_a_run"] < 0.1
    gained = values["differences"]["none, fine-tuned"]
    assert list(gained) == [name for name in names if name != "none, fine-tuned"]
    by_hand = (table[5] - table[1]).double().mean(0)
    for (mean, error), expected in zip(
        gained["other emoji, fine-tuned"], by_hand, strict=True
    ):
        assert abs(mean - expected) < 1e-4 and error >= 0
    # 2 runs of 2 sources, and of 6 ways with 2 numbers of labels.
    assert found.steps == 2 * (2 * 3 + 6 * 2 * 2)


def test_a_run_repeats_itself():
    recipe = Transfer(runs=2, labelled=(5,), steps=2, source_steps=1)
    first, second = (recipe.compare({}, torch.device("cpu")) for _ in range(2))
    assert first.values == second.values
