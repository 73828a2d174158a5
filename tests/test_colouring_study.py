"""The study of colouring and its recipe: tiny runs, and what is measured."""

import json
import math

import pytest
import torch
from torch import nn

from companion.data import emoji
from companion.data.colouring import exchange, outlined
from companion.metrics.colours import unevenness
from companion.recipes.colouring import CASES, Colouring
from companion.recipes.colours import painted

TINY = Colouring(steps=2, seeds=2, batch_size=4, size=16)


@pytest.fixture(scope="module")
def data():
    return emoji(16)


def test_a_tiny_study_scores_each_case(data, capsys):
    found = TINY.from_data(data)
    values = json.loads(json.dumps(found.values))
    assert values["cases"].keys() == CASES.keys()
    for name, case in values["cases"].items():
        assert len(case["error"]) == 2 and case["error"][0] != case["error"][1]
        assert all(math.isfinite(value) for value in case["unevenness"])
        assert (case["loss_D"] == [None, None]) == (name == "L1 alone")
    assert found.steps == len(CASES) * 2 * 2
    assert capsys.readouterr().out.count("\n") == len(CASES)


class Paints(nn.Module):
    """Answers with these pictures, whatever it is shown."""

    def __init__(self, y):
        super().__init__()
        self.y = y

    def forward(self, x):
        assert len(x) == len(self.y)
        return self.y


def test_true_pictures_are_painted_rightly(data):
    _, y = outlined(data.test)
    values = painted(Paints(y), data.test)
    assert values["error"] == values["nearest_order_error"] == 0.0
    assert values["chroma_beside_true"] == 1.0


def test_exchanged_channels_are_forgiven_by_all_but_the_error(data):
    _, y = outlined(data.test)
    true = painted(Paints(y), data.test)
    made = painted(
        Paints(exchange(y, generator=torch.Generator().manual_seed(0))), data.test
    )
    assert made.pop("error") > 0.02
    true.pop("error")
    assert made == true


def test_grey_has_no_chroma(data):
    x, _ = outlined(data.test)
    grey = x.expand(-1, 3, -1, -1)
    assert painted(Paints(grey), data.test)["chroma_beside_true"] == 0.0


def test_unevenness_of_two_surfaces():
    outline = torch.ones(1, 1, 8, 8)
    outline[..., 4] = 0.0  # two surfaces, of 32 and of 24 pixels
    x = torch.full((1, 3, 8, 8), 0.5)
    assert unevenness(x, outline) == 0.0
    x[..., 5:] = 1.0  # still one colour each
    assert unevenness(x, outline) == 0.0
    x[:, :, ::2, :4] = 1.0  # stripes on the larger: a deviation of 1/4
    assert unevenness(x, outline) == pytest.approx(0.25 * 32 / 56)


def test_unevenness_refuses_other_shapes_and_pictures_without_a_surface():
    x = torch.rand(2, 3, 8, 8)
    with pytest.raises(ValueError, match=r"must be \(2, 1, 8, 8\)"):
        unevenness(x, torch.ones(2, 1, 4, 4))
    with pytest.raises(ValueError, match="No outline encloses"):
        unevenness(x, torch.zeros(2, 1, 8, 8))
