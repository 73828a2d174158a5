"""Splits: checks at the door, moving, taking; the mixed order."""

import numpy as np
import pytest
import torch

from companion.data import EmojiSplit, ImageData, Split
from companion.data.checks import check_labels, check_unit_range, range_remedy
from companion.data.splits import check_filled, grouped_parts, mixed_order, to_split


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
    codes, base = ("1", "2", "3"), ("1", "1", "3")
    split = EmojiSplit(x, y, skin=y, names=("a", "b", "c"), codes=codes, base=base)
    assert split.take(2).names == ("a", "b") and split.take(1).codes == ("1",)
    assert split.take(2).base == ("1", "1") and split.to("cpu").base == base


def test_words_of_another_length_are_refused():
    x, y = torch.rand(3, 3, 8, 8), torch.zeros(3, dtype=torch.int64)
    words = {"names": ("a", "b", "c"), "codes": ("1", "2", "3"), "base": ("1",) * 3}
    for name in words:
        with pytest.raises(ValueError, match=f"{name} has length 2.*3 pictures"):
            EmojiSplit(x, y, skin=y, **{**words, name: words[name][:2]})


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


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (-0.01, r"x\.clamp\(0, 1\)"),
        (1.01, r"x\.clamp\(0, 1\)"),
        (-1.0, r"\(x \+ 1\) / 2"),
        (255.0, "x / 255"),
        (65535.0, "x / 65535"),
        (-3.0, r"sigmoid\(\); if standardised, x \* deviation \+ mean"),
        (1.5, "sigmoid"),
        (float("nan"), "nan or infinite"),
        (float("inf"), "nan or infinite"),
    ],
)
def test_wrong_range_and_its_remedy(value, remedy):
    x = torch.zeros(2, 1, 2, 2)
    x[1, 0, 1, 1] = value
    with pytest.raises(ValueError, match=f"x runs from .* are in .0, 1.: .*{remedy}"):
        Split(x, torch.zeros(2).long())


def test_the_remedy_of_a_range_leads_into_it():
    x = torch.rand(4, 1, 3, 3)
    x.view(-1)[:2] = torch.tensor([0.0, 1.0])
    for wrong in (2 * x - 1, 255 * x, 65535 * x, 9 * x - 4, 1.04 * x):
        words = range_remedy(wrong.min().item(), wrong.max().item())
        code = words.split("take ")[1].split(";")[0]
        check_unit_range("x", eval(code, {"x": wrong}))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3, np.float32), "faces is ndarray; .*torch.from_numpy"),
        (
            torch.zeros(3, dtype=torch.uint8),
            r"faces is torch.uint8;.*x.float\(\) / 255",
        ),
        (torch.zeros(3, dtype=torch.int64), r"faces is torch.int64;.*x.float\(\)\."),
    ],
)
def test_only_float_tensors_have_a_range(x, message):
    with pytest.raises(TypeError, match=message):
        check_unit_range("faces", x)


def test_slack_and_gradients_pass_the_check_of_the_range():
    x = torch.tensor([-0.01, 1.01], requires_grad=True)
    check_unit_range("x", x, slack=0.02)
    check_unit_range("x", torch.zeros(0))
    with pytest.raises(ValueError, match="x runs from -0.01 to 1.01"):
        check_unit_range("x", x)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([1, 2, 3], ValueError, r"1 to 3; 3 classes are numbered 0 to 2\..* y - 1"),
        ([2, 3], ValueError, r"2 to 3; .*y - 1"),
        ([0, 3], ValueError, r"0 to 3; .* 0 to 2\.$"),
        ([-1, 2], ValueError, r"-1 to 2; .* 0 to 2\.$"),
        ([0.0, 1.0], TypeError, r"float32; .*y.long\(\)"),
        ([], ValueError, "shape"),
        ([[0, 1]], ValueError, "shape"),
    ],
)
def test_wrong_labels(y, error, message):
    y = torch.tensor(y, dtype=torch.float32 if error is TypeError else torch.int64)
    with pytest.raises(error, match=message):
        check_labels("y", y, 3)


def test_labels_in_order_pass():
    check_labels("y", torch.tensor([0, 2, 1]), 3)


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


SHARES = (0.8, 0.1, 0.1)


def made_groups(num_groups, seed=0):
    """Groups of 1 to 4 images, of three classes of unequal size."""
    r = np.random.RandomState(seed)
    label = r.choice(3, num_groups, p=[0.6, 0.3, 0.1])
    which = np.repeat(np.arange(num_groups), r.randint(1, 5, num_groups))
    return np.array([f"g{i}" for i in which]), label[which]


def test_groups_stay_together_and_classes_keep_their_shares():
    keys, y = made_groups(400)
    part = grouped_parts(keys, y, SHARES)
    assert all(len(set(part[keys == key])) == 1 for key in set(keys))
    for label in range(3):
        found = np.bincount(part[y == label], minlength=3) / (y == label).sum()
        # A cut misses its place by half a group at most, in each class.
        assert np.abs(found - SHARES).max() < 4 / (y == label).sum() + 0.005


@pytest.mark.parametrize("num", [10, 11, 13, 50])
@pytest.mark.parametrize("classes", [1, 3, 5, 10])
def test_ten_groups_fill_three_splits_whatever_their_classes(num, classes):
    keys = np.array([f"{i}.png" for i in range(num)])
    part = grouped_parts(keys, np.arange(num) % classes, SHARES)
    counts = np.bincount(part, minlength=3)
    assert np.abs(counts - num * np.array(SHARES)).max() <= 1
    check_filled(part, keys, SHARES)


def test_parts_depend_on_names_and_not_on_the_order():
    keys, y = made_groups(60)
    order = np.random.RandomState(1).permutation(len(keys))
    part = grouped_parts(keys, y, SHARES)
    assert np.array_equal(grouped_parts(keys[order], y[order], SHARES), part[order])
    renamed = grouped_parts(np.char.add(keys, "!"), y, SHARES)
    assert not np.array_equal(renamed, part)


def test_what_is_added_moves_few_groups():
    keys, y = made_groups(1000)
    more, labels = made_groups(1010)
    labels[: len(y)], more[: len(y)] = y, keys
    before = grouped_parts(keys, y, SHARES)
    after = grouped_parts(more, labels, SHARES)[: len(keys)]
    assert (before != after).mean() < 0.01


def test_an_empty_split_is_refused_with_what_is_needed():
    keys = np.array(["a", "a", "b", "c"])
    with pytest.raises(ValueError, match="4 pictures in 3 groups .* test .* 10 groups"):
        check_filled(np.array([0, 0, 0, 1]), keys, SHARES)
