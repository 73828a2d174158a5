"""The study of collapse on digits."""

import pytest
import torch

from companion.data import digits
from companion.recipes import collapse
from companion.recipes.collapse import CURES, Collapse

SHORT = Collapse(steps=20, tuning_steps=10, seeds=2, batch_size=16, num_images=320)


def test_a_short_study_records_distance_and_coverage_of_all_cures(monkeypatch, capsys):
    monkeypatch.setattr(collapse, "RATES", (1e-3, 4e-3))
    monkeypatch.setattr(
        collapse,
        "CURES",
        {name: CURES[name] for name in ("beta 0.9", "penalty of 10, short")},
    )
    found = SHORT.compare(digits("embedded"), torch.device("cpu"))
    cases = found.values["cases"]
    assert [case["steps"] for case in cases] == [20, 20]
    assert found.steps == 2 * (10 + 10) + 2 * (20 + 20)
    for case in cases:
        best = min(case["tuning"], key=case["tuning"].__getitem__)
        assert float(best) == case["lr"]
        assert len(case["frechet"]) == len(case["covered"]) == 2
        assert all(0 <= share <= 1 for share in case["covered"])
    assert capsys.readouterr().out.count("\n") == 2


def test_real_digits_beside_real_digits_are_near_and_cover_all():
    data, judge = digits("embedded"), collapse.load_judge(torch.device("cpu"))
    real, other = data.test.x[:320], data.validation.x[:320]
    found = SHORT._judged(other, real, judge)
    assert found["frechet"] < 0.2 and found["covered"] > 0.7
    grey = SHORT._judged(torch.full_like(other, 0.5), real, judge)
    assert grey["frechet"] > 0.5 and grey["covered"] <= 0.2


def test_a_cure_that_no_learning_rate_suits_is_named(monkeypatch):
    monkeypatch.setattr(collapse, "RATES", (1e30,))
    with pytest.raises(FloatingPointError, match="suits beta 0.9"):
        SHORT.compare(digits("embedded"), torch.device("cpu"))
