import pytest
import torch

from companion.models.inpainting import fill_in
from companion.models.mixture import GaussianMixture

MEANS = torch.tensor([[-1.5, -1.0], [1.5, -1.0], [0.0, 1.5]])
STD, SHARES = 0.3, torch.tensor([0.5, 0.3, 0.2])
KNOWN = torch.tensor([True, False])


def mixture(**settings):
    return GaussianMixture(MEANS, torch.full((3,), STD), SHARES, **settings)


def filled(denoiser, first, n=4000, **how):
    x = torch.tensor([first, 9.0]).expand(n, 2)
    generator = torch.Generator().manual_seed(0)
    return fill_in(denoiser, x, KNOWN.expand(n, 2), generator=generator, **how)


def test_what_is_known_stays_and_the_rest_does_not_depend_on_what_stood_there():
    x = filled(mixture(), 0.4, n=50)
    assert (x[:, 0] == 0.4).all()
    assert (x[:, 1] < 4).all()


@pytest.mark.parametrize("repeats", [1, 3])
def test_of_one_round_normal_the_rest_is_right(repeats):
    # Its coordinates do not depend on each other.
    alone = GaussianMixture(MEANS[:1], torch.tensor([STD]))
    x = filled(alone, -1.2, steps=200, repeats=repeats)[:, 1]
    assert x.mean().item() == pytest.approx(-1.0, abs=0.02)
    assert x.std().item() == pytest.approx(STD, abs=0.03)


def test_repeated_steps_come_nearer_to_the_exact_shares():
    first = 0.7
    fits = SHARES.log() - (first - MEANS[:, 0]).square() / (2 * STD**2)
    exact = fits.softmax(dim=0)[2].item()
    shares = [
        (filled(mixture(), first, repeats=repeats)[:, 1] > 0.25).double().mean().item()
        for repeats in (1, 4, 16)
    ]
    assert shares[0] + 0.02 < shares[1] < shares[2] - 0.02
    assert shares[2] < exact


def test_a_label_is_heard():
    labelled = mixture(labels=[0, 1, 2])
    y = torch.full((200,), 2)
    x = torch.tensor([0.4, 9.0]).expand(200, 2)
    drawn = fill_in(labelled, x, KNOWN.expand(200, 2), y)
    assert drawn[:, 1].min() > 0


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"repeats": 0}, "repeats is 0"),
        ({"known": torch.ones(3, 2)}, "type torch.float32"),
        ({"known": torch.ones(2, dtype=torch.bool)}, r"known has shape .2,."),
        ({"y": torch.zeros(2, dtype=torch.int64)}, "3 rows for 2"),
    ],
)
def test_what_does_not_fit_is_refused(how, message):
    how = {"known": KNOWN.expand(3, 2)} | how
    labels = (how.pop("y"),) if "y" in how else ()
    with pytest.raises(ValueError, match=message):
        fill_in(mixture(), torch.zeros(3, 2), how.pop("known"), *labels, **how)
