import copy
import math

import pytest
import torch
from scipy.integrate import quad
from torch import nn
from torch.distributions import Normal
from torch.nn import functional as F

from companion.data import Batches, crop
from companion.losses import (
    discriminator_loss,
    non_saturating_loss,
    optimal_discriminator,
    r1_penalty,
    saturating_loss,
)
from companion.models.gan import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    init_dcgan,
)
from companion.trainers import GANTrainer, WeightAverage, fit
from companion.trainers.gan import frozen

SHAPE = (1, 4, 4)
X = torch.rand(16, *SHAPE, generator=torch.Generator().manual_seed(7))


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def small_trainer(opt=torch.optim.Adam, lr=1e-2, **settings):
    torch.manual_seed(0)
    G = MLPGenerator(SHAPE, hidden=[8], latent=3, batch_norm=True)
    D = MLPDiscriminator(SHAPE, hidden=[8], dropout=settings.pop("dropout", 0.0))
    if settings.pop("averaged", False):
        settings["average"] = WeightAverage(G, decay=0.9)
    return GANTrainer(
        G, D, opt(G.parameters(), lr=lr), opt(D.parameters(), lr=lr), **settings
    )


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


# Equations.


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


# Networks.


@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 32, 32), (2, 4, 12)])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("kind", ["mlp", "dcgan"])
def test_shapes_ranges_and_gradients(kind, batch_norm, image_shape):
    if kind == "mlp":
        G = MLPGenerator(image_shape, [6], latent=5, batch_norm=batch_norm)
        D = MLPDiscriminator(image_shape, [6, 3], dropout=0.3)
    else:
        G = DCGANGenerator(image_shape, [6, 4], latent=5, batch_norm=batch_norm)
        D = DCGANDiscriminator(image_shape, [4, 6], batch_norm=batch_norm)
    x = G(G.noise(3))
    assert x.shape == (3, *image_shape)
    assert 0 <= x.min() and x.max() <= 1
    logits = D(x)
    assert logits.shape == (3,)
    logits.sum().backward()
    for network in (G, D):
        assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("widths", [[5], [5, 4], [5, 4, 3]])
def test_widths_may_be_of_any_number(widths):
    G = DCGANGenerator((1, 24, 40), widths, latent=2)
    D = DCGANDiscriminator((1, 24, 40), widths[::-1])
    assert D(G(G.noise(2))).shape == (2,)


def test_first_layer_is_a_transposed_convolution_of_one_pixel():
    G = DCGANGenerator((1, 8, 12), [3, 2], latent=5, batch_norm=False)
    z = G.noise(4)
    weight = G.net[0].weight.detach().T.reshape(5, 3, 2, 3)
    expected = F.conv_transpose2d(z.view(4, 5, 1, 1), weight)
    torch.testing.assert_close(
        G.net[:2](z) - G.net[0].bias.view(3, 2, 3), expected, rtol=1e-4, atol=1e-5
    )


def test_sample_repeats_leaves_the_mode_and_does_not_mix_images():
    G = DCGANGenerator((1, 8, 8), [4, 3], latent=5)
    G(G.noise(50))
    first, again = (
        G.sample(7, generator=torch.Generator().manual_seed(1)) for _ in range(2)
    )
    assert torch.equal(first, again) and G.training
    # In evaluation an image does not depend on the others of its batch.
    z = G.noise(7, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(G.eval()(z[:1]), first[:1])


def test_init_dcgan_has_the_stated_spread():
    G = DCGANGenerator((1, 28, 28), [64, 32], latent=64)
    init_dcgan(G, 0.05)
    for module in G.modules():
        if isinstance(module, nn.Linear | nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx(0.05, rel=0.1)
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.05)
            assert not module.bias.any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: DCGANGenerator((1, 28, 30)), "multiples of 4"),
        (lambda: DCGANDiscriminator((1, 28, 28), [4, 4, 4]), "multiples of 8"),
        (lambda: DCGANGenerator((28, 28)), "channels"),
        (lambda: DCGANGenerator(widths=[]), "one width"),
        (lambda: DCGANDiscriminator(widths=[4, 0]), "1 or more"),
        (lambda: MLPGenerator(hidden=[0]), "1 or more"),
        (lambda: MLPGenerator(latent=0), "latent is 0"),
        (lambda: MLPDiscriminator(dropout=1.0), "dropout is 1.0"),
        (lambda: MLPGenerator().sample(0), "n is 0"),
        (lambda: MLPGenerator()(torch.zeros(2, 63)), "takes"),
        (lambda: MLPDiscriminator()(torch.zeros(2, 1, 32, 32)), "takes"),
        (lambda: init_dcgan(nn.Linear(2, 2), 0), "std is 0"),
    ],
)
def test_networks_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# The trainer.


