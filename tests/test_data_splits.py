"""Splits: checks at the door, moving, taking; the mixed order."""

import numpy as np
import pytest
import torch

from companion.data import EmojiSplit, ImageData, Split
from companion.data.splits import mixed_order, to_split


def make_split(n=6):
    return Split(torch.rand(n, 3, 4, 5), torch.arange(n))


def test_length_take_and_to():
    split = make_split()
    assert len(split) == 6
    first = split.take(2)
    assert torch.equal(first.x, split.x[:2]) and torch.equal(first.y, split.y[:2])
    moved = split.to("cpu")
    assert torch.equal(moved.x, split.x) and torch.equal(moved.y, split.y)


def test_a_set_moves_with_its_splits_and_keeps_its_words():
    splits = [make_split(n) for n in (3, 1, 2)]
    moved = ImageData(*splits, ("a",), "made here").to(torch.device("cpu"))
    for split, old in zip(
        (moved.train, moved.validation, moved.test), splits, strict=True
    ):
        assert torch.equal(split.x, old.x) and torch.equal(split.y, old.y)
    assert (moved.classes, moved.source, moved.full) == (("a",), "made here", True)


def test_what_is_taken_is_a_copy():
    split = make_split()
    taken = split.take(2)
    taken.x.zero_()
    assert split.x[:2].any()
    assert taken.x.untyped_storage().nbytes() == 4 * taken.x.numel()


def test_words_are_taken_with_their_pictures():
    x, y = torch.rand(3, 3, 8, 8), torch.zeros(3, dtype=torch.int64)
    split = EmojiSplit(x, y, skin=y, names=("a", "b", "c"), codes=("1", "2", "3"))
    assert split.take(2).names == ("a", "b") and split.take(1).codes == ("1",)


def test_words_of_another_length_are_refused():
    x, y = torch.rand(3, 3, 8, 8), torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match="names has length 2.*3 pictures"):
        EmojiSplit(x, y, skin=y, names=("a", "b"), codes=("1", "2", "3"))


@pytest.mark.parametrize("n", [0, 7, -1])
def test_take_refuses_what_is_not_there(n):
    with pytest.raises(ValueError, match=f"n is {n}; .* 1 to 6"):
        make_split().take(n)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        ((4, 1, 2, 2), torch.zeros(3).long(), ValueError, "4 images but 3 labels"),
        ((4, 2, 2), torch.zeros(4).long(), ValueError, r"\(4, 2, 2\).*\(N, C, H, W\)"),
        ((0, 1, 2, 2), torch.zeros(0).long(), ValueError, "empty"),
        ((4, 1, 2, 2), torch.zeros(4), TypeError, "y is torch.float32"),
        ((4, 1, 2, 2), [0, 1, 2, 3], TypeError, "y is list"),
    ],
)
def test_wrong_shapes_lengths_and_labels(x, y, error, message):
    with pytest.raises(error, match=message):
        Split(torch.zeros(x), y)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float64, torch.float16])
def test_wrong_dtype(dtype):
    with pytest.raises(TypeError, match=f"x is {dtype}; give a tensor of torch.float3"):
        Split(torch.zeros(2, 1, 2, 2, dtype=dtype), torch.zeros(2).long())


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, float("nan"), float("inf")])
def test_wrong_range(value):
    x = torch.zeros(2, 1, 2, 2)
    x[1, 0, 1, 1] = value
    with pytest.raises(ValueError, match="x runs from .* divide bytes by 255"):
        Split(x, torch.zeros(2).long())


@pytest.mark.parametrize("counts", [(50, 50), (10, 90), (1, 7, 200), (5,)])
def test_mixed_order_is_a_fair_permutation(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    order = mixed_order(y)
    assert sorted(order) == list(range(len(y)))
    shares = np.array(counts) / len(y)
    for n in range(1, len(y) + 1):
        found = np.bincount(y[order[:n]], minlength=len(counts))
        assert np.abs(found - n * shares).max() <= len(counts)


def test_mixed_order_depends_on_the_seed_only():
    y = np.arange(100) % 3
    assert np.array_equal(mixed_order(y, 1), mixed_order(y, 1))
    assert not np.array_equal(mixed_order(y, 1), mixed_order(y, 2))
    # Within a class the order is random, not that of the file.
    assert not np.array_equal(np.sort(order := mixed_order(y)[::3]), order)


@pytest.mark.parametrize("shape", [(5, 4, 4), (5, 3, 4, 4)])
def test_bytes_become_floats_in_the_given_order(shape):
    images = np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)
    images.flat[0], images.flat[-1] = 0, 255
    split = to_split(images, np.arange(5, dtype=np.uint8), np.array([4, 0, 2]))
    assert split.y.tolist() == [4, 0, 2]
    expected = images[[4, 0, 2]].reshape(3, -1, 4, 4) / 255
    assert np.abs(split.x.numpy() - expected).max() < 1e-7
