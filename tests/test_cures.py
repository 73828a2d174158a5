"""The study of cures: what it counts, and that each cure is what it says."""

import itertools

import pytest
import torch

from companion.recipes import cures
from companion.recipes.cures import CURES, Cure, Cures, ring
from companion.trainers import GANTrainer, WGANGPTrainer, WGANTrainer

SHORT = Cures(steps=10, width=4, groups=1, batch_size=4)


class Fixed:
    """A generator of known points, the same for all copies."""

    def __init__(self, x):
        self.x = x

    def sample(self, n, *, generator):
        x = self.x[torch.arange(n // cures.COPIES) % len(self.x)]
        return x.repeat(cures.COPIES, 1).view(-1, *cures.SHAPE)


def test_clusters_are_where_and_as_wide_as_they_should_be():
    x = cures.points(ring(), seed=3).view(-1, 2)
    distance, nearest = torch.cdist(x, ring()).min(dim=1)
    shares = nearest.bincount() / len(x)
    torch.testing.assert_close(
        shares, torch.full_like(shares, 1 / 8), atol=0.01, rtol=0
    )
    # Two coordinates of variance SIGMA^2 each.
    assert distance.square().mean().sqrt() == pytest.approx(
        2**0.5 * cures.SIGMA, rel=0.01
    )


def test_counts_by_hand():
    centres = ring()
    far = centres + 4 * cures.SIGMA
    modes, good = cures.look_at(Fixed(centres), centres)
    assert modes.tolist() == [8] * 5 and good.tolist() == [1] * 5
    modes, good = cures.look_at(Fixed(torch.cat([centres[:3], far[3:]])), centres)
    assert modes.tolist() == [3] * 5
    assert good.tolist() == pytest.approx([3 / 8] * 5)


def test_distance_is_that_of_the_cheapest_plan(monkeypatch):
    monkeypatch.setattr(cures, "PAIRED", 5)
    g = torch.Generator().manual_seed(0)
    x = torch.rand(25, *cures.SHAPE, generator=g)
    fakes = torch.rand(5, 2, generator=g)
    real = x.view(5, 5, 2)
    best = [
        min(
            (part[list(order)] - fakes).norm(dim=1).mean().item()
            for order in itertools.permutations(range(5))
        )
        for part in real
    ]
    assert cures.distances(Fixed(fakes), x) == pytest.approx(best, rel=1e-5)


def test_all_cures_but_the_clipped_train_by_adam_with_their_betas():
    for label, cure in CURES.items():
        trainer = cures.trainer_of(cure, *cures.pair(cure, 4), 1e-3, 10)
        kind = WGANTrainer if cure.clip else GANTrainer
        kind = WGANGPTrainer if cure.lambda_gp else kind
        assert type(trainer) is kind, label
        if not cure.clip:
            for opt in (trainer.opt_G, trainer.opt_D):
                expected = (0, 0.9) if cure.lambda_gp else (cure.beta, 0.99)
                assert opt.defaults["betas"] == expected
        rates = [opt.param_groups[0]["lr"] for opt in (trainer.opt_G, trainer.opt_D)]
        assert rates == [1e-3, pytest.approx(1e-3 * cure.faster)]


def test_a_factor_on_the_logits_multiplies_them():
    torch.manual_seed(0)
    _, once = cures.pair(Cure(spectral=1), 4)
    torch.manual_seed(0)
    _, more = cures.pair(Cure(spectral=20), 4)
    x = torch.rand(10, *cures.SHAPE)
    torch.testing.assert_close(20 * once.eval()(x), more.eval()(x))


def test_uniform_noise_stays_within_its_bounds():
    G, _ = cures.pair(Cure(uniform=True), 4)
    z = G.noise(10_000)
    assert z.abs().max() <= 2 and z.std() == pytest.approx(2 / 3**0.5, rel=0.02)


def test_the_rate_falls_in_the_second_half():
    fall = cures.falling(100)
    assert [fall(step) for step in (0, 50, 75, 100)] == [1, 1, 0.5, 0]


def test_a_short_study_records_all_cures(monkeypatch, capsys):
    monkeypatch.setattr(cures, "RATES", (1e-3, 2e-3))
    monkeypatch.setattr(cures, "POINTS", 200)
    monkeypatch.setattr(cures, "PAIRED", 20)
    found = SHORT.find_out(torch.device("cpu"))
    cases = found.values["cases"]
    assert [case["cure"] for case in cases] == [*CURES]
    assert all(len(c[k]) == 5 for c in cases for k in ("modes", "good", "distance"))
    assert found.steps == sum(3 * c["steps"] for c in cases)
    long = {c["cure"]: c["steps"] for c in cases}
    assert long["penalty of 0.1"] == 50 and long["penalty of 0.1, short"] == 10
    side = cures.SIDE
    assert found.picture.shape == (1, 3, len(cures.SHOWN) * side, 5 * side)
    assert capsys.readouterr().out.count("\n") == len(cases)


def test_equal_seeds_give_equal_counts(monkeypatch):
    monkeypatch.setattr(cures, "POINTS", 100)
    monkeypatch.setattr(cures, "PAIRED", 20)
    runs = [SHORT.run(Cure(0.5), ring(), 1e-3, group=1)[0] for _ in range(2)]
    for run in runs:
        run.pop("ms")
    assert runs[0] == runs[1]


def test_a_cure_that_no_learning_rate_suits_is_named(monkeypatch):
    monkeypatch.setattr(cures, "RATES", (1e30,))
    with pytest.raises(FloatingPointError, match="suits Cure"):
        SHORT._case(Cure(), ring())
