"""The conditional GAN: labels, where they enter, and the training."""

import copy
import math

import pytest
import torch
from torch import nn

from companion.data import Batches
from companion.losses import optimal_discriminator
from companion.models.cgan import (
    ConditionalBatchNorm2d,
    ConditionalDCGANGenerator,
    ConditionalMLPDiscriminator,
    ConditionalMLPGenerator,
    ProjectionDiscriminator,
    label_vectors,
)
from companion.trainers import GANTrainer, WeightAverage, fit

SHAPE = (1, 4, 4)
X = torch.rand(16, *SHAPE, generator=torch.Generator().manual_seed(7))
Y = torch.arange(16) % 3


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def stirred(network):
    """Labels count for nothing at first; here they do."""
    with torch.no_grad():
        for p in network.parameters():
            p += 0.3 * torch.randn_like(p)
    return network


def mlp_generator(**settings):
    settings = {"hidden": [8], "latent": 3, "num_classes": 3} | settings
    return ConditionalMLPGenerator(SHAPE, **settings)


def dcgan_generator(num_classes=3):
    return stirred(ConditionalDCGANGenerator(SHAPE, [6, 4], 3, num_classes=num_classes))


def projection(num_classes=3, **settings):
    return stirred(
        ProjectionDiscriminator(SHAPE, [4, 6], num_classes=num_classes, **settings)
    )


def small_trainer(opt=torch.optim.Adam, lr=1e-2, averaged=False, **settings):
    torch.manual_seed(0)
    G, D = dcgan_generator(), projection()
    if averaged:
        settings["average"] = WeightAverage(G, decay=0.9)
    return GANTrainer(
        G, D, opt(G.parameters(), lr=lr), opt(D.parameters(), lr=lr), **settings
    )


# Labels


def test_label_vectors_are_one_hot_side_by_side():
    y = torch.tensor([[1, 0], [0, 2]])
    expected = torch.tensor([[0, 1, 1, 0, 0], [1, 0, 0, 0, 1.0]])
    assert torch.equal(label_vectors(y, (2, 3)), expected)
    assert torch.equal(label_vectors(torch.tensor([2, 0]), (3,)), torch.eye(3)[[2, 0]])
    shares = torch.tensor([[0.25, 0.75]])
    assert label_vectors(shares, (2,)) is shares


@pytest.mark.parametrize(
    ("y", "classes", "error"),
    [
        (torch.tensor([3]), (3,), ValueError),
        (torch.tensor([-1]), (3,), ValueError),
        (torch.tensor([[0, 2]]), (3, 2), ValueError),
        (torch.tensor([], dtype=torch.int64), (3,), ValueError),
        (torch.tensor(1), (3,), ValueError),
        (torch.tensor([0, 1]), (3, 2), ValueError),
        (torch.tensor([[0, 1]]), (3,), ValueError),
        (torch.tensor([[[0]]]), (3,), ValueError),
        (torch.tensor([0.5, 0.5]), (2,), ValueError),
        (torch.tensor([[0.5, 0.5]]), (3,), ValueError),
        (torch.tensor([1], dtype=torch.int32), (3,), TypeError),
        (torch.tensor([True]), (3,), TypeError),
    ],
)
def test_labels_are_refused(y, classes, error):
    with pytest.raises(error):
        label_vectors(y, classes)


# Where the label enters


def test_conditional_norm_is_an_affine_map_of_each_class():
    norm = stirred(ConditionalBatchNorm2d(5, 3)).double()
    x = torch.randn(12, 5, 2, 3, dtype=torch.float64)
    y = torch.arange(12) % 3
    out = norm(x, label_vectors(y, (3,)).double())
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = (x - mean).square().mean((0, 2, 3), keepdim=True)
    for k in range(3):
        scale = 1 + norm.scale.weight[:, k].view(1, 5, 1, 1)
        shift = norm.shift.weight[:, k].view(1, 5, 1, 1)
        expected = scale * (x - mean) / (variance + 1e-5).sqrt() + shift
        torch.testing.assert_close(out[y == k], expected[y == k])


