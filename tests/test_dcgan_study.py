"""The study of DCGAN: a tiny run, and what each case changes."""

import json
import math

import pytest
import torch
from torch import nn

from companion.data import ImageData, digits
from companion.recipes import dcgan
from companion.recipes.dcgan import CASES, DCGAN, pair
from companion.recipes.game import measured_by

TINY = DCGAN(steps=4, tuning_steps=2, seeds=2, batch_size=8, num_images=320)
AT = ("averaged, half", "last, half", "averaged, end", "last, end")


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


def test_a_tiny_study_scores_each_case(data, monkeypatch, capsys):
    chosen = {name: CASES[name] for name in ("the pair", "half the width")}
    monkeypatch.setattr(dcgan, "CASES", chosen)
    found = TINY.from_data(data)
    values = json.loads(json.dumps(found.values))
    assert values["cases"].keys() == chosen.keys()
    for case in values["cases"].values():
        assert case["lr"] in dcgan.RATES
        assert case.keys() == {"lr", "seconds", *AT}
        for at in AT:
            assert len(case[at]) == 2
            assert all(math.isfinite(run["frechet"]) for run in case[at])
        first, second = case["averaged, end"]
        assert first != second
    assert found.steps == 2 * (2 * 2 + 2 * 4)
    assert capsys.readouterr().out.count("\n") == 2


def test_the_last_and_the_averaged_weights_are_scored_apart(data):
    found = TINY.run({}, data, measured_by(data.test.x), 1e-2, 0, 4)
    assert found["last, end"] != found["averaged, end"]
    assert found["last, half"] != found["last, end"]


def test_the_rate_falls_to_zero_and_r1_is_there_unless_it_is_taken_away(data):
    trainer = TINY.trainer({}, data, 1e-3, 0, steps=4)
    assert trainer.r1 == TINY.r1
    for _ in range(4):
        trainer.step(data.train.x[:8])
    for opt in (trainer.opt_G, trainer.opt_D):
        assert opt.param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)
    assert TINY.trainer(CASES["without R1"], data, 1e-3, 0, steps=4).r1 == 0


def test_each_case_changes_the_networks_as_it_says():
    def parts(name, player, kind):
        return sum(isinstance(m, kind) for m in pair(CASES[name], 0)[player].modules())

    same = pair({}, 0)[0].state_dict()
    assert all(torch.equal(a, same[k]) for k, a in pair({}, 0)[0].state_dict().items())
    assert parts("the pair", 0, nn.BatchNorm2d) and not parts(
        "the pair", 1, nn.BatchNorm2d
    )
    assert parts("batch norm in D, no R1", 1, nn.BatchNorm2d)
    assert parts("transposed convolutions", 0, nn.ConvTranspose2d) == 2
    assert not parts("the pair", 0, nn.ConvTranspose2d)
    weights = pair(CASES["the same, weights of 0.02"], 0)[0].state_dict()
    spread = torch.cat([w.flatten() for k, w in weights.items() if w.ndim == 4]).std()
    assert spread.item() == pytest.approx(0.02, rel=0.05)
    sizes = {
        name: sum(w.numel() for w in pair(CASES[name], 0)[0].parameters())
        for name in CASES
    }
    assert sizes["half the width"] < sizes["the pair"]
    last = [
        pair(CASES[name], 0)[1].net[-1].in_features
        for name in ("the pair", "without the deviation")
    ]
    assert last == [65 * 49, 64 * 49]
