import math

import pytest
import torch
from scipy.integrate import quad
from torch.distributions import Normal

from companion.data import binarize
from companion.losses import (
    bernoulli_nll,
    gaussian_nll,
    importance_weighted_nll,
    negative_elbo,
)
from companion.models.vae import MLPVAE, ConvVAE
from companion.trainers import VAETrainer, fit

# Likelihoods.


def test_gaussian_nll_agrees_with_torch():
    mean, x = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    expected = -Normal(mean, 0.3).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(gaussian_nll(mean, x, 0.3), expected)
    each = torch.rand(1, 3, 2, 2) + 0.1
    expected = -Normal(mean, each).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(gaussian_nll(mean, x, each), expected)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan])
def test_gaussian_nll_refuses_a_sigma(sigma):
    with pytest.raises(ValueError, match="above 0"):
        gaussian_nll(torch.zeros(1, 2), torch.zeros(1, 2), sigma)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_bernoulli_likelihood_refuses_values_outside_the_unit_range(value):
    x = torch.zeros(2, 1, 28, 28)
    x[1, 0, 3, 4] = value
    with pytest.raises(ValueError, match="\\[0, 1\\]"):
        bernoulli_nll(torch.zeros_like(x), x)
    vae = MLPVAE()
    with pytest.raises(ValueError, match="gaussian_nll"):
        VAETrainer(vae, torch.optim.Adam(vae.parameters())).step(x)
    with pytest.raises(ValueError, match="gaussian_nll"):
        importance_weighted_nll(vae, x, 2)


def test_bernoulli_is_a_distribution_of_bits_and_no_density_of_greys():
    def likelihood(x, logit=1.0):
        x = torch.tensor([[[[x]]]], dtype=torch.float64)
        return (-bernoulli_nll(torch.full_like(x, logit), x)).exp().item()

    assert likelihood(0.0) + likelihood(1.0) == pytest.approx(1)
    # The constant of the continuous Bernoulli: (2p - 1) / logit for this integral.
    p = 1 / (1 + math.exp(-1))
    assert quad(likelihood, 0, 1)[0] == pytest.approx((2 * p - 1) / 1.0)


def test_binarize_draws_bits_with_the_grey_values_as_probabilities():
    x = torch.tensor([0.0, 0.25, 0.8, 1.0]).expand(50_000, 1, 1, 4)
    bits = binarize(x, generator=torch.Generator().manual_seed(0))
    assert set(bits.unique().tolist()) == {0.0, 1.0} and bits.dtype == x.dtype
    mean = bits.mean((0, 1, 2))
    assert mean[0] == 0 and mean[3] == 1
    assert mean[1:3].tolist() == pytest.approx([0.25, 0.8], abs=0.01)
    again = binarize(x, generator=torch.Generator().manual_seed(0))
    assert torch.equal(bits, again)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        binarize(2 * x)


# Networks.


@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 32, 32), (2, 4, 12)])
def test_conv_vae_shapes(image_shape):
    vae = ConvVAE(image_shape, widths=(3, 5), latent=4, hidden=6)
    x = torch.rand(2, *image_shape)
    mu, log_var = vae.encode(x)
    assert mu.shape == log_var.shape == (2, 4)
    assert vae.decode(mu).shape == x.shape
    samples = vae.sample(3, generator=torch.Generator().manual_seed(0))
    assert samples.shape == (3, *image_shape)
    assert 0 <= samples.min() and samples.max() <= 1
    assert torch.equal(
        samples, vae.sample(3, generator=torch.Generator().manual_seed(0))
    )
    negative_elbo(vae, x)["loss"].backward()
    assert all(p.grad is not None for p in vae.parameters())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"image_shape": (1, 28, 30)}, "multiples of 4"),
        ({"image_shape": (28, 28)}, "channels"),
        ({"widths": (8,)}, "two widths"),
        ({"widths": (8, 0)}, "1 or more"),
        ({"hidden": 0}, "1 or more"),
        ({"latent": 0}, "1 or more"),
    ],
)
def test_conv_vae_refuses(settings, words):
    with pytest.raises(ValueError, match=words):
        ConvVAE(**settings)


def test_conv_vae_refuses_what_does_not_fit():
    vae = ConvVAE(widths=(2, 2), latent=3, hidden=4)
    with pytest.raises(ValueError, match="takes"):
        vae.encode(torch.zeros(2, 1, 32, 32))
    with pytest.raises(ValueError, match="takes"):
        vae.decode(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="n is 0"):
        vae.sample(0)


def test_conv_vae_over_fits_eight_images():
    x = torch.rand(8, 1, 8, 8).round()
    vae = ConvVAE((1, 8, 8), widths=(8, 16), latent=6, hidden=64)
    opt = torch.optim.Adam(vae.parameters(), lr=0.005)
    history = fit(VAETrainer(vae, opt), [(x,)], steps=600, progress=False)
    mu, _ = vae.encode(x)
    assert torch.equal(vae.decode(mu).sigmoid().round(), x)
    assert history["loss"][-1] < 0.5 * history["loss"][0]


# The trainer.


def test_vae_trainer_follows_its_schedule_and_likelihood():
    x = torch.randn(8, 1, 2, 2)  # outside [0, 1]: fine for a Gaussian
    vae = MLPVAE((1, 2, 2), 16, 2)
    opt = torch.optim.Adam(vae.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.StepLR(opt, 10, gamma=0.5)
    trainer = VAETrainer(vae, opt, likelihood=gaussian_nll, schedule=schedule)
    fit(trainer, [(x,)], steps=30, progress=False)
    assert opt.param_groups[0]["lr"] == pytest.approx(1e-2 / 8)


def test_vae_trainer_minimises_the_objective_that_it_is_given():
    def half_square(vae, x, beta, likelihood):
        return {"loss": sum(p.square().sum() for p in vae.parameters()) / 2}

    vae = MLPVAE((1, 2, 2), 16, 2)
    before = [p.detach().clone() for p in vae.parameters()]
    opt = torch.optim.SGD(vae.parameters(), lr=0.1)
    VAETrainer(vae, opt, objective=half_square).step(torch.rand(8, 1, 2, 2))
    torch.testing.assert_close(list(vae.parameters()), [0.9 * p for p in before])


def test_beta_weighs_the_kl():
    vae, x = MLPVAE((1, 4, 4), 8, 3), torch.rand(5, 1, 4, 4)
    terms = negative_elbo(vae, x, beta=3.0)
    torch.testing.assert_close(terms["loss"], terms["nll"] + 3 * terms["kl"])
