import itertools
import math

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import nn

from companion.losses import (
    critic_loss,
    gradient_penalty,
    random_between,
    wasserstein_1d,
)

SHAPE = (1, 4, 4)
X = torch.rand(16, *SHAPE, generator=torch.Generator().manual_seed(7))


def test_critic_loss_is_the_difference():
    real, fake = torch.randn(5), torch.randn(5)
    assert torch.equal(critic_loss(real, fake), fake - real)


@pytest.mark.parametrize("length", [0.0, 0.5, 1.0, 3.0])
def test_penalty_of_a_linear_critic(length):
    w = torch.randn(16, dtype=torch.float64)
    w = length * w / w.norm()
    penalty = gradient_penalty(lambda x: x.flatten(1) @ w + 3, X.double())
    expected = torch.full((16,), (length - 1) ** 2, dtype=torch.float64)
    torch.testing.assert_close(penalty, expected)


def critic():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 1))
    return net.double()


def test_penalty_and_its_gradient_agree_with_finite_differences():
    D, x, h = critic(), X[:3].double(), 1e-6
    steps = h * torch.eye(16, dtype=torch.float64).view(16, *SHAPE)
    slopes = [(D(one + steps) - D(one - steps))[:, 0] / (2 * h) for one in x]
    expected = torch.stack([(s.norm() - 1) ** 2 for s in slopes])
    torch.testing.assert_close(gradient_penalty(lambda x: D(x)[:, 0], x), expected)

    weight = D[1].weight
    gradient_penalty(lambda x: D(x)[:, 0], x).mean().backward()
    found, h = weight.grad.clone(), 1e-5
    with torch.no_grad():
        for i, j in itertools.product(range(5), (0, 7, 15)):
            values = []
            for sign in (1, -1):
                weight[i, j] += sign * h
                with torch.enable_grad():
                    penalty = gradient_penalty(lambda x: D(x)[:, 0], x).mean()
                values.append(penalty.item())
                weight[i, j] -= sign * h
            by_difference = (values[0] - values[1]) / (2 * h)
            assert found[i, j].item() == pytest.approx(by_difference, abs=1e-4)


def test_penalty_of_a_flat_critic_has_a_finite_gradient():
    D = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    nn.init.zeros_(D[1].weight)
    penalty = gradient_penalty(lambda x: D(x)[:, 0], X)
    assert penalty.tolist() == [1.0] * 16
    penalty.mean().backward()
    assert D[1].weight.grad.isfinite().all()


def test_images_between_lie_on_the_segments_uniformly_one_place_an_image():
    x, x_fake = torch.rand(4000, *SHAPE), torch.rand(4000, *SHAPE)
    eps = ((random_between(x, x_fake) - x_fake) / (x - x_fake)).flatten(1)
    torch.testing.assert_close(eps[:, :1].expand(-1, 16), eps, atol=1e-2, rtol=1e-2)
    eps = eps.median(dim=1).values.sort().values
    assert 0 <= eps[0] and eps[-1] <= 1
    grid = (torch.arange(4000) + 0.5) / 4000
    assert (eps - grid).abs().max() < 1.63 / math.sqrt(4000)  # Kolmogorov, 1 %
    first, again = (
        random_between(x, x_fake, generator=torch.Generator().manual_seed(1))
        for _ in range(2)
    )
    assert torch.equal(first, again)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 7), (5, 8), (300, 1), (40, 1000)])
def test_wasserstein_agrees_with_scipy(n, m):
    x, y = torch.randn(n, dtype=torch.float64), 2 * torch.rand(m).double() + 1
    expected = wasserstein_distance(x.numpy(), y.numpy())
    assert wasserstein_1d(x, y).item() == pytest.approx(expected)


def test_wasserstein_is_the_cheapest_of_all_pairings():
    x, y = torch.randn(6), torch.randn(6)
    cheapest = min(
        (x - y[list(order)]).abs().mean() for order in itertools.permutations(range(6))
    )
    torch.testing.assert_close(wasserstein_1d(x, y), cheapest)


def test_wasserstein_is_a_distance():
    x, y, z = torch.randn(50), torch.randn(70) + 1, torch.rand(30)
    assert wasserstein_1d(x, x).item() == 0
    assert wasserstein_1d(x, x + 2.5).item() == pytest.approx(2.5)
    torch.testing.assert_close(wasserstein_1d(x, y), wasserstein_1d(y, x))
    assert wasserstein_1d(x, z) <= wasserstein_1d(x, y) + wasserstein_1d(y, z) + 1e-6


def test_wasserstein_has_a_gradient():
    x = torch.randn(8, dtype=torch.float64, requires_grad=True)
    y = torch.randn(11, dtype=torch.float64)
    assert torch.autograd.gradcheck(wasserstein_1d, (x, y))


@pytest.mark.parametrize(
    "call",
    [
        lambda: critic_loss(torch.zeros(2, 1), torch.zeros(2)),
        lambda: critic_loss(torch.zeros(2), torch.zeros(3)),
        lambda: gradient_penalty(nn.Linear(3, 1), torch.zeros(2, 3)),
        lambda: random_between(torch.zeros(2, 3), torch.zeros(3, 3)),
        lambda: wasserstein_1d(torch.zeros(0), torch.zeros(2)),
        lambda: wasserstein_1d(torch.zeros(3), torch.zeros(2, 2)),
    ],
)
def test_equations_refuse(call):
    with pytest.raises(ValueError):
        call()
