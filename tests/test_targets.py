"""The study of what a denoiser should say: a tiny run, and its measure of errors."""

import json
import math

import pytest
import torch

from companion.data import ImageData, digits
from companion.models.diffusion import Estimate, cosine
from companion.recipes.targets import RATES, TARGETS, TIMES, Drawn, Targets, errors

TINY = Targets(
    steps=4,
    tuning_steps=2,
    seeds=2,
    batch_size=8,
    maps=(8, 8),
    num_images=320,
    draw_steps=2,
)


@pytest.fixture(scope="module")
def data():
    whole = digits("embedded")
    return ImageData(
        train=whole.train.take(40),
        validation=whole.validation.take(320),
        test=whole.test.take(320),
        classes=whole.classes,
        source=whole.source,
        full=False,
    )


def test_a_tiny_study_scores_each_target(data, capsys):
    found = TINY.from_data(data)
    values = json.loads(json.dumps(found.values))
    assert values["targets"].keys() == TARGETS.keys()
    for target in values["targets"].values():
        assert target["lr"] in RATES
        assert len(target["frechet"]) == len(target["seconds"]) == 2
        assert all(math.isfinite(value) for value in target["frechet"])
        assert [len(row) for row in target["errors"]] == [len(TIMES)] * 2
    assert found.steps == 3 * (2 * 2 + 2 * 4)
    assert "velocity" in capsys.readouterr().out


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_begins_with_the_same_network_and_ends_at_a_rate_near_zero(
    target, data
):
    trainer = TINY.trainer(target, data, 1e-3, 0, steps=20)
    other = TINY.trainer("noise", data, 1e-3, 0, steps=20)
    ours, theirs = (t.denoiser.network.state_dict() for t in (trainer, other))
    for name, weights in ours.items():
        torch.testing.assert_close(weights, theirs[name])
    for _ in range(20):
        trainer.step(data.train.x[:8])
    assert trainer.opt.param_groups[0]["lr"] < 1e-5


class Knows(torch.nn.Module):
    """A denoiser that answers what it was made with."""

    path = cosine()

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def signal(self, x):
        return 2 * x - 1

    def forward(self, x_t, t):
        return Estimate(self.answer.expand_as(x_t), x_t)


def test_the_error_is_that_of_the_picture():
    x = torch.full((3, 1, 4, 4), 0.75)
    assert errors(Knows(torch.tensor(0.5)), x) == [0.0] * len(TIMES)
    assert errors(Knows(torch.tensor(-0.5)), x) == [1.0] * len(TIMES)


@pytest.mark.parametrize("target", TARGETS)
def test_samples_are_pictures_and_the_same_for_a_seed(target, data):
    denoiser = TINY.trainer(target, data, 1e-3, 0, steps=4).denoiser
    one, again = (
        Drawn(denoiser, 2).sample(5, generator=torch.Generator().manual_seed(0))
        for _ in range(2)
    )
    assert one.shape == (5, 1, 28, 28)
    assert 0 <= one.min() and one.max() <= 1
    assert torch.equal(one, again)
