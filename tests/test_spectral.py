import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from companion.models.cgan import ProjectionDiscriminator
from companion.models.copies import LinearCopies, MLPDiscriminators, MLPGenerators
from companion.models.gan import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
)
from companion.models.spectral import spectral_norm
from companion.trainers import GANTrainer, fit

POINT = (1, 1, 2)


def largest(weight):
    return torch.linalg.svdvals(weight.flatten(1))[0].item()


def repeat(layer, x, rounds=300):
    for _ in range(rounds):
        layer(x)


def test_spectral_norm_is_one_by_svd():
    for layer, x in (
        (nn.Linear(20, 30), torch.randn(2, 20)),
        (nn.Conv2d(3, 6, 4), torch.randn(2, 3, 8, 8)),
    ):
        raw = layer.weight.detach().clone()
        spectral_norm(nn.Sequential(layer))
        repeat(layer, x)
        assert largest(layer.weight) == pytest.approx(1, abs=1e-4)
        torch.testing.assert_close(
            layer.weight * largest(raw), raw, rtol=1e-3, atol=1e-4
        )


def test_agrees_with_pytorchs_in_value_and_gradient():
    ours, theirs = nn.Linear(9, 7), nn.Linear(9, 7)
    theirs.load_state_dict(ours.state_dict())
    spectral_norm(nn.Sequential(ours))
    parametrizations.spectral_norm(theirs)
    x = torch.randn(4, 9)
    for layer in (ours, theirs):
        repeat(layer, x)
        layer(x).square().sum().backward()
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    by_us, by_them = (n.parametrizations.weight.original.grad for n in (ours, theirs))
    torch.testing.assert_close(by_us, by_them, rtol=1e-3, atol=1e-4)


def test_each_copy_is_normalised_by_its_own_largest_singular_value():
    layer = LinearCopies(3, 5, 8)
    with torch.no_grad():
        layer.weight *= torch.tensor([0.1, 1.0, 20.0])[:, None, None]
    spectral_norm(nn.Sequential(layer))
    repeat(layer, torch.randn(3, 2, 5))
    for matrix in layer.weight:
        assert largest(matrix) == pytest.approx(1, abs=1e-3)


def test_evaluation_leaves_the_vectors_alone():
    layer = nn.Linear(6, 4)
    spectral_norm(nn.Sequential(layer)).eval()
    before = {n: v.clone() for n, v in layer.state_dict().items()}
    repeat(layer, torch.randn(2, 6), 3)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    "D", [MLPDiscriminator((1, 8, 8), [16, 16]), DCGANDiscriminator((1, 8, 8), [4, 6])]
)
def test_a_normalised_discriminator_keeps_its_bound(D):
    with torch.no_grad():
        for p in D.parameters():
            p *= 5
    spectral_norm(D)
    repeat(D, torch.rand(2, 1, 8, 8), 50)
    D.eval()
    x = torch.rand(200, 1, 8, 8, requires_grad=True)
    (slopes,) = torch.autograd.grad(D(x).sum(), x)
    # 2 for 2 x - 1; a kernel of 4 x 4 with stride 2 sees each pixel four times.
    bound = 2 * (1 if isinstance(D, MLPDiscriminator) else 2**2)
    assert slopes.flatten(1).norm(dim=1).max() <= bound + 1e-3


def test_trains_in_a_game_and_survives_a_copy_and_a_state():
    G, D = MLPGenerators(2, POINT, [8], 3), MLPDiscriminators(2, POINT, [8])
    spectral_norm(D)
    opts = [torch.optim.Adam(network.parameters()) for network in (G, D)]
    fit(GANTrainer(G, D, *opts), [(torch.rand(8, *POINT),)], steps=4, progress=False)
    twin = copy.deepcopy(D).eval()
    fresh = spectral_norm(MLPDiscriminators(2, POINT, [8])).eval()
    fresh.load_state_dict(D.state_dict())
    x = torch.rand(6, *POINT)
    torch.testing.assert_close(twin(x), D.eval()(x))
    torch.testing.assert_close(fresh(x), D(x))
    assert all(
        parametrize.is_parametrized(m)
        for m in D.modules()
        if isinstance(m, LinearCopies)
    )


