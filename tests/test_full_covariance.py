import pytest
import torch
from torch.distributions import MultivariateNormal, Normal
from torch.optim import Adam

from companion.data import binarize
from companion.losses import gaussian_nll, importance_weighted_nll, negative_elbo
from companion.losses.full_covariance import (
    full_importance_weighted_nll,
    full_path_negative_elbo,
    log_posterior_ratio,
)
from companion.models.full_covariance import FullCovarianceVAE
from companion.models.linear_gaussian import LinearGaussian
from companion.trainers import VAETrainer, fit

SIGMA = 0.7


def small_vae(**settings):
    return FullCovarianceVAE((1, 8, 8), widths=(3, 4), latent=5, hidden=16, **settings)


class KnownPosterior(LinearGaussian):
    """Encodes by the exact posterior, moved by what a test adds."""

    shift = 0.0

    def encode_full(self, x):
        mean, covariance = self.posterior(x)
        L = torch.linalg.cholesky(covariance)
        return mean + self.shift, L.expand(len(x), *L.shape)


@pytest.fixture
def known():
    W = torch.randn(4, 3, dtype=torch.float64)  # columns that are not orthogonal
    return KnownPosterior(W, torch.randn(4, dtype=torch.float64), SIGMA)


def likelihood(mean, x):
    return gaussian_nll(mean, x, SIGMA)


def test_the_exact_posterior_closes_the_gap_for_every_draw(known):
    x = known.sample(6)
    terms = full_path_negative_elbo(known, x, likelihood=likelihood)
    torch.testing.assert_close(terms["loss"], -known.log_prob(x).mean())
    # The best independent posterior leaves a gap.
    draws = [negative_elbo(known, x, 1.0, likelihood)["loss"] for _ in range(400)]
    assert torch.stack(draws).mean() + known.log_prob(x).mean() > 0.1


def test_the_gradient_vanishes_at_the_exact_posterior_for_every_draw(known):
    x = known.sample(6)
    known.shift = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    full_path_negative_elbo(known, x, likelihood=likelihood)["loss"].backward()
    torch.testing.assert_close(known.shift.grad, torch.zeros_like(known.shift))


@pytest.mark.parametrize("num_samples", [1, 7])
def test_weights_of_the_exact_posterior_are_all_equal(known, num_samples):
    x = known.sample(5)
    nll = full_importance_weighted_nll(known, x, num_samples, likelihood=likelihood)
    torch.testing.assert_close(nll, -known.log_prob(x))


def test_log_posterior_ratio_agrees_with_torch():
    mu, z = torch.randn(6, 3), torch.randn(6, 3)
    L = torch.randn(6, 3, 3).tril(-1) + torch.diag_embed(torch.rand(6, 3) + 0.2)
    q = MultivariateNormal(mu, scale_tril=L)
    expected = q.log_prob(z) - Normal(0.0, 1.0).log_prob(z).sum(1)
    torch.testing.assert_close(
        log_posterior_ratio(z, mu, L), expected, rtol=1e-4, atol=1e-4
    )


def test_begins_as_an_independent_posterior_and_learns_another():
    vae = small_vae()
    x = binarize(torch.rand(8, 1, 8, 8))
    mu, L = vae.encode_full(x)
    assert torch.equal(L.tril(-1), torch.zeros_like(L))
    fit(
        VAETrainer(
            vae, Adam(vae.parameters(), 1e-2), objective=full_path_negative_elbo
        ),
        [(x,)],
        steps=30,
        progress=False,
    )
    mu, L = vae.encode_full(x)
    assert L.tril(-1).abs().max() > 1e-2
    assert torch.equal(L.triu(1), torch.zeros_like(L))
    covariance = L @ L.mT
    marginal = covariance.diagonal(dim1=1, dim2=2).log()
    torch.testing.assert_close(vae.encode(x), (mu, marginal))


def test_the_bounds_agree_with_the_independent_ones_before_training():
    vae = small_vae()
    x = binarize(torch.rand(4, 1, 8, 8))
    ours = full_importance_weighted_nll(vae, x, 2000)
    theirs = importance_weighted_nll(vae, x, 2000)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.5)


def test_overfits_eight_images():
    vae = FullCovarianceVAE((1, 8, 8), widths=(8, 16), latent=5, hidden=64)
    x = binarize(torch.rand(8, 1, 8, 8))
    trainer = VAETrainer(
        vae, Adam(vae.parameters(), 5e-3), objective=full_path_negative_elbo
    )
    history = fit(trainer, [(x,)], steps=600, progress=False)
    mu, _ = vae.encode_full(x)
    assert torch.equal(vae.decode(mu).sigmoid().round(), x)
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_errors_name_the_value():
    vae, x = small_vae(), torch.zeros(2, 1, 8, 8)
    with pytest.raises(ValueError, match="num_samples is 0"):
        full_importance_weighted_nll(vae, x, 0)
    with pytest.raises(ValueError, match="7, 7"):
        vae.encode_full(torch.zeros(2, 1, 7, 7))
    with pytest.raises(ValueError, match="latent 0"):
        FullCovarianceVAE(latent=0)
