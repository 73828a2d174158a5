import math
from functools import partial

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal
from torch.distributions import kl_divergence as kl_between

from companion.losses import (
    gaussian_nll,
    importance_weighted_nll,
    kl_to_standard_normal,
    negative_elbo,
    path_negative_elbo,
    reparameterize,
)
from companion.models.linear_gaussian import LinearGaussian
from companion.models.vae import MLPVAE

SIGMA = 0.6
NORMAL = partial(gaussian_nll, sigma=SIGMA)


def linear_model(latent=2, orthogonal=False):
    W = torch.randn(3, latent, dtype=torch.float64)
    if orthogonal:
        W = torch.linalg.qr(W).Q * torch.tensor([2.0, 0.5], dtype=torch.float64)
    return LinearGaussian(W, torch.randn(3, dtype=torch.float64), SIGMA)


class Guess:
    """A linear model with another q: `mu` moved, `sigma` scaled."""

    def __init__(self, model, move=0.0, scale=1.0):
        self.model, self.move, self.scale = model, move, scale

    def encode(self, x):
        mu, log_var = self.model.encode(x)
        return mu + self.move, log_var + 2 * math.log(self.scale)

    def decode(self, z):
        return self.model.decode(z)


class FreeGuess(Guess):
    """A linear model whose q is given by tensors, to differentiate by them."""

    def __init__(self, model, mu, log_var):
        super().__init__(model)
        self.mu, self.log_var = mu, log_var

    def encode(self, x):
        return self.mu, self.log_var


def exact_elbo(model, x, mu, log_var):
    """E_q[log p(x|z)] - KL(q, p) of a linear model, by its moments."""
    fit_term = NORMAL(model.decode(mu), x)
    spread = (model.W.square() @ log_var.exp().T).sum(0) / (2 * SIGMA**2)
    return -(fit_term + spread + kl_to_standard_normal(mu, log_var))


# The linear model against independent formulas.


def test_linear_model_agrees_with_torch():
    model = linear_model()
    x = model.sample(5)
    covariance = model.W @ model.W.T + SIGMA**2 * torch.eye(3)
    expected = MultivariateNormal(model.b, covariance).log_prob(x)
    torch.testing.assert_close(model.log_prob(x), expected)


def test_linear_posterior_obeys_bayes():
    model = linear_model()
    x, z = model.sample(5), torch.randn(5, 2, dtype=torch.float64)
    mean, covariance = model.posterior(x)
    posterior = MultivariateNormal(mean, covariance).log_prob(z)
    prior = Normal(0.0, 1.0).log_prob(z).sum(1)
    joint = prior - NORMAL(model.decode(z), x)
    torch.testing.assert_close(posterior, joint - model.log_prob(x))


def test_linear_samples_have_the_models_moments():
    model = linear_model()
    x = model.sample(100_000, generator=torch.Generator().manual_seed(1))
    covariance = model.W @ model.W.T + SIGMA**2 * torch.eye(3)
    error = (covariance.diagonal() / 100_000).sqrt()
    assert ((x.mean(0) - model.b).abs() < 5 * error).all()
    torch.testing.assert_close(torch.cov(x.T), covariance, rtol=0.05, atol=0.05)


def test_linear_model_refuses():
    with pytest.raises(ValueError, match="give \\(D, Z\\)"):
        LinearGaussian(torch.zeros(3, 2), torch.zeros(2), 1.0)
    with pytest.raises(ValueError, match="above 0"):
        LinearGaussian(torch.zeros(3, 2), torch.zeros(3), 0.0)


# The bound.


def test_elbo_equals_the_log_likelihood_at_the_posterior():
    model = linear_model(orthogonal=True)
    x = model.sample(7)
    elbo = exact_elbo(model, x, *model.encode(x))
    torch.testing.assert_close(elbo, model.log_prob(x))


@pytest.mark.parametrize(("move", "scale"), [(0.3, 1.0), (0.0, 1.5), (-1.0, 0.4)])
def test_gap_is_the_kl_to_the_posterior(move, scale):
    model = linear_model()
    x = model.sample(7)
    mu, log_var = Guess(model, move, scale).encode(x)
    q = MultivariateNormal(mu, torch.diag_embed(log_var.exp()))
    gap = model.log_prob(x) - exact_elbo(model, x, mu, log_var)
    expected = kl_between(q, MultivariateNormal(*model.posterior(x)))
    torch.testing.assert_close(gap, expected)
    assert (gap > 0).all()


def test_encode_is_the_best_factorised_posterior():
    model = linear_model()
    x = model.sample(4)
    best = exact_elbo(model, x, *model.encode(x))
    for move, scale in [(0.1, 1.0), (-0.1, 1.0), (0.0, 1.1), (0.0, 0.9)]:
        assert (exact_elbo(model, x, *Guess(model, move, scale).encode(x)) < best).all()


def test_negative_elbo_estimates_the_closed_form():
    model = Guess(linear_model(), 0.2, 1.2)
    x = model.model.sample(1)
    terms = negative_elbo(model, x.expand(200_000, 3), likelihood=NORMAL)
    expected = -exact_elbo(model.model, x, *model.encode(x)).item()
    assert terms["loss"].item() == pytest.approx(expected, abs=0.05)