@pytest.mark.parametrize(
    "network", [nn.Sequential(nn.ReLU()), spectral_norm(nn.Sequential(nn.Linear(2, 2)))]
)
def test_spectral_norm_refuses(network):
    with pytest.raises(ValueError, match="layers"):
        spectral_norm(network)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (ProjectionDiscriminator(), "'label' is zero"),
        (DCGANGenerator(), "transposed convolution"),
    ],
)
def test_spectral_norm_refuses_before_any_change(network, words):
    with pytest.raises(ValueError, match=words):
        spectral_norm(network)
    assert not any(map(parametrize.is_parametrized, network.modules()))


# Copies of small networks side by side.


def single(many, kind, copy_number, *sizes):
    """The network that one of the copies is."""
    alone = kind(POINT, *sizes)
    ours = [m for m in many.net if isinstance(m, LinearCopies)]
    theirs = [m for m in alone.net if isinstance(m, nn.Linear)]
    with torch.no_grad():
        for a, b in zip(ours, theirs, strict=True):
            b.weight.copy_(a.weight[copy_number].T)
            b.bias.copy_(a.bias[copy_number, 0])
    return alone


def test_copies_are_the_networks_side_by_side():
    G, D = MLPGenerators(3, POINT, [7, 5], 4), MLPDiscriminators(3, POINT, [6])
    z = G.noise(12)
    x = G(z)
    assert x.shape == (12, *POINT) and D(x).shape == (12,)
    for k in range(3):
        part = slice(4 * k, 4 * k + 4)
        G1, D1 = (
            single(G, MLPGenerator, k, [7, 5], 4),
            single(D, MLPDiscriminator, k, [6]),
        )
        torch.testing.assert_close(G1(z[part]), x[part])
        torch.testing.assert_close(D1(x[part]), D(x)[part])


def test_copies_start_as_linear_layers_do():
    layer, plain = LinearCopies(400, 9, 3), nn.Linear(9, 1000)
    for ours, theirs in ((layer.weight, plain.weight), (layer.bias, plain.bias)):
        assert ours.abs().max() <= 1 / 3
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.1)
    assert not torch.equal(layer.weight[0], layer.weight[1])


@pytest.mark.parametrize("n", [3, 1500])
def test_copies_draw_as_many_samples_each(n):
    G = MLPGenerators(3, POINT, [5], latent=4)
    seeded = torch.Generator().manual_seed(0)
    with torch.no_grad():
        expected = G(G.noise(n, generator=seeded))
    torch.testing.assert_close(G.sample(n, generator=seeded.manual_seed(0)), expected)
    with pytest.raises(ValueError, match="multiple of 3"):
        G.sample(n + 1)


def test_copies_train_independently():
    def trained(x):
        torch.manual_seed(0)
        G, D = MLPGenerators(2, POINT, [8], 3), MLPDiscriminators(2, POINT, [8])
        opts = [torch.optim.Adam(net.parameters(), lr=1e-2) for net in (G, D)]
        fit(GANTrainer(G, D, *opts, r1=0.1), [(x,)], steps=5, progress=False)
        return [w.detach() for w in G.parameters()]

    x = torch.rand(8, *POINT)
    other = x.clone()
    other[4:] = 0.9  # the second copy's part
    for a, b in zip(trained(x), trained(other), strict=True):
        assert torch.equal(a[0], b[0])
        assert not torch.equal(a[1], b[1])


@pytest.mark.parametrize(
    "call",
    [
        lambda: MLPGenerators(0, POINT, [4], 2),
        lambda: MLPGenerators(2, POINT, [4], 0),
        lambda: MLPGenerators(2, POINT, [0], 2),
        lambda: MLPDiscriminators(2, (1, 2), [4]),
        lambda: MLPDiscriminators(-1, POINT, [4]),
    ],
)
def test_copies_refuse(call):
    with pytest.raises(ValueError):
        call()
