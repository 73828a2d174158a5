"""The VQ-VAE and its prior: equations, gradients, learning, revival, errors."""

import math

import pytest
import torch
from torch.nn import functional as F

from companion.data import Batches
from companion.losses.vqvae import (
    nearest_codes,
    perplexity,
    straight_through,
    vq_loss,
)
from companion.models.vqvae import VQVAE, CodePrior, GridVAE
from companion.trainers import fit
from companion.trainers.vqvae import CodePriorTrainer, VQVAETrainer


def small(num_codes=6, **settings):
    return VQVAE((1, 8, 12), width=6, dim=3, num_codes=num_codes, **settings)


def test_nearest_codes_agree_with_cdist():
    z_e, codebook = torch.randn(4, 3, 5, 2), torch.randn(7, 3)
    vectors = z_e.permute(0, 2, 3, 1).reshape(-1, 3)
    expected = torch.cdist(vectors, codebook).argmin(1).view(4, 5, 2)
    assert torch.equal(nearest_codes(z_e, codebook), expected)


def test_a_code_is_nearest_to_its_own_vector():
    codebook = torch.randn(9, 4)
    codes = nearest_codes(codebook.T.reshape(1, 4, 3, 3), codebook)
    assert torch.equal(codes, torch.arange(9).view(1, 3, 3))


def test_straight_through_has_the_value_of_z_q_and_the_gradient_of_identity():
    z_e = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    z_q = torch.randn_like(z_e).requires_grad_()
    z = straight_through(z_e, z_q)
    torch.testing.assert_close(z, z_q)
    weight = torch.randn_like(z)
    to_e, to_q = torch.autograd.grad(
        (weight * z.square()).sum(), [z_e, z_q], allow_unused=True
    )
    torch.testing.assert_close(to_e, 2 * weight * z.detach())
    assert to_q is None


def test_the_terms_of_the_loss_are_those_of_the_paper():
    vqvae, x = small(), torch.rand(5, 1, 8, 12)
    terms = vq_loss(vqvae, x, commitment=0.4)
    z_e = vqvae.encode(x)
    z_q = vqvae.lookup(nearest_codes(z_e, vqvae.codebook))
    distortion = F.mse_loss(vqvae.decode(z_q), x, reduction="sum") / 5
    gap = F.mse_loss(z_q, z_e, reduction="sum") / 5
    torch.testing.assert_close(terms["distortion"], distortion)
    torch.testing.assert_close(terms["codebook"], gap)
    torch.testing.assert_close(terms["loss"], distortion + 1.4 * gap)


def test_each_part_learns_from_its_own_terms():
    vqvae, x = small(), torch.rand(5, 1, 8, 12)
    vq_loss(vqvae, x, commitment=0.0)["loss"].backward()
    codes = nearest_codes(vqvae.encode(x), vqvae.codebook)
    used = torch.bincount(codes.flatten(), minlength=6) > 0
    moved = vqvae.codebook.grad.abs().sum(1) > 0
    assert torch.equal(moved, used)  # codes that nobody chose are left alone
    assert all(p.grad.abs().sum() > 0 for p in vqvae.encoder.parameters())


def test_the_codebook_gradient_is_that_of_the_squared_distance():
    vqvae, x = small().double(), torch.rand(4, 1, 8, 12, dtype=torch.float64)
    vq_loss(vqvae, x)["loss"].backward()
    gradient = vqvae.codebook.grad.clone()
    z_e = vqvae.encode(x).detach()
    codes = nearest_codes(z_e, vqvae.codebook)
    k = int(codes[0, 0, 0])

    def gap(shift):
        book = vqvae.codebook.detach().clone()
        book[k, 1] += shift
        z_q = F.embedding(codes, book).permute(0, 3, 1, 2)
        return (z_q - z_e).square().sum() / 4

    difference = (gap(1e-5) - gap(-1e-5)) / 2e-5
    torch.testing.assert_close(gradient[k, 1], difference, rtol=1e-6, atol=1e-8)


