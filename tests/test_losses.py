import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional as F

from companion.losses import (
    bernoulli_nll,
    class_weights,
    cross_entropy,
    kl_to_standard_normal,
    l1_penalty,
    reparameterize,
)
from companion.losses.rnn import nll_through_time
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


def test_weighted_cross_entropy_agrees_with_torch():
    logits, y, weight = torch.randn(40, 7), torch.randint(7, (40,)), torch.rand(7)
    expected = F.cross_entropy(logits, y, weight, reduction="none")
    torch.testing.assert_close(cross_entropy(logits, y, weight=weight), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_weight_of_three_is_an_image_shown_three_times(smoothing):
    logits, y = torch.randn(9, 3), torch.arange(9) % 3
    weighted = cross_entropy(logits, y, smoothing, weight=torch.tensor([1.0, 3, 1]))
    times = torch.where(y == 1, 3, 1)
    often = logits.repeat_interleave(times, 0), y.repeat_interleave(times)
    torch.testing.assert_close(weighted.sum(), cross_entropy(*often, smoothing).sum())


@pytest.mark.parametrize("shape", [(4,), (3, 1), ()])
def test_weights_must_be_one_a_class(shape):
    with pytest.raises(ValueError, match="weight has shape .* for 3 classes"):
        cross_entropy(
            torch.zeros(2, 3), torch.zeros(2).long(), weight=torch.ones(shape)
        )


@pytest.mark.parametrize("counts", [(5, 5), (1, 20, 300), (7,)])
def test_class_weights_agree_with_scikit_learn(counts):
    y = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    weight = class_weights(y, len(counts))
    expected = compute_class_weight("balanced", classes=y.unique().numpy(), y=y.numpy())
    torch.testing.assert_close(weight, torch.tensor(expected).float())
    torch.testing.assert_close(weight[y].mean(), torch.tensor(1.0))


def test_the_plain_mean_of_weighted_losses_is_the_mean_over_classes():
    y = torch.tensor([0] * 90 + [1] * 9 + [2])
    logits = torch.randn(100, 3)
    loss = cross_entropy(logits, y, weight=class_weights(y, 3)).mean()
    each = [cross_entropy(logits[y == k], y[y == k]).mean() for k in range(3)]
    torch.testing.assert_close(loss, torch.stack(each).mean())


def test_class_weights_of_an_absent_class_and_of_wrong_labels():
    with pytest.raises(ValueError, match="no image of class 1, 3, .*4 classes"):
        class_weights(torch.tensor([0, 2]), 4)
    with pytest.raises(
        ValueError, match="1 to 2; 2 classes are numbered 0 to 1.*y - 1"
    ):
        class_weights(torch.tensor([1, 2]), 2)


def test_labels_counted_from_one_are_named_before_they_are_used():
    message = r"y has labels from 1 to 3; 3 classes are numbered 0 to 2\..*y - 1"
    with pytest.raises(ValueError, match=message):
        cross_entropy(torch.randn(4, 3), torch.tensor([1, 2, 3, 1]))
    with pytest.raises(ValueError, match=message):
        nll_through_time(torch.randn(4, 5, 3), torch.tensor([1, 2, 3, 1]))


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
