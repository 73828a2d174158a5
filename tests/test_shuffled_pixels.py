"""The study of shuffled pixels: a tiny run, and what its networks cost."""

import json

import pytest
import torch
from torch import nn

from companion.data import ImageData, digits
from companion.diagrams.canvas import shape
from companion.diagrams.convolution import small_cnn_diagram
from companion.models.residual import multiplications
from companion.recipes.shuffled_pixels import (
    ShuffledPixels,
    networks,
    parameters,
    shuffled,
)

CPU, BLANK = torch.device("cpu"), torch.zeros(1, 1, 28, 28)


@pytest.fixture(scope="module")
def data():
    """A few of the embedded digits."""
    whole = digits("embedded")
    return ImageData(
        train=whole.train.take(40),
        validation=whole.validation.take(10),
        test=whole.test.take(30),
        classes=whole.classes,
        source=whole.source,
        full=False,
    )


@pytest.fixture(scope="module")
def study():
    return ShuffledPixels(lengths=(2, 6), runs=2, batch_size=8)


@pytest.fixture(scope="module")
def found(study, data):
    return study.compare(data, CPU)


def test_every_run_of_every_case_is_kept(found, data):
    values = json.loads(json.dumps(found.values))
    assert values == found.values
    assert (values["lengths"], values["seeds"]) == ([2, 6], [0, 1])
    assert values["test_images"] == len(data.test)
    assert values["accuracy"].keys() == {"plain", "shuffled"}
    for by_network in values["accuracy"].values():
        assert by_network.keys() == networks().keys()
        for by_length in by_network.values():
            assert by_length.keys() == {"2", "6"}
            for runs in by_length.values():
                assert len(runs) == 2 and all(0 <= run <= 1 for run in runs)
    assert found.steps == 2 * 4 * 2 * (2 + 6) and found.seconds > 0


def test_the_same_study_finds_the_same(study, data, found):
    assert study.compare(data, CPU).values == found.values


def test_longer_runs_and_other_pixels_lead_elsewhere(found):
    accuracy = found.values["accuracy"]
    for kind in accuracy:
        lengths = accuracy[kind]["MLP, equal work"]
        assert lengths["2"] != lengths["6"]
    assert accuracy["plain"] != accuracy["shuffled"]


def test_the_two_mlps_match_the_cnn_in_one_cost_each():
    made = {name: make() for name, make in networks().items()}
    cnn = made["CNN"]
    for name, cost in (
        ("MLP, equal parameters", parameters),
        ("MLP, equal work", lambda net: multiplications(net, BLANK)),
    ):
        # A unit more would be more than the CNN has.
        assert cost(made[name]) <= cost(cnn) < cost(made[name]) + 28 * 28 + 10 + 1


def test_multiplications_are_counted_as_by_hand():
    made = {name: make() for name, make in networks().items()}
    places = (28 * 28, 14 * 14, 7 * 7)
    kernels = (8 * 9, 16 * 8 * 9, 32 * 16 * 9)
    by_hand = sum(a * b for a, b in zip(places, kernels, strict=True)) + 288 * 10
    assert multiplications(made["CNN"], BLANK) == by_hand
    assert (
        multiplications(made["linear"], BLANK)
        == 7840
        == parameters(made["linear"]) - 10
    )


def test_the_schematic_shows_the_shapes_of_the_cnn():
    labels = " ".join(arrow.label for arrow in small_cnn_diagram().arrows)
    x = torch.zeros(2, 1, 28, 28)
    assert shape("B", *x.shape[1:]) in labels
    for layer in networks()["CNN"]():
        x = layer(x)
        if isinstance(layer, nn.ReLU | nn.Linear):
            assert shape("B", *x.shape[1:]) in labels


def test_only_the_cnn_minds_the_order_of_the_pixels(data):
    order = torch.randperm(784, generator=torch.Generator().manual_seed(0))
    x = data.test.x
    moved = shuffled(data, order)
    assert torch.equal(moved.test.y, data.test.y)
    for name, make in networks().items():
        torch.manual_seed(0)
        model = make()
        before = model(x)
        first = next(m for m in model if isinstance(m, nn.Conv2d | nn.Linear))
        if name != "CNN":  # its first weights follow the pixels to their new places
            first.weight.data = first.weight.data[:, order]
        same = torch.allclose(model(moved.test.x), before, atol=1e-5)
        assert same == (name != "CNN"), name


@pytest.mark.parametrize("bad", [{"runs": 0}, {"lengths": ()}, {"lr": 0.0}])
def test_settings_out_of_range_are_named(bad):
    (name,) = bad
    with pytest.raises(ValueError, match=f"--{name} is .*; give"):
        ShuffledPixels(**bad)
