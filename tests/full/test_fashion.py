"""The full Fashion-MNIST."""

import pytest

from companion.data import digits, fashion
from companion.metrics import accuracy, predict
from companion.pretrained import pretrained, read_card


def test_counts_and_classes():
    data = fashion()
    for split, each in ((data.train, 5_500), (data.validation, 500), (data.test, 1000)):
        assert split.x.shape == (10 * each, 1, 28, 28)
        assert split.y.bincount().tolist() == [each] * 10
    assert len(data.classes) == 10 and data.full
    # A known picture: ankle boots are wide below, trousers are tall.
    boot, trousers = (data.train.x[data.train.y == k].mean(0)[0] for k in (9, 1))
    assert boot[18:].mean() > 2 * boot[:6].mean()
    assert (trousers > 0.3).any(0).sum() < (trousers > 0.3).any(1).sum()


def test_it_is_not_mnist():
    assert fashion().train.x.mean() > 1.5 * digits("embedded").train.x.mean()


def test_the_judge_of_clothes_is_as_good_as_its_card_says():
    test, judge = fashion().test, pretrained("judge_clothes")
    found = accuracy(predict(judge, test.x), test.y)
    values = read_card("judge_clothes")["values"]
    assert found == pytest.approx(values["test_accuracy"], abs=0.001)