def test_perplexity_counts_the_codes_in_use():
    even = torch.arange(8).repeat(5)
    assert perplexity(even, 20) == pytest.approx(8)
    assert perplexity(torch.zeros(3, dtype=torch.long), 20) == pytest.approx(1)
    p = torch.tensor([0.75, 0.25])
    expected = torch.distributions.Categorical(p).entropy().exp().item()
    assert perplexity(torch.tensor([0, 0, 0, 1]), 2) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 4, 12)])
def test_shapes_for_many_image_sizes(shape):
    c, h, w = shape
    vqvae, x = VQVAE(shape, width=6, dim=3, num_codes=5), torch.rand(2, *shape)
    assert vqvae.encode(x).shape == (2, 3, h // 4, w // 4)
    codes = torch.randint(5, (2, h // 4, w // 4))
    assert vqvae.decode(vqvae.lookup(codes)).shape == x.shape
    vae = GridVAE(shape, width=6, dim=2)
    mu, log_var = vae.encode(x)
    assert mu.shape == log_var.shape == (2, vae.latent) == (2, 2 * (h // 4) * (w // 4))
    assert vae.decode(mu).shape == x.shape


def test_over_fits_eight_images():
    x = torch.rand(8, 1, 8, 12).round()
    vqvae = VQVAE((1, 8, 12), width=32, dim=4, num_codes=48)
    opt = torch.optim.Adam(vqvae.parameters(), lr=3e-3)
    batches = Batches(x, batch_size=8)
    history = fit(VQVAETrainer(vqvae, opt), batches, steps=300, progress=False)
    before, after = history["distortion"][0], history["distortion"][-1]
    assert after < 0.05 * before


@pytest.mark.parametrize(("revive_every", "dead"), [(0, 5), (1, 0)])
def test_dead_codes_are_moved_to_vectors_of_the_batch(revive_every, dead):
    vqvae, x = small(), torch.rand(5, 1, 8, 12)
    with torch.no_grad():
        vqvae.codebook[1:] = 1e3  # far from all vectors
    opt = torch.optim.SGD(vqvae.parameters(), lr=0.0)
    trainer = VQVAETrainer(vqvae, opt, revive_every=revive_every)
    trainer.step(x)
    assert (vqvae.codebook == 1e3).all(dim=1).sum() == dead
    if not dead:
        vectors = vqvae.encode(x).permute(0, 2, 3, 1).reshape(-1, 3)
        assert torch.cdist(vqvae.codebook[1:], vectors).min(1).values.max() < 1e-5


def test_codes_in_use_are_not_revived():
    vqvae, x = small(), torch.rand(5, 1, 8, 12)
    opt = torch.optim.SGD(vqvae.parameters(), lr=0.0)
    trainer = VQVAETrainer(vqvae, opt, revive_every=1)
    used = nearest_codes(vqvae.encode(x), vqvae.codebook).unique()
    before = vqvae.codebook[used].clone()
    trainer.step(x)
    assert torch.equal(vqvae.codebook[used], before)


def test_resumed_equals_uninterrupted(tmp_path):
    def run(steps, file, resume=False):
        torch.manual_seed(1)
        vqvae = small()
        opt = torch.optim.Adam(vqvae.parameters(), lr=1e-3)
        trainer = VQVAETrainer(vqvae, opt, revive_every=3)
        batches = Batches(torch.rand(8, 1, 8, 12), batch_size=4)
        settings = {"checkpoint": tmp_path / file, "progress": False}
        fit(trainer, batches, steps=steps, resume=resume, **settings)
        return vqvae.codebook

    whole = run(8, "whole")
    run(4, "halves")
    assert torch.equal(run(8, "halves", resume=True), whole)


def test_the_prior_does_not_see_the_present_or_later_codes():
    prior = CodePrior((3, 4), num_codes=5, width=8, kernel_size=3)
    codes = torch.randint(5, (2, 3, 4))
    logits = prior(codes)
    for t in range(12):
        changed = codes.flatten(1).clone()
        changed[:, t:] = (changed[:, t:] + 1) % 5
        other = prior(changed.view(2, 3, 4))
        place = (..., *divmod(t, 4))
        assert torch.equal(other[place], logits[place])


def test_probabilities_are_those_of_the_whole_map_and_read_no_later_code():
    prior = CodePrior((3, 4), num_codes=5, width=8, kernel_size=5)
    codes = torch.randint(5, (2, 12))
    expected = prior(codes.view(2, 3, 4)).double().softmax(1).flatten(2)
    for t in range(12):
        p = prior.probabilities(codes, t)
        torch.testing.assert_close(p, expected[:, :, t], rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(p.sum(1), torch.ones(2, dtype=p.dtype))
        changed = codes.clone()
        changed[:, t:] = 0
        assert torch.equal(prior.probabilities(changed, t), p)


def test_the_prior_learns_a_rule_and_samples_obey_it():
    first = torch.randint(4, (64, 1))
    codes = ((first + torch.arange(6)) % 4).view(64, 2, 3)  # each is one more
    prior = CodePrior((2, 3), num_codes=4, width=16, kernel_size=3)
    trainer = CodePriorTrainer(prior, torch.optim.Adam(prior.parameters(), lr=1e-2))
    history = fit(trainer, Batches(codes, batch_size=64), steps=200, progress=False)
    # The first code is free, and at a line's start only the row above helps.
    assert history["nll"][-1] == pytest.approx(math.log(4), abs=0.15)
    drawn = prior.sample(50).flatten(1)
    assert (drawn.diff(dim=1) % 4 == 1).float().mean() > 0.95


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: VQVAE((1, 10, 8)), ValueError),
        (lambda: VQVAE((1, 8)), ValueError),
        (lambda: VQVAE(num_codes=1), ValueError),
        (lambda: VQVAE(dim=0), ValueError),
        (lambda: GridVAE((1, 8, 9)), ValueError),
        (lambda: GridVAE(dim=0), ValueError),
        (lambda: CodePrior(kernel_size=4), ValueError),
        (lambda: CodePrior(num_codes=1), ValueError),
        (lambda: CodePrior()(torch.zeros(2, 3, 3, dtype=torch.long)), ValueError),
        (lambda: CodePrior().sample(0), ValueError),
        (lambda: small().encode(torch.rand(2, 1, 8, 8)), ValueError),
        (lambda: small().lookup(torch.full((1, 2, 3), 6)), ValueError),
        (lambda: small().lookup(torch.full((1, 2, 3), -1)), ValueError),
        (lambda: small().lookup(torch.zeros(1, 3, 3, dtype=torch.long)), ValueError),
        (lambda: small().lookup(torch.zeros(1, 2, 3)), TypeError),
        (lambda: nearest_codes(torch.zeros(2, 3), torch.zeros(4, 3)), ValueError),
        (lambda: nearest_codes(torch.zeros(2, 3, 1, 1), torch.zeros(4, 2)), ValueError),
        (lambda: straight_through(torch.zeros(2), torch.zeros(3)), ValueError),
        (lambda: vq_loss(small(), torch.rand(2, 1, 8, 12), -1.0), ValueError),
        (lambda: perplexity(torch.tensor([], dtype=torch.long), 3), ValueError),
        (lambda: perplexity(torch.tensor([3]), 3), ValueError),
        (lambda: perplexity(torch.tensor([0.5]), 3), TypeError),
        (lambda: VQVAETrainer(small(), None, commitment=-1), ValueError),
        (lambda: VQVAETrainer(small(), None, revive_every=-1), ValueError),
    ],
)
def test_refuses(call, error):
    with pytest.raises(error):
        call()
