import copy

import pytest
import torch
from torch import nn

from companion.data import Batches, crop
from companion.losses import discriminator_loss
from companion.models.gan import MLPDiscriminator, MLPGenerator
from companion.trainers import GANTrainer, WeightAverage, fit
from companion.trainers.gan import frozen

SHAPE = (1, 4, 4)
X = torch.rand(16, *SHAPE, generator=torch.Generator().manual_seed(7))


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
