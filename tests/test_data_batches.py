"""Batches: every image once an epoch, the same order again, exact resume."""

import copy

import pytest
import torch

from companion.data import Batches


def seen(batches):
    """The images of one epoch as numbers (each image holds its number)."""
    return torch.cat([x for x, *_ in batches]).flatten().tolist()


def numbered(n=10):
    return torch.arange(n, dtype=torch.float32).view(n, 1, 1, 1)


@pytest.mark.parametrize(
    ("n", "batch_size", "drop_last", "sizes"),
    [
        (10, 4, False, [4, 4, 2]),
        (10, 4, True, [4, 4]),
        (10, 5, True, [5, 5]),
        (10, 100, False, [10]),
        (1, 1, False, [1]),
    ],
)
def test_sizes(n, batch_size, drop_last, sizes):
    batches = Batches(numbered(n), batch_size=batch_size, drop_last=drop_last)
    assert [len(x) for (x,) in batches] == sizes
    assert len(batches) == len(sizes)
    assert batches.num_images == sum(sizes)


def test_every_image_once_an_epoch_in_a_new_order():
    batches = Batches(numbered(50), batch_size=7)
    first, second = seen(batches), seen(batches)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second and first != sorted(first)


def test_drop_last_leaves_out_other_images_each_time():
    batches = Batches(numbered(10), batch_size=4, drop_last=True)
    assert len({frozenset(seen(batches)) for _ in range(10)}) > 1


def test_without_shuffling_the_order_stays():
    batches = Batches(numbered(10), batch_size=3, shuffle=False)
    assert seen(batches) == seen(batches) == list(range(10))


def test_labels_stay_with_their_images():
    x = numbered(30)
    y = x.flatten().long() * 2
    for a, b, c in Batches(x, y, x + 1, batch_size=8):
        assert torch.equal(a.flatten().long() * 2, b) and torch.equal(a + 1, c)


def test_orders_are_uniform():
    batches = Batches(numbered(4), batch_size=4)
    places = torch.tensor([seen(batches) for _ in range(2000)])
    for place in range(4):
        counts = places[:, place].long().bincount(minlength=4)
        # 500 expected, standard deviation 19
        assert (counts - 500).abs().max() < 90


def test_same_seed_same_order_other_seed_other_order():
    orders = [seen(Batches(numbered(20), seed=seed)) for seed in (3, 3, 4)]
    assert orders[0] == orders[1] != orders[2]


def test_the_order_does_not_touch_the_global_generator():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    seen(Batches(numbered(20), augment=lambda x, generator: x))
    assert torch.equal(before, torch.get_rng_state())


def noise(x, generator):
    return x + torch.rand(x.shape, generator=generator)


def test_augmentation_changes_only_images_and_is_repeatable():
    x, y = numbered(12), torch.arange(12)
    runs = [Batches(x, y, batch_size=5, augment=noise) for _ in range(2)]
    for (a, label_a), (b, label_b) in zip(*runs, strict=True):
        assert torch.equal(a, b) and torch.equal(label_a, label_b)
        assert torch.equal(a.flatten().floor().long(), label_a)  # noise is in [0, 1)
        assert not torch.equal(a.flatten(), label_a.float())
    assert torch.equal(x, numbered(12))


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_resumed_equals_uninterrupted(epochs):
    def make():
        return Batches(numbered(20), batch_size=6, augment=noise, seed=5)

    whole = make()
    for _ in range(epochs):
        seen(whole)
    state = copy.deepcopy(whole.state_dict())
    resumed = make()
    resumed.load_state_dict(state)
    assert [seen(resumed), seen(resumed)] == [seen(whole), seen(whole)]


def test_a_foreign_state_is_refused_and_nothing_changes():
    batches = Batches(numbered(20), batch_size=6)
    other = Batches(numbered(30), batch_size=6).state_dict()
    with pytest.raises(ValueError, match="num_images 30, these batches have 20"):
        batches.load_state_dict(other)
    with pytest.raises(ValueError, match="not made by Batches.state_dict"):
        batches.load_state_dict({"weights": 1})
    assert seen(batches) == seen(Batches(numbered(20), batch_size=6))


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "message"),
    [
        ((torch.zeros(0, 1, 2, 2),), {}, ValueError, "nothing to draw"),
        ((torch.tensor(1.0),), {}, ValueError, "nothing to draw"),
        ((numbered(3), torch.zeros(2)), {}, ValueError, r"lengths \[3, 2\]"),
        ((numbered(3),), {"batch_size": 0}, ValueError, "batch_size is 0"),
        ((numbered(3),), {"batch_size": -4}, ValueError, "batch_size is -4"),
        ((numbered(3),), {"batch_size": 1.5}, ValueError, "batch_size is 1.5"),
        ((numbered(3),), {"seed": -1}, ValueError, "seed is -1"),
        (
            (numbered(3),),
            {"batch_size": 4, "drop_last": True},
            ValueError,
            "batch_size is 4, above the 3 images",
        ),
        (([1.0, 2.0],), {}, TypeError, "needs tensors, not list"),
        ((numbered(3), [0, 1, 2]), {}, TypeError, "needs tensors, not list"),
        ((numbered(3).byte(),), {}, TypeError, r"uint8; give x.float\(\) / 255"),
        ((numbered(3), torch.zeros(3, device="meta")), {}, ValueError, "one device"),
    ],
)
def test_bad_input(arguments, settings, error, message):
    with pytest.raises(error, match=message):
        Batches(*arguments, **settings)


def test_a_shift_does_not_depend_on_which_image_comes_first():
    seen = []

    def note(x, *, generator):
        shift = torch.randint(9, (len(x),), generator=generator)
        seen.append((x[0].item(), shift[0].item()))
        return x

    batches = Batches(torch.arange(9.0), batch_size=9, augment=note)
    for _ in range(200):
        list(batches)
    for image in range(9):
        assert len({shift for i, shift in seen if i == image}) > 3