def test_step_equals_two_updates_by_hand():
    trainer = small_trainer(torch.optim.SGD, lr=0.1)
    G, D = copy.deepcopy(trainer.G), copy.deepcopy(trainer.D)
    torch.manual_seed(3)
    terms = trainer.step(X)
    torch.manual_seed(3)
    x_fake = G(torch.randn(16, 3))
    loss = -D(X).sigmoid().log().mean() - (1 - D(x_fake).sigmoid()).log().mean()
    torch.testing.assert_close(terms["loss_D"], loss)
    by_D = torch.autograd.grad(loss, list(D.parameters()), retain_graph=True)
    with torch.no_grad():
        for p, g in zip(D.parameters(), by_D, strict=True):
            p -= 0.1 * g
    loss = -D(x_fake).sigmoid().log().mean()  # the new discriminator
    torch.testing.assert_close(terms["loss_G"], loss)
    by_G = torch.autograd.grad(loss, list(G.parameters()))
    with torch.no_grad():
        for p, g in zip(G.parameters(), by_G, strict=True):
            p -= 0.1 * g
    torch.testing.assert_close(weights(trainer.D), weights(D))
    torch.testing.assert_close(weights(trainer.G), weights(G))


@pytest.mark.parametrize("still", ["G", "D"])
def test_each_phase_moves_its_own_network_only(still):
    trainer = small_trainer(torch.optim.SGD, lr=0.1, r1=1.0, r1_every=1)
    getattr(trainer, f"opt_{still}").param_groups[0]["lr"] = 0.0
    before = {name: weights(getattr(trainer, name)) for name in "GD"}
    trainer.step(X)
    for name in "GD":
        same = torch.equal(before[name], weights(getattr(trainer, name)))
        assert same == (name == still)


def test_generator_phase_leaves_no_gradient_in_the_discriminator():
    trainer = small_trainer(torch.optim.SGD, lr=0.0)
    torch.manual_seed(3)
    trainer.step(X)
    torch.manual_seed(3)
    x_fake = trainer.G(trainer.G.noise(16)).detach()
    loss = discriminator_loss(trainer.D(X), trainer.D(x_fake)).mean()
    expected = torch.autograd.grad(loss, list(trainer.D.parameters()))
    for p, g in zip(trainer.D.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, g)
        assert p.requires_grad


def test_frozen_gives_back_what_was_wanted():
    net = nn.Linear(2, 2)
    net.bias.requires_grad_(False)
    x = torch.ones(1, 2, requires_grad=True)
    with pytest.raises(RuntimeError, match="stop"), frozen(net):
        assert net(x).sum().requires_grad and not net.weight.requires_grad
        raise RuntimeError("stop")
    assert net.weight.requires_grad and not net.bias.requires_grad


def test_r1_is_added_at_every_kth_step_k_times_as_strong():
    seen = []
    for settings in ({}, {"r1": 3.0, "r1_every": 1}, {"r1": 1.0, "r1_every": 3}):
        trainer = small_trainer(torch.optim.SGD, lr=0.05, **settings)
        torch.manual_seed(1)
        seen.append([])
        for _ in range(2):
            trainer.step(X)
            seen[-1].append(weights(trainer.D))
    without, every, lazy = seen
    torch.testing.assert_close(every[0], lazy[0])
    assert not torch.allclose(without[0], lazy[0])
    # At the second step the lazy one adds nothing: its D moves by the loss alone.
    assert not torch.allclose(every[1] - every[0], lazy[1] - lazy[0])


def test_augment_sees_real_and_generated_images_and_lets_gradients_through():
    seen = []

    def augment(x):
        seen.append(x.requires_grad)
        return crop(x, 1)

    trainer = small_trainer(augment=augment, r1=1.0)
    before = weights(trainer.G)
    trainer.step(X)
    assert seen == [False, False, False, True]  # real, fake, penalty, generator
    assert not torch.equal(before, weights(trainer.G))


def test_schedules_advance_once_a_step():
    trainer = small_trainer()
    for name in "GD":
        opt = getattr(trainer, f"opt_{name}")
        schedule = torch.optim.lr_scheduler.StepLR(opt, 1, gamma=0.5)
        setattr(trainer, f"schedule_{name}", schedule)
    fit(trainer, [(X,)], steps=3, progress=False)
    for opt in (trainer.opt_G, trainer.opt_D):
        assert opt.param_groups[0]["lr"] == pytest.approx(1e-2 / 8)


