"""The conditional VAE and ways through latent space."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from companion.data import Batches
from companion.latent import direction, spherical, straight
from companion.losses import negative_elbo
from companion.models.cvae import ConditionalVAE
from companion.trainers import ConditionalVAETrainer, fit

LABELS = torch.tensor([0, 1, 2, 0])


def small():
    return ConditionalVAE((1, 4, 4), hidden=8, latent=2, num_classes=3)


def test_the_bound_agrees_with_torch_distributions():
    cvae, x = small(), torch.rand(4, 1, 4, 4).round()
    given = cvae.given(LABELS)
    mu, log_var = given.encode(x)
    q = Normal(mu, (0.5 * log_var).exp())
    torch.manual_seed(5)
    terms = negative_elbo(given, x)
    torch.manual_seed(5)
    logits = given.decode(q.loc + q.scale * torch.randn(4, 2))
    nll = -Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3)).mean()
    kl = kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(terms["nll"], nll)
    torch.testing.assert_close(terms["kl"], kl)


def test_the_label_matters_in_both_halves():
    cvae, x, z = small(), torch.rand(4, 1, 4, 4), torch.randn(4, 2)
    one, other = cvae.given(LABELS), cvae.given((LABELS + 1) % 3)
    assert not torch.allclose(one.encode(x)[0], other.encode(x)[0])
    assert not torch.allclose(one.decode(z), other.decode(z))


def test_learns_what_the_label_says():
    # Three pictures, one a class: the label tells all, the code nothing.
    x = torch.rand(3, 1, 4, 4).round()
    y = torch.arange(3)
    cvae = ConditionalVAE((1, 4, 4), hidden=32, latent=2, num_classes=3)
    opt = torch.optim.Adam(cvae.parameters(), lr=1e-2)
    trainer = ConditionalVAETrainer(cvae, opt)
    history = fit(trainer, Batches(x, y, batch_size=3), steps=400, progress=False)
    assert history["loss"][-1] < 0.3
    assert torch.equal(cvae.sample(9).round(), x.repeat(3, 1, 1, 1))


def test_samples_take_classes_in_turns_or_as_asked():
    cvae = small()
    first = cvae.sample(3, generator=torch.Generator().manual_seed(1))
    turns = torch.arange(3)
    again = cvae.sample(3, y=turns, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    assert first.shape == (3, 1, 4, 4) and first.min() >= 0 and first.max() <= 1


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda c: ConditionalVAE(num_classes=1), ValueError),
        (lambda c: ConditionalVAE(latent=0), ValueError),
        (lambda c: c.given(torch.tensor([3])), ValueError),
        (lambda c: c.given(torch.tensor([-1])), ValueError),
        (lambda c: c.given(torch.tensor([], dtype=torch.long)), ValueError),
        (lambda c: c.given(torch.zeros(2, 3, dtype=torch.long)), ValueError),
        (lambda c: c.given(torch.tensor([0.0])), TypeError),
        (lambda c: c.given(LABELS).encode(torch.rand(4, 1, 4, 5)), ValueError),
        (lambda c: c.given(LABELS).encode(torch.rand(3, 1, 4, 4)), ValueError),
        (lambda c: c.given(LABELS).decode(torch.rand(4, 3)), ValueError),
        (lambda c: c.given(LABELS).decode(torch.rand(3, 2)), ValueError),
        (lambda c: c.sample(0), ValueError),
        (lambda c: c.sample(3, y=LABELS), ValueError),
    ],
)
def test_refuses(call, error):
    with pytest.raises(error):
        call(small())


@pytest.mark.parametrize("way", [straight, spherical])
def test_ways_begin_at_a_and_end_at_b(way):
    a, b = torch.randn(2, 6, 5)
    path = way(a, b, torch.tensor([0.0, 1.0]))
    assert path.shape == (6, 2, 5)
    torch.testing.assert_close(path[:, 0], a)
    torch.testing.assert_close(path[:, 1], b)


def test_the_arc_keeps_the_length_and_turns_evenly():
    a, b = torch.nn.functional.normalize(torch.randn(2, 6, 5).double(), dim=2)
    t = torch.linspace(0, 1, 7, dtype=torch.float64)
    path = spherical(a, b, t)
    torch.testing.assert_close(path.norm(dim=2), torch.ones(6, 7).double())
    omega = (a * b).sum(1).acos()
    angle = (path * a[:, None]).sum(2).clamp(-1, 1).acos()
    torch.testing.assert_close(angle, omega[:, None] * t, rtol=1e-6, atol=1e-6)


def test_the_arc_between_parallel_codes_is_straight():
    a = torch.randn(4, 3)
    t = torch.linspace(0, 1, 5)
    torch.testing.assert_close(spherical(a, 2 * a, t), straight(a, 2 * a, t))


def test_direction_finds_the_shift_of_a_group():
    z, d = torch.randn(400, 3), torch.tensor([1.0, -2.0, 0.5])
    has = torch.arange(400) % 2 == 0
    both = torch.cat([z, z + d])
    group = torch.arange(800) >= 400
    torch.testing.assert_close(direction(both, group), d, rtol=1e-4, atol=1e-5)
    # Five standard errors of a difference of means of 200 each.
    assert direction(z, has).abs().max() < 5 * math.sqrt(2 / 200)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda a, t: straight(a, a[:1], t), ValueError),
        (lambda a, t: spherical(a, a, t[None]), ValueError),
        (lambda a, t: spherical(a, -a, t), ValueError),
        (lambda a, t: direction(a, torch.tensor([1, 0])), TypeError),
        (lambda a, t: direction(a, torch.tensor([True])), ValueError),
        (lambda a, t: direction(a, torch.tensor([True, True])), ValueError),
        (lambda a, t: direction(a, torch.tensor([False, False])), ValueError),
    ],
)
def test_ways_refuse(call, error):
    with pytest.raises(error):
        call(torch.randn(2, 3), torch.linspace(0, 1, 3))
