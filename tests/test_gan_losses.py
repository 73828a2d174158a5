import math

import pytest
import torch
from scipy.integrate import quad
from torch import nn
from torch.distributions import Normal
from torch.nn import functional as F

from companion.losses import (
    discriminator_loss,
    non_saturating_loss,
    optimal_discriminator,
    r1_penalty,
    saturating_loss,
)

SHAPE = (1, 4, 4)
X = torch.rand(16, *SHAPE, generator=torch.Generator().manual_seed(7))


def test_losses_agree_with_binary_cross_entropy():
    real, fake = torch.randn(5), torch.randn(5)
    bce = F.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(5), torch.zeros(5)
    expected = bce(real, ones, reduction="none") + bce(fake, zeros, reduction="none")
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    expected = bce(fake, ones, reduction="none")
    torch.testing.assert_close(non_saturating_loss(fake), expected)
    expected = -bce(fake, zeros, reduction="none")
    torch.testing.assert_close(saturating_loss(fake), expected)


def test_a_discriminator_that_cannot_tell_pays_log_4():
    zeros = torch.zeros(3, dtype=torch.float64)
    assert discriminator_loss(zeros, zeros).tolist() == pytest.approx([math.log(4)] * 3)


def test_losses_stay_finite_and_have_the_known_slopes():
    a = torch.tensor([-200.0, -8.0, 0.0, 8.0, 200.0], requires_grad=True)
    for loss, slope in (
        (non_saturating_loss, a.detach().sigmoid() - 1),
        (saturating_loss, -a.detach().sigmoid()),
    ):
        values = loss(a)
        assert values.isfinite().all()
        (gradient,) = torch.autograd.grad(values.sum(), a)
        torch.testing.assert_close(gradient, slope)


P, Q = Normal(-0.5, 1.0), Normal(1.0, 1.5)
LIMITS = (-7, 8)  # nearly nothing of both lies outside


def density(distribution, x):
    return distribution.log_prob(torch.tensor(x, dtype=torch.float64)).exp()


def d_star(x):
    return optimal_discriminator(density(P, x)[None], density(Q, x)[None]).item()


def game_value(D):
    """E_p log D + E_q log(1 - D), by quadrature."""

    def integrand(x):
        p, q = density(P, x).item(), density(Q, x).item()
        return p * math.log(D(x)) + q * math.log(1 - D(x))

    return quad(integrand, *LIMITS, limit=200)[0]


def jensen_shannon():
    def integrand(x):
        p, q = density(P, x).item(), density(Q, x).item()
        return 0.5 * (p * math.log(2 * p / (p + q)) + q * math.log(2 * q / (p + q)))

    return quad(integrand, *LIMITS, limit=200)[0]


def test_the_best_value_is_twice_jensen_shannon_less_log_4():
    best = game_value(d_star)
    assert best == pytest.approx(2 * jensen_shannon() - math.log(4), abs=1e-5)
    for change in (0.9, 1.1):  # any other D is worse
        assert game_value(lambda x, c=change: min(d_star(x) * c, 1 - 1e-9)) < best


def test_optimal_discriminator_of_equal_densities_is_a_half_everywhere():
    p = torch.tensor([0.3, 0.0, 2.0])
    assert optimal_discriminator(p, p).tolist() == [0.5, 0.5, 0.5]
    apart = optimal_discriminator(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]))
    assert apart.tolist() == [1, 0]


def test_a_trained_discriminator_finds_the_optimal_one():
    D = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.Adam(D.parameters(), lr=0.01)
    for _ in range(600):
        real, fake = P.sample((512, 1)), Q.sample((512, 1))
        loss = discriminator_loss(D(real)[:, 0], D(fake)[:, 0]).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    for x in (-1.5, 0.0, 0.5, 1.0, 2.5):
        found = D(torch.tensor([[x]])).sigmoid().item()
        assert found == pytest.approx(d_star(x), abs=0.05)


def test_r1_of_a_linear_and_of_a_quadratic_discriminator():
    w = torch.randn(16, dtype=torch.float64)
    x = X.double()
    penalty = r1_penalty(lambda x: x.flatten(1) @ w + 3, x)
    torch.testing.assert_close(penalty, w.square().sum().expand(16))
    A = torch.randn(16, 16, dtype=torch.float64)

    def quadratic(x):
        return torch.einsum("bi,ij,bj->b", x.flatten(1), A, x.flatten(1))

    expected = (x.flatten(1) @ (A + A.T)).square().sum(1)
    torch.testing.assert_close(r1_penalty(quadratic, x), expected)


def test_r1_and_its_gradient_agree_with_finite_differences():
    D = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 1))
    D = D.double()
    x, h = X[:2].double(), 1e-6
    steps = h * torch.eye(16, dtype=torch.float64).view(16, *SHAPE)
    slopes = [(D(one + steps) - D(one - steps))[:, 0] / (2 * h) for one in x]
    expected = torch.stack([s.square().sum() for s in slopes])
    torch.testing.assert_close(r1_penalty(lambda x: D(x)[:, 0], x), expected)

    def of_weight(weight):
        parameters = dict(D.named_parameters()) | {"1.weight": weight}
        call = torch.func.functional_call
        return r1_penalty(lambda x: call(D, parameters, x)[:, 0], x)

    weight = D[1].weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(of_weight, weight, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: discriminator_loss(torch.zeros(2, 1), torch.zeros(2)),
        lambda: discriminator_loss(torch.zeros(2), torch.zeros(3)),
        lambda: non_saturating_loss(torch.zeros(2, 1)),
        lambda: saturating_loss(torch.zeros(0)),
        lambda: r1_penalty(nn.Linear(3, 1), torch.zeros(2, 3)),
        lambda: optimal_discriminator(torch.zeros(2), torch.zeros(3)),
        lambda: optimal_discriminator(torch.tensor([-1.0]), torch.ones(1)),
        lambda: optimal_discriminator(torch.ones(1), torch.tensor([math.nan])),
    ],
)
def test_equations_refuse(call):
    with pytest.raises(ValueError):
        call()
