import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional as F

from companion.losses import (
    bernoulli_nll,
    cross_entropy,
    kl_to_standard_normal,
    l1_penalty,
    reparameterize,
)
from companion.models.vae import MLPVAE


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_agrees_with_torch(smoothing):
    logits, y = 9 * torch.randn(40, 7), torch.randint(7, (40,))
    expected = F.cross_entropy(logits, y, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(cross_entropy(logits, y, smoothing), expected)


def test_cross_entropy_gradient_is_softmax_minus_one_hot():
    logits = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 1, 2, 3, 0, 1])
    cross_entropy(logits, y).sum().backward()
    torch.testing.assert_close(logits.grad, logits.softmax(1) - F.one_hot(y, 4))


def test_cross_entropy_survives_huge_logits():
    assert cross_entropy(torch.tensor([[1e4, 0.0]]), torch.tensor([0])).item() == 0


@pytest.mark.parametrize(
    ("logits", "y", "smoothing", "error"),
    [
        (torch.zeros(3, 2), torch.zeros(4, dtype=torch.long), 0.0, ValueError),
        (torch.zeros(3), torch.zeros(3, dtype=torch.long), 0.0, ValueError),
        (torch.zeros(3, 2), torch.zeros(3), 0.0, TypeError),
        (torch.zeros(3, 2), torch.zeros(3, dtype=torch.long), 1.0, ValueError),
    ],
)
def test_cross_entropy_refuses(logits, y, smoothing, error):
    with pytest.raises(error):
        cross_entropy(logits, y, smoothing)


def test_l1_counts_weights_only():
    layer = torch.nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -2.0], [0.0, 4.0]]))
        layer.bias.fill_(100.0)
    assert l1_penalty(layer).item() == 7
    with pytest.raises(ValueError, match="no weights"):
        l1_penalty(torch.nn.ReLU())


def test_kl_agrees_with_torch_and_is_zero_at_the_prior():
    mu, log_var = torch.randn(5, 3), torch.randn(5, 3)
    expected = kl_divergence(Normal(mu, (0.5 * log_var).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_to_standard_normal(mu, log_var), expected.sum(1))
    assert torch.equal(
        kl_to_standard_normal(torch.zeros(2, 3), torch.zeros(2, 3)), torch.zeros(2)
    )


def test_bernoulli_nll_agrees_with_torch():
    logits, x = torch.randn(4, 1, 3, 3), torch.rand(4, 1, 3, 3).round()
    expected = -Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(bernoulli_nll(logits, x), expected)


def test_reparameterized_samples_have_the_stated_moments():
    mu, log_var = torch.full((200_000, 1), 3.0), torch.full((200_000, 1), 1.5)
    z = reparameterize(mu, log_var)
    sigma = torch.tensor(1.5).exp().sqrt()
    # Five standard errors of a mean and of a standard deviation.
    assert abs(z.mean() - 3) < 5 * sigma / 200_000**0.5
    assert abs(z.std() - sigma) < 5 * sigma / (2 * 200_000) ** 0.5


@pytest.mark.parametrize(
    "equation", [reparameterize, kl_to_standard_normal, bernoulli_nll]
)
def test_shapes_must_agree(equation):
    with pytest.raises(ValueError, match="differ"):
        equation(torch.zeros(2, 3), torch.zeros(2, 4))


def test_mlp_vae_shapes_and_errors():
    vae = MLPVAE((1, 5, 4), hidden=6, latent=3)
    mu, log_var = vae.encode(torch.zeros(2, 1, 5, 4))
    assert mu.shape == log_var.shape == (2, 3)
    assert vae.decode(mu).shape == (2, 1, 5, 4)
    samples = vae.sample(7)
    assert samples.shape == (7, 1, 5, 4)
    assert 0 <= samples.min() and samples.max() <= 1
    with pytest.raises(ValueError, match="takes"):
        vae.encode(torch.zeros(2, 1, 4, 5))
    with pytest.raises(ValueError, match="takes"):
        vae.decode(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="n is 0"):
        vae.sample(0)
    with pytest.raises(ValueError, match="1 or more"):
        MLPVAE(latent=0)
