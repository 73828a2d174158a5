"""Measures in which each group of pictures counts 1."""

import math

import pytest
import torch
from sklearn.metrics import confusion_matrix as oracle

from companion.metrics import confusion_by_group, confusion_matrix, mean_by_group


def test_each_group_counts_one_in_the_confusion():
    y = torch.tensor([0, 0, 0, 0, 1, 1, 1])
    y_hat = torch.tensor([0, 0, 1, 1, 1, 1, 0])
    # a: two thirds; b: wrong; c: two thirds.
    groups = ["a", "a", "a", "b", "c", "c", "c"]
    table = confusion_by_group(y, y_hat, groups, 3)
    expected = torch.tensor([[2 / 3, 4 / 3, 0], [1 / 3, 2 / 3, 0], [0, 0, 0]])
    torch.testing.assert_close(table, expected.double())
    weights = [1 / groups.count(group) for group in groups]
    weighted = oracle(y, y_hat, labels=range(3), sample_weight=weights)
    torch.testing.assert_close(table, torch.from_numpy(weighted))
    alone = confusion_by_group(y, y_hat, list("abcdefg"), 3)
    assert torch.equal(alone, confusion_matrix(y, y_hat, 3).double())


def test_the_mean_and_its_error_by_hand():
    values = torch.tensor([1.0, 0, 0, 1, 1])
    mean, error = mean_by_group(values, ["a", "a", "b", "c", "c"])
    assert mean == pytest.approx((0.5 + 0 + 1) / 3)
    assert error == pytest.approx(0.5 / math.sqrt(3))  # 0.5 is their deviation
    mean, error = mean_by_group(values.bool(), "aaaaa")
    assert mean == pytest.approx(0.6) and math.isnan(error)


def test_the_error_is_that_of_another_draw_of_groups():
    # 60 groups of 1 to 20 pictures that are right or wrong together.
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(1, 21, (60,), generator=generator)
    groups = torch.arange(60).repeat_interleave(sizes)
    names = [str(group) for group in groups.tolist()]
    right = (torch.rand(400, 60, generator=generator) < 0.7).float()
    drawn = [mean_by_group(row[groups], names) for row in right]
    means, errors = torch.tensor(drawn).T
    assert errors.mean() == pytest.approx(means.std().item(), rel=0.08)


def test_copies_of_a_picture_change_nothing():
    values, groups = torch.tensor([1.0, 0, 1, 1]), list("abcd")
    again = torch.cat([values, values[1:2].expand(7)]), groups + ["b"] * 7
    assert mean_by_group(*again) == pytest.approx(mean_by_group(values, groups))


def test_what_does_not_fit_is_named():
    y = torch.tensor([0, 1])
    with pytest.raises(ValueError, match="1 groups for 2 pictures"):
        mean_by_group(y.float(), ["a"])
    with pytest.raises(ValueError, match=r"shape \(2, 1\)"):
        mean_by_group(y[:, None].float(), ["a", "b"])
    with pytest.raises(ValueError, match="no pictures"):
        mean_by_group(torch.zeros(0), [])
    with pytest.raises(ValueError, match="1 groups for 2 pictures"):
        confusion_by_group(y, y, ["a"], 2)
    with pytest.raises(ValueError, match="2 labels, 1 predictions"):
        confusion_by_group(y, y[:1], ["a", "b"], 2)
    with pytest.raises(ValueError, match="y_hat"):
        confusion_by_group(y, y + 1, ["a", "b"], 2)
    with pytest.raises(TypeError, match="y "):
        confusion_by_group(y.float(), y, ["a", "b"], 2)
