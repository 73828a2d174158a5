"""The studies of a flow: its learning rates and loss, and its steps."""

import json
import math

import pytest
import torch

from companion.data import ImageData, digits
from companion.models.unet import UNetFlow
from companion.recipes.flow_rates import SCHEDULES, FlowRates, losses, scheduled
from companion.recipes.flow_steps import FlowSteps, evaluations_of
from companion.recipes.latents import Latents
from companion.recipes.targets import RATES, TIMES

TINY = FlowRates(
    steps=20,
    seeds=1,
    batch_size=4,
    maps=(8, 8),
    num_images=320,
    draw_steps=1,
    looks=(5, 10),
)


@pytest.fixture(scope="module")
def data():
    whole = digits("embedded")
    return ImageData(
        train=whole.train.take(40),
        validation=whole.validation.take(40),
        test=whole.test.take(320),
        classes=whole.classes,
        source=whole.source,
        full=False,
    )


def test_a_tiny_study_looks_at_each_network_twice(data):
    found = TINY.from_data(data)
    values = json.loads(json.dumps(found.values))
    cases = [(run["schedule"], run["lr"], run["seed"]) for run in values["runs"]]
    assert cases == [(s, lr, 0) for s in SCHEDULES for lr in RATES]
    assert found.steps == 20 * len(cases)
    for run in values["runs"]:
        assert run["last"]["losses"] != run["average"]["losses"]
        for look in (run["last"], run["average"]):
            assert math.isfinite(look["frechet"])
            assert len(look["losses"]) == len(TIMES)
    way = values["on the way"]
    assert list(way) == ["5", "10", "20"]
    assert way["20"] == values["runs"][0]["average"]


def test_looking_does_not_change_the_training(data):
    a, b = (
        FlowRates(**(vars(TINY) | {"looks": looks})).from_data(data).values["runs"][0]
        for looks in ((1,), (5, 10))
    )
    assert a == b


@pytest.mark.parametrize("name", SCHEDULES)
def test_both_schedules_rise_alike_and_only_one_falls(name):
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    schedule, rates = scheduled(name, opt, 0.1, 100), []
    for _ in range(100):
        rates.append(opt.param_groups[0]["lr"])
        opt.step()
        schedule.step()
    assert max(rates) == pytest.approx(0.1)
    assert rates[0] < 0.02
    assert rates.index(max(rates)) in (9, 10)
    assert (rates[-1] < 1e-3) == (name == "falling")


def test_the_loss_of_an_untrained_network_is_the_variance_of_the_velocity(data):
    x, y = data.test.x, data.test.y
    network = UNetFlow(widths=(8, 8), num_classes=10)  # it says 0
    expected = 1 + (2 * x - 1).square().mean().item()  # noise and picture
    assert losses(network, x, y) == pytest.approx([expected] * len(TIMES), abs=0.02)


def test_a_tiny_study_of_steps(data):
    torch.manual_seed(0)
    network = UNetFlow(widths=(8, 8), num_classes=10)
    torch.nn.init.normal_(network.network.leave[-1].weight, std=0.1)
    study = FlowSteps(
        euler=(1, 8), heun=(1, 4), finest=6, noises=2, repeated=7, num_images=320
    )
    values = json.loads(json.dumps(study.from_data(network, data).values))
    euler, heun = (values["methods"][name] for name in ("Euler", "Heun"))
    assert [row["evaluations"] for row in euler] == [1, 8]
    assert [row["evaluations"] for row in heun] == [1, 7, 11]
    assert [len(row["frechet"]) for row in (*euler, *heun)] == [2, 1, 2, 2, 1]
    assert heun[-1]["apart"] == 0  # those are the pictures compared with
    assert heun[0]["apart"] == euler[0]["apart"] > heun[1]["apart"] > 0


def test_evaluations_are_counted_as_they_are_made():
    calls = []
    network = UNetFlow((1, 8, 8), widths=(8,), num_classes=2)
    network.network.register_forward_hook(lambda *_: calls.append(1))
    for heun in (False, True):
        calls.clear()
        network.sample(2, steps=5, heun=heun)
        assert len(calls) == evaluations_of(5, heun)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FlowRates(steps=50, looks=(50,)), "give steps below --steps 50"),
        (lambda: FlowRates(looks=(20, 10)), "give numbers that rise"),
        (lambda: FlowSteps(euler=(4, 2)), "give numbers that rise"),
    ],
)
def test_settings_that_do_not_fit_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_tiny_study_of_latents(data):
    study = Latents(
        steps=3,
        pixel_steps=2,
        code_steps=4,
        seeds=2,
        batch_size=4,
        code_batch=8,
        num_codes=8,
        maps=(8,),
        pixel_maps=(8, 8),
        num_images=320,
        draw_steps=1,
    )
    found = study.from_data(data)
    runs = json.loads(json.dumps(found.values))["runs"]
    assert list(runs) == ["pixels", "latent space", "VQ-VAE alone"]
    assert found.steps == 2 * 9
    for rows in runs.values():
        assert len(rows) == 2 and all(math.isfinite(row["frechet"]) for row in rows)
    for latent, alone in zip(runs["latent space"], runs["VQ-VAE alone"], strict=True):
        assert latent["seconds"] > alone["seconds"]