def test_a_fresh_conditional_norm_is_a_plain_one():
    x, labels = torch.randn(6, 4, 3, 3), label_vectors(torch.arange(6) % 2, (2,))
    told, plain = ConditionalBatchNorm2d(4, 2), nn.BatchNorm2d(4)
    for _ in range(2):
        torch.testing.assert_close(told(x, labels), plain(x))
    torch.testing.assert_close(told.eval()(x, labels), plain.eval()(x))


@pytest.mark.parametrize("subpixel", [False, True])
def test_projection_is_a_linear_part_and_an_inner_product(subpixel):
    D, x = projection(subpixel=subpixel), X[:4]
    y = torch.tensor([2, 0, 1, 2])
    f = D.features(2 * x - 1)
    w, b, v = D.linear.weight[0], D.linear.bias[0], D.label.weight
    expected = [
        b + sum(w[j] * f[i, j] + v[j, y[i]] * f[i, j] for j in range(f.shape[1]))
        for i in range(4)
    ]
    torch.testing.assert_close(D(x, y), torch.stack(expected))


def test_attributes_add_their_vectors():
    D, x = projection(num_classes=(2, 3)), X[:1]
    f = D.features(2 * x - 1)[0]
    v = D.label.weight
    expected = D.linear(f)[0] + f @ (v[:, 1] + v[:, 2 + 2])
    torch.testing.assert_close(D(x, torch.tensor([[1, 2]]))[0], expected)


def test_concatenation_writes_the_label_behind():
    G, D = mlp_generator(), ConditionalMLPDiscriminator(SHAPE, [5], num_classes=3)
    z, hot = torch.randn(16, 3), torch.eye(3)[Y]
    expected = G.net(torch.cat([z, hot], 1)).sigmoid()
    torch.testing.assert_close(G(z, Y), expected)
    first, last = D.net[1], D.net[-1]
    pixels, label = first.weight.split([16, 3], dim=1)
    h = (2 * X.flatten(1) - 1) @ pixels.T + label.T[Y] + first.bias
    h = torch.where(h > 0, h, 0.2 * h)
    torch.testing.assert_close(D(X, Y), last(h)[:, 0])


@pytest.mark.parametrize("make", [mlp_generator, dcgan_generator])
def test_the_label_alone_changes_the_image(make):
    G = make().eval()
    z = torch.randn(1, 3).expand(3, 3)
    images = G(z, torch.arange(3))
    assert torch.pdist(images.flatten(1)).min() > 1e-4
    torch.testing.assert_close(G(z, torch.full((3,), 1)), images[[1, 1, 1]])


def test_a_share_of_one_is_the_label():
    G, z = dcgan_generator().eval(), torch.randn(3, 3)
    torch.testing.assert_close(G(z, torch.eye(3)), G(z, torch.arange(3)))


# Sampling


def test_samples_take_turns_or_labels_as_asked():
    G = dcgan_generator()
    g1, g2 = (torch.Generator().manual_seed(1) for _ in range(2))
    first = G.sample(7, generator=g1)
    again = G.sample(7, y=torch.tensor([0, 1, 2, 0, 1, 2, 0]), generator=g2)
    assert torch.equal(first, again)
    assert first.shape == (7, *SHAPE) and first.min() >= 0 and first.max() <= 1
    assert G.training  # the mode is as before
    assert G.sample(501).shape == (501, *SHAPE)


def test_combinations_take_turns_too():
    G = dcgan_generator(num_classes=(2, 3))
    expected = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [0, 0]]
    assert G.turns(7).tolist() == expected
    assert G.sample(4).shape == (4, *SHAPE)


