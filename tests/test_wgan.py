import copy
import math

import pytest
import torch
from torch import nn

from companion.data import Batches
from companion.models.copies import MLPDiscriminators, MLPGenerators
from companion.models.gan import MLPDiscriminator, MLPGenerator
from companion.trainers import WeightAverage, WGANGPTrainer, WGANTrainer, fit

SHAPE = (1, 4, 4)
X = torch.rand(16, *SHAPE, generator=torch.Generator().manual_seed(7))
KINDS = [WGANTrainer, WGANGPTrainer]


def small_trainer(kind, opt=torch.optim.Adam, lr=1e-2, **settings):
    torch.manual_seed(0)
    G = MLPGenerator(SHAPE, hidden=[8], latent=3, batch_norm=True)
    D = MLPDiscriminator(SHAPE, hidden=[8])
    if settings.pop("averaged", False):
        settings["average"] = WeightAverage(G, decay=0.9)
    return kind(
        G, D, opt(G.parameters(), lr=lr), opt(D.parameters(), lr=lr), **settings
    )


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def descend(network, loss, lr):
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for p, g in zip(parameters, gradients, strict=True):
            p -= lr * g


@pytest.mark.parametrize("kind", KINDS)
def test_step_equals_the_updates_by_hand(kind):
    settings = {"clip": 0.2} if kind is WGANTrainer else {"lambda_gp": 3.0}
    trainer = small_trainer(kind, torch.optim.SGD, lr=0.1, n_critic=1, **settings)
    G, D = copy.deepcopy(trainer.G), copy.deepcopy(trainer.D)
    torch.manual_seed(3)
    terms = trainer.step(X)
    torch.manual_seed(3)
    x_fake = G(torch.randn(16, 3)).detach()
    distance = D(X).mean() - D(x_fake).mean()
    torch.testing.assert_close(terms["distance"], distance)
    loss = -distance
    if kind is WGANGPTrainer:
        eps = torch.rand(16, 1, 1, 1)
        between = (eps * X + (1 - eps) * x_fake).requires_grad_()
        (slope,) = torch.autograd.grad(D(between).sum(), between, create_graph=True)
        penalty = ((slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
        torch.testing.assert_close(terms["penalty"], penalty)
        loss = loss + 3.0 * penalty
    descend(D, loss, 0.1)
    if kind is WGANTrainer:
        with torch.no_grad():
            for p in D.parameters():
                p.copy_(p.clip(-0.2, 0.2))
    loss_G = -D(G(torch.randn(16, 3))).mean()  # the new critic, fresh noise
    torch.testing.assert_close(terms["loss_G"], loss_G)
    descend(G, loss_G, 0.1)
    torch.testing.assert_close(weights(trainer.D), weights(D))
    torch.testing.assert_close(weights(trainer.G), weights(G))


@pytest.mark.parametrize("kind", KINDS)
def test_one_critic_update_a_step_and_one_of_G_every_n_critic_steps(kind):
    trainer = small_trainer(kind, n_critic=3)
    moved = []
    for _ in range(7):
        before = {name: weights(getattr(trainer, name)) for name in "GD"}
        terms = trainer.step(X)
        now = {
            n: not torch.equal(before[n], weights(getattr(trainer, n))) for n in "GD"
        }
        assert now["D"] and ("loss_G" in terms) == now["G"]
        moved.append(now["G"])
    assert moved == [False, False, True, False, False, True, False]
    assert trainer.opt_D.state[next(trainer.D.parameters())]["step"] == 7
    assert trainer.opt_G.state[next(trainer.G.parameters())]["step"] == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("still", ["G", "D"])
def test_each_phase_moves_its_own_network_only(kind, still):
    settings = {"clip": 9.0} if kind is WGANTrainer else {}
    trainer = small_trainer(kind, torch.optim.SGD, lr=0.1, n_critic=1, **settings)
    getattr(trainer, f"opt_{still}").param_groups[0]["lr"] = 0.0
    before = {name: weights(getattr(trainer, name)) for name in "GD"}
    trainer.step(X)
    for name in "GD":
        same = torch.equal(before[name], weights(getattr(trainer, name)))
        assert same == (name == still)


@pytest.mark.parametrize("kind", KINDS)
def test_generator_phase_leaves_the_critics_gradient_alone(kind):
    trainer = small_trainer(kind, torch.optim.SGD, lr=0.1, n_critic=2)
    trainer.step(X)  # G does not move
    assert all(p.grad is None for p in trainer.G.parameters())
    state = copy.deepcopy(trainer.D.state_dict())
    rng = torch.get_rng_state()
    trainer.n_critic = 99
    trainer.step(X)
    alone = [p.grad.clone() for p in trainer.D.parameters()]
    trainer.D.load_state_dict(state)
    torch.set_rng_state(rng)
    trainer.n_critic = 3
    assert "loss_G" in trainer.step(X)
    for p, g in zip(trainer.D.parameters(), alone, strict=True):
        torch.testing.assert_close(p.grad, g)
        assert p.requires_grad


def test_clipping_keeps_the_critics_weights_in_the_box_and_leaves_G_alone():
    trainer = small_trainer(WGANTrainer, clip=0.05, n_critic=2)
    fit(trainer, [(X,)], steps=6, progress=False)
    assert weights(trainer.D).abs().max() == pytest.approx(0.05)
    assert weights(trainer.G).abs().max() > 0.2


def test_gradient_penalty_brings_the_slopes_near_one():
    trainer = small_trainer(WGANGPTrainer, n_critic=10**9, lambda_gp=10.0)
    history = fit(trainer, [(X.repeat(8, 1, 1, 1),)], steps=300, progress=False)
    assert history["penalty"][-1] < 0.05 < history["penalty"][0]
    assert history["distance"][-1] > history["distance"][0]


@pytest.mark.parametrize("kind", KINDS)
def test_average_follows_the_generators_updates_only(kind):
    trainer = small_trainer(kind, n_critic=2, averaged=True)
    first = weights(trainer.average.G)
    trainer.step(X)
    assert torch.equal(first, weights(trainer.average.G))
    trainer.step(X)
    assert not torch.equal(first, weights(trainer.average.G))
    assert trainer.average.steps.done == 1


def run(trainer, **keywords):
    return fit(trainer, Batches(X, batch_size=6), progress=False, **keywords)


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_history(kind):
    found = []
    for _ in range(2):
        trainer = small_trainer(kind, n_critic=2)
        torch.manual_seed(5)
        found.append(run(trainer, epochs=3).terms)
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_equals_uninterrupted_bit_for_bit(kind, tmp_path):
    settings = {"n_critic": 2, "averaged": True}
    whole = small_trainer(kind, **settings)
    history = run(whole, epochs=5)
    path = tmp_path / "wgan.pt"
    run(small_trainer(kind, **settings), epochs=3, checkpoint=path)  # 9 steps, odd
    resumed = small_trainer(kind, **settings)
    torch.rand(7)
    again = run(resumed, epochs=5, checkpoint=path, resume=True)
    for name in ("G", "D", "average"):
        ours, theirs = getattr(whole, name), getattr(resumed, name)
        assert torch.equal(weights(ours), weights(theirs))
    assert history.terms == again.terms
    assert resumed.steps.done == 15


RING = 0.5 + 0.35 * torch.tensor(
    [(math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)) for k in range(8)]
)


@pytest.mark.parametrize("kind", KINDS)
def test_over_fits_eight_points_on_a_ring_and_covers_all_of_them(kind):
    x = RING.view(8, 1, 1, 2)
    G = MLPGenerators(1, (1, 1, 2), [32, 32], 4)
    D = MLPDiscriminators(1, (1, 1, 2), [32, 32])
    if kind is WGANTrainer:
        opts = [torch.optim.RMSprop(net.parameters(), lr=5e-3) for net in (G, D)]
        trainer = WGANTrainer(G, D, *opts, clip=0.3, n_critic=2)
    else:
        settings = {"lr": 2e-3, "betas": (0.5, 0.99), "fused": True}
        opts = [torch.optim.Adam(net.parameters(), **settings) for net in (G, D)]
        trainer = WGANGPTrainer(G, D, *opts, lambda_gp=0.1, n_critic=1)
    fit(trainer, [(x.repeat(8, 1, 1, 1),)], steps=1500, progress=False)
    samples = G.sample(500).flatten(1)
    distance, nearest = torch.cdist(samples, RING).min(1)
    near = distance < 0.13  # half of the way to the next
    assert len(nearest[near].unique()) == 8
    assert near.float().mean() > 0.6


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (WGANTrainer, {"n_critic": 0}, "n_critic is 0"),
        (WGANGPTrainer, {"n_critic": 1.5}, "n_critic is 1.5"),
        (WGANTrainer, {"clip": 0.0}, "clip is 0"),
        (WGANTrainer, {"clip": math.nan}, "clip is nan"),
        (WGANGPTrainer, {"lambda_gp": -1.0}, "lambda_gp is -1"),
    ],
)
def test_trainers_refuse_settings(kind, settings, words):
    with pytest.raises(ValueError, match=words):
        small_trainer(kind, **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_trainers_refuse_what_cannot_play(kind):
    G, D = MLPGenerator(SHAPE), MLPDiscriminator((1, 4, 5))
    opt = torch.optim.SGD
    opts = [opt(network.parameters(), lr=0.1) for network in (G, D)]
    with pytest.raises(ValueError, match="image_shape"):
        kind(G, D, *opts)
    with pytest.raises(ValueError, match="opt_D does not hold"):
        kind(G, MLPDiscriminator(SHAPE), *opts)


def test_gradient_penalty_refuses_a_critic_with_batch_normalisation():
    G, D = MLPGenerator(SHAPE), MLPDiscriminator(SHAPE)
    D.net.insert(2, nn.BatchNorm1d(512))
    opts = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (G, D)]
    with pytest.raises(ValueError, match="batch normalisation"):
        WGANGPTrainer(G, D, *opts)
    WGANTrainer(G, D, *opts)  # clipping has no such trouble


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_another_shape_are_refused_before_any_update(kind):
    trainer = small_trainer(kind)
    before = weights(trainer.D)
    with pytest.raises(ValueError, match="takes"):
        trainer.step(torch.rand(4, 1, 5, 5))
    assert torch.equal(before, weights(trainer.D))