def test_weight_average_follows_parameters_and_kept_averages():
    G = MLPGenerator(SHAPE, hidden=[4], latent=2, batch_norm=True)
    average = WeightAverage(G, decay=0.5)
    expected = {n: v.clone() for n, v in G.state_dict().items()}
    for step in range(1, 15):
        G(G.noise(9))
        with torch.no_grad():
            for p in G.parameters():
                p += torch.randn_like(p)
        average.update(G)
        decay = min(0.5, step / (step + 10))
        for name, value in G.state_dict().items():
            if value.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * value
    for name, value in average.G.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, expected[name])
    assert not any(p.requires_grad for p in average.G.parameters())
    g1, g2 = (torch.Generator().manual_seed(2) for _ in range(2))
    assert torch.equal(
        average.sample(3, generator=g1), average.G.sample(3, generator=g2)
    )


FULL = {
    "averaged": True,
    "dropout": 0.3,
    "r1": 0.5,
    "r1_every": 4,
}  # in no step with the epochs


def run(trainer, **keywords):
    return fit(trainer, Batches(X, batch_size=6), progress=False, **keywords)


def test_same_seed_same_history():
    first, second = small_trainer(**FULL), small_trainer(**FULL)
    torch.manual_seed(5)
    expected = run(first, epochs=3).terms
    torch.manual_seed(5)
    assert run(second, epochs=3).terms == expected


def test_resumed_equals_uninterrupted_bit_for_bit(tmp_path):
    whole = small_trainer(**FULL)
    history = run(whole, epochs=5)
    path = tmp_path / "gan.pt"
    run(small_trainer(**FULL), epochs=2, checkpoint=path)  # 6 steps
    resumed = small_trainer(**FULL)
    torch.rand(7)
    again = run(resumed, epochs=5, checkpoint=path, resume=True)
    for name in ("G", "D", "average"):
        ours, theirs = getattr(whole, name), getattr(resumed, name)
        for a, b in zip(
            ours.state_dict().values(), theirs.state_dict().values(), strict=True
        ):
            assert a == b if isinstance(a, int) else torch.equal(a, b)
    assert history.terms == again.terms
    assert resumed.steps.done == resumed.average.steps.done == 15


def test_over_fits_eight_images_and_covers_all_of_them():
    x = torch.rand(8, *SHAPE).round()
    G = MLPGenerator(SHAPE, hidden=[64], latent=8)
    D = MLPDiscriminator(SHAPE, hidden=[64, 64])
    opt_G = torch.optim.Adam(G.parameters(), lr=4e-3, betas=(0.5, 0.99))
    opt_D = torch.optim.Adam(D.parameters(), lr=4e-3, betas=(0.5, 0.99))
    average = WeightAverage(G, 0.98)
    trainer = GANTrainer(G, D, opt_G, opt_D, r1=1.0, r1_every=2, average=average)
    fit(trainer, [(x.repeat(8, 1, 1, 1),)], steps=600, progress=False)
    samples = average.sample(500).flatten(1)
    distance, nearest = torch.cdist(samples, x.flatten(1)).min(1)
    near = distance < torch.pdist(x.flatten(1)).min() / 2
    assert len(nearest[near].unique()) == 8
    assert near.float().mean() > 0.6


def test_trainer_refuses_what_cannot_play():
    G, D = MLPGenerator(SHAPE), MLPDiscriminator((1, 4, 5))
    opt = torch.optim.SGD
    opt_G, opt_D = opt(G.parameters(), lr=0.1), opt(D.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="image_shape"):
        GANTrainer(G, D, opt_G, opt_D)
    D = MLPDiscriminator(SHAPE)
    both = opt([*G.parameters(), *D.parameters()], lr=0.1)
    with pytest.raises(ValueError, match="opt_G does not hold"):
        GANTrainer(G, D, both, opt(D.parameters(), lr=0.1))
    with pytest.raises(ValueError, match="opt_D does not hold"):
        GANTrainer(G, D, opt_G, opt_G)


@pytest.mark.parametrize(
    "settings", [{"r1": -1.0}, {"r1_every": 0}, {"r1": 1.0, "r1_every": -3}]
)
def test_trainer_refuses_settings(settings):
    with pytest.raises(ValueError, match="r1"):
        small_trainer(**settings)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_weight_average_refuses_a_decay(decay):
    with pytest.raises(ValueError, match="decay"):
        WeightAverage(MLPGenerator(SHAPE), decay)


def test_images_of_another_shape_are_refused_by_the_discriminator():
    with pytest.raises(ValueError, match="takes"):
        small_trainer().step(torch.rand(4, 1, 5, 5))