@pytest.mark.parametrize(
    "call",
    [
        lambda: mlp_generator(num_classes=1),
        lambda: mlp_generator(num_classes=()),
        lambda: mlp_generator(num_classes=(3, 0)),
        lambda: projection(num_classes=1),
        lambda: mlp_generator().sample(0),
        lambda: mlp_generator().sample(3, y=torch.tensor([0, 1])),
        lambda: mlp_generator().sample(1, y=torch.tensor([3])),
        lambda: mlp_generator()(torch.randn(2, 4), torch.tensor([0, 1])),
        lambda: mlp_generator()(torch.randn(2, 3), torch.tensor([0])),
        lambda: projection()(X[:2], torch.tensor([0])),
        lambda: projection()(X[:, :, :3], Y),
        lambda: ConditionalMLPDiscriminator(SHAPE, dropout=1.0),
        lambda: ConditionalDCGANGenerator((1, 5, 4)),
        lambda: ProjectionDiscriminator((1, 5, 4)),
    ],
)
def test_networks_refuse(call):
    with pytest.raises(ValueError):
        call()


# The game


def test_with_equal_shares_the_best_answer_is_that_of_each_label():
    p = torch.rand(3, 5, generator=torch.Generator().manual_seed(1)).double()
    q = torch.rand(3, 5, generator=torch.Generator().manual_seed(2)).double()
    p, q = (t / t.sum(1, keepdim=True) for t in (p, q))
    share = torch.tensor([0.2, 0.5, 0.3]).double()
    joint = optimal_discriminator(share[:, None] * p, share[:, None] * q)
    D = torch.stack([optimal_discriminator(a, b) for a, b in zip(p, q, strict=True)])
    torch.testing.assert_close(joint, D)
    value = (share[:, None] * (p * D.log() + q * (1 - D).log())).sum()
    m = (p + q) / 2
    js = ((p * (p / m).log()).sum(1) + (q * (q / m).log()).sum(1)) / 2
    torch.testing.assert_close(value, -math.log(4) + 2 * (share * js).sum())


def test_step_equals_two_updates_by_hand():
    trainer = small_trainer(torch.optim.SGD, lr=0.1)
    G, D = copy.deepcopy(trainer.G), copy.deepcopy(trainer.D)
    torch.manual_seed(3)
    terms = trainer.step(X, Y)
    torch.manual_seed(3)
    x_fake = G(torch.randn(16, 3), Y)
    loss = -D(X, Y).sigmoid().log().mean() - (1 - D(x_fake, Y).sigmoid()).log().mean()
    torch.testing.assert_close(terms["loss_D"], loss)
    by_D = torch.autograd.grad(loss, list(D.parameters()), retain_graph=True)
    with torch.no_grad():
        for p, g in zip(D.parameters(), by_D, strict=True):
            p -= 0.1 * g
    loss = -D(x_fake, Y).sigmoid().log().mean()  # the new discriminator
    torch.testing.assert_close(terms["loss_G"], loss)
    by_G = torch.autograd.grad(loss, list(G.parameters()))
    with torch.no_grad():
        for p, g in zip(G.parameters(), by_G, strict=True):
            p -= 0.1 * g
    torch.testing.assert_close(weights(trainer.D), weights(D))
    torch.testing.assert_close(weights(trainer.G), weights(G))


def test_the_penalty_is_the_slope_at_real_images_given_their_labels():
    trainer = small_trainer(r1=3.0, r1_every=2)
    x = X.clone().requires_grad_()
    (slope,) = torch.autograd.grad(trainer.D(x, Y).sum(), x)
    expected = 3.0 / 2 * 2 * slope.square().flatten(1).sum(1).mean()
    torch.testing.assert_close(trainer._penalty(X, Y), expected)
    trainer.step(X, Y)
    assert trainer._penalty(X, Y) == 0.0