def gradients_at(model, x, move, objective):
    """Gradients by mu and log_var, one row a draw, of q moved from the posterior."""
    mu, log_var = (v.repeat(20_000, 1) for v in Guess(model, move).encode(x))
    q = FreeGuess(model, mu.requires_grad_(), log_var.requires_grad_())
    loss = objective(q, x.expand(len(mu), -1), likelihood=NORMAL)["loss"]
    parts = torch.autograd.grad(loss, (mu, log_var))
    return len(mu) * torch.cat(parts, dim=1)  # the loss is a mean over the draws


def test_path_gradient_is_zero_at_the_posterior():
    model = linear_model(orthogonal=True)
    x = model.sample(1)
    quiet = gradients_at(model, x, 0.0, path_negative_elbo)
    noisy = gradients_at(model, x, 0.0, negative_elbo)
    assert quiet.abs().max() < 1e-9
    assert noisy.std(dim=0).min() > 0.1


def test_path_gradient_has_the_mean_of_the_usual_one():
    model = linear_model(orthogonal=True)
    x = model.sample(1)
    quiet, noisy = (
        gradients_at(model, x, 0.5, f) for f in (path_negative_elbo, negative_elbo)
    )
    error = ((quiet.var(dim=0) + noisy.var(dim=0)) / len(quiet)).sqrt()
    assert ((quiet - noisy).mean(dim=0).abs() < 4 * error).all()
    assert quiet.mean(dim=0)[:2].abs().min() > 10 * error.max()


def test_path_negative_elbo_has_the_mean_of_the_closed_form():
    model = linear_model(orthogonal=True)
    x = model.sample(20_000)
    guess = Guess(model, 0.3, 1.5)
    exact = -exact_elbo(model, x, *guess.encode(x)).mean()
    terms = path_negative_elbo(guess, x, likelihood=NORMAL)
    assert torch.isclose(terms["loss"], exact, rtol=5e-3)
    assert terms["loss"] == terms["nll"] + terms["kl"]


def test_importance_weighted_nll_is_exact_at_the_posterior():
    model = linear_model(orthogonal=True)
    x = model.sample(6)
    for num_samples in (1, 7):
        nll = importance_weighted_nll(model, x, num_samples, likelihood=NORMAL)
        torch.testing.assert_close(nll, -model.log_prob(x))


def test_importance_weighted_bound_tightens_with_samples():
    model = Guess(linear_model(), 0.4, 1.3)
    x = model.model.sample(1)
    repeats, means, errors = 4000, [], []
    for num_samples in (1, 4, 32, 256):
        values = importance_weighted_nll(
            model, x.expand(repeats, 3), num_samples, likelihood=NORMAL
        )
        means.append(values.mean().item())
        errors.append(values.std().item() / repeats**0.5)
    elbo = exact_elbo(model.model, x, *model.encode(x)).item()
    exact = model.model.log_prob(x).item()
    assert abs(means[0] + elbo) < 5 * errors[0]  # one sample: the ELBO
    for i in range(3):
        assert means[i] - means[i + 1] > 5 * (errors[i] + errors[i + 1])
    assert -5 * errors[3] < means[3] + exact < 0.05


def test_importance_weighted_nll_does_not_depend_on_the_chunk_size():
    vae, x = MLPVAE((1, 4, 4), 8, 3), torch.rand(5, 1, 4, 4).round()
    many = [
        importance_weighted_nll(vae, x, 20_000, chunk=chunk) for chunk in (7_000, 90)
    ]
    assert many[0].shape == (5,)
    torch.testing.assert_close(*many, rtol=0, atol=0.06)
    one = importance_weighted_nll(vae, x, 30, chunk=1)
    assert torch.isfinite(one).all()


@pytest.mark.parametrize("settings", [{"num_samples": 0}, {"chunk": 0}])
def test_importance_weighted_nll_refuses(settings):
    with pytest.raises(ValueError, match="1 or more"):
        importance_weighted_nll(MLPVAE(), torch.zeros(1, 1, 28, 28), **settings)


# Its gradient.


def test_reparameterized_gradient_agrees_with_finite_differences():
    vae = MLPVAE((1, 3, 2), hidden=5, latent=2).double()
    x = torch.rand(4, 1, 3, 2, dtype=torch.float64).round()

    def loss():
        torch.manual_seed(3)  # the same noise each time
        return negative_elbo(vae, x)["loss"]

    loss().backward()
    for weight in (vae.to_mu.weight, vae.to_log_var.weight, vae.decoder[0].weight):
        for index in [(0, 0), (1, 1)]:
            with torch.no_grad():
                weight[index] += 1e-5
                above = loss().item()
                weight[index] -= 2e-5
                below = loss().item()
                weight[index] += 1e-5
            slope = (above - below) / 2e-5
            assert weight.grad[index].item() == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_reparameterized_gradient_is_that_of_the_expectation():
    mu = torch.full((200_000, 1), 0.7, dtype=torch.float64, requires_grad=True)
    log_var = torch.full_like(mu, -0.4).detach().requires_grad_()
    z = reparameterize(mu, log_var)
    z.square().sum().backward()  # E[z^2] = mu^2 + sigma^2
    # Five standard errors: the gradients are 2 z and z eps sigma.
    assert mu.grad.mean().item() == pytest.approx(1.4, abs=0.02)
    assert log_var.grad.mean().item() == pytest.approx(math.exp(-0.4), abs=0.02)