@pytest.mark.parametrize("still", ["G", "D"])
def test_each_phase_moves_its_own_network_only(still):
    trainer = small_trainer(torch.optim.SGD, lr=0.1, r1=1.0, r1_every=1)
    getattr(trainer, f"opt_{still}").param_groups[0]["lr"] = 0.0
    before = {name: weights(getattr(trainer, name)) for name in "GD"}
    trainer.step(X, Y)
    for name in "GD":
        same = torch.equal(before[name], weights(getattr(trainer, name)))
        assert same == (name == still)


FULL = {"averaged": True, "r1": 0.5, "r1_every": 4}  # in no step with the epochs


def run(trainer, **keywords):
    return fit(trainer, Batches(X, Y, batch_size=6), progress=False, **keywords)


def test_same_seed_same_history():
    first, second = small_trainer(**FULL), small_trainer(**FULL)
    torch.manual_seed(5)
    expected = run(first, epochs=3).terms
    torch.manual_seed(5)
    assert run(second, epochs=3).terms == expected


def test_resumed_equals_uninterrupted_bit_for_bit(tmp_path):
    whole = small_trainer(**FULL)
    history = run(whole, epochs=5)
    path = tmp_path / "cgan.pt"
    run(small_trainer(**FULL), epochs=2, checkpoint=path)
    resumed = small_trainer(**FULL)
    torch.rand(7)
    again = run(resumed, epochs=5, checkpoint=path, resume=True)
    for name in ("G", "D", "average"):
        ours, theirs = (getattr(t, name).state_dict() for t in (whole, resumed))
        for a, b in zip(ours.values(), theirs.values(), strict=True):
            assert a == b if isinstance(a, int) else torch.equal(a, b)
    assert history.terms == again.terms


def test_over_fits_eight_images_each_under_its_own_label():
    x = torch.rand(8, *SHAPE).round()
    y = torch.arange(8)
    G = ConditionalMLPGenerator(SHAPE, [64], latent=4, num_classes=8)
    D = ConditionalMLPDiscriminator(SHAPE, [64, 64], num_classes=8)
    opts = [
        torch.optim.Adam(net.parameters(), lr=4e-3, betas=(0.5, 0.99), fused=True)
        for net in (G, D)
    ]
    average = WeightAverage(G, 0.98)
    trainer = GANTrainer(G, D, *opts, r1=1.0, r1_every=2, average=average)
    batch = (x.repeat(4, 1, 1, 1), y.repeat(4))
    fit(trainer, [batch], steps=300, progress=False)
    samples = average.G.sample(400)  # 50 of each label
    nearest = torch.cdist(samples.flatten(1), x.flatten(1)).argmin(1)
    assert (nearest == average.G.turns(400)).float().mean() > 0.95
    assert len(nearest.unique()) == 8


def test_labels_out_of_range_are_refused_before_any_update():
    trainer = small_trainer()
    before = {name: weights(getattr(trainer, name)) for name in "GD"}
    with pytest.raises(ValueError, match="0 to 2"):
        trainer.step(X, Y + 1)
    for name in "GD":
        assert torch.equal(before[name], weights(getattr(trainer, name)))


def test_trainer_refuses_what_cannot_play():
    def trainer(G, D):
        opts = [torch.optim.SGD(net.parameters(), lr=0.1) for net in (G, D)]
        return GANTrainer(G, D, *opts)

    with pytest.raises(ValueError, match="image_shape"):
        trainer(mlp_generator(), ConditionalMLPDiscriminator((1, 4, 5), num_classes=3))
    with pytest.raises(ValueError, match="num_classes"):
        trainer(mlp_generator(), projection(num_classes=4))
    with pytest.raises(ValueError, match="num_classes"):
        trainer(mlp_generator(), projection(num_classes=(3, 2)))
    G, D = mlp_generator(), projection()
    opt = torch.optim.SGD(D.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="opt_G does not hold"):
        GANTrainer(G, D, opt, opt)
    with pytest.raises(ValueError, match="r1"):
        small_trainer(r1=-1.0)
