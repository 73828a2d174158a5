import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.models.cgan import ConditionalDCGANGenerator, ProjectionDiscriminator
from companion.models.copies import MLPDiscriminators
from companion.models.gan import (
    BatchDeviation,
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    init_dcgan,
)
from companion.models.spectral import spectral_norm


@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 32, 32), (2, 4, 12)])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("kind", ["mlp", "dcgan", "subpixel", "resize"])
def test_shapes_ranges_and_gradients(kind, batch_norm, image_shape):
    if kind == "mlp":
        G = MLPGenerator(image_shape, [6], latent=5, batch_norm=batch_norm)
        D = MLPDiscriminator(image_shape, [6, 3], dropout=0.3)
    else:
        settings = {"batch_norm": batch_norm, "subpixel": kind == "subpixel"}
        resize = kind == "resize"
        G = DCGANGenerator(image_shape, [6, 4], latent=5, resize=resize, **settings)
        D = DCGANDiscriminator(image_shape, [4, 6], deviation=resize, **settings)
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
    weight = G.net[0].weight.detach().T.reshape(5, 2, 3, 3)  # channels last
    bias = G.net[0].bias.view(2, 3, 3).permute(2, 0, 1)
    expected = F.conv_transpose2d(z.view(4, 5, 1, 1), weight.permute(0, 3, 1, 2))
    torch.testing.assert_close(G.net[:3](z) - bias, expected, rtol=1e-4, atol=1e-5)


def test_maps_need_no_copy_between_linear_layers_and_convolutions():
    G = DCGANGenerator((1, 8, 12), [3, 2], latent=5)
    D = DCGANDiscriminator((1, 8, 12), [2, 3])
    last = torch.channels_last
    assert G.net[:3](G.noise(4)).is_contiguous(memory_format=last)
    maps = D.net[:-3](torch.rand(4, 1, 8, 12))
    assert maps.is_contiguous(memory_format=last)
    assert D.net[:-1](torch.rand(4, 1, 8, 12)).shape == (4, 3 * 2 * 3)
    flat = D.net[-3:-1](maps)
    assert flat.data_ptr() == maps.data_ptr()


def test_subpixel_layers_contain_the_transposed_and_the_strided_convolution():
    first = DCGANDiscriminator((1, 8, 8), [3], subpixel=True).net[1]
    strided = nn.Conv2d(1, 3, 4, stride=2, padding=1)
    last = DCGANGenerator((1, 8, 8), [3], latent=2, subpixel=True).net[-2]
    transposed = nn.ConvTranspose2d(3, 1, 4, stride=2, padding=1)
    with torch.no_grad():
        for layer in (first, last):
            layer.weight.zero_()
        first.bias.copy_(strided.bias)
        last.bias.copy_(transposed.bias.expand(4))
        for i in range(4):  # row and column of the kernel of 4 x 4
            for j in range(4):
                # Row i of the kernel sees row i - 1: block (i + 1) // 2, its row.
                (u, r), (v, c) = divmod(i + 1, 2), divmod(j + 1, 2)
                first.weight[:, 2 * r + c, u, v] = strided.weight[:, 0, i, j]
                # A transposed kernel writes where a strided one reads.
                last.weight[2 * r + c, :, 2 - u, 2 - v] = transposed.weight[:, 0, i, j]
    x, maps = torch.randn(2, 1, 8, 8), torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(
        first(F.pixel_unshuffle(x, 2)), strided(x), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(
        F.pixel_shuffle(last(maps), 2), transposed(maps), rtol=1e-4, atol=1e-5
    )


def test_resized_maps_have_no_checkerboard_where_the_smallest_map_is_flat():
    for resize in (False, True):
        torch.manual_seed(0)
        G = DCGANGenerator((1, 64, 64), [4, 3], latent=2, resize=resize).eval()
        with torch.no_grad():
            maps = torch.ones(1, 4, 1, 1).expand(1, 4, 16, 16)
            inner = G.net[3:](maps)[..., 12:-12, 12:-12]
        assert (inner.std() < 1e-5) == resize


def test_deviation_is_the_mean_standard_deviation_over_the_batch():
    x = torch.randn(6, 3, 4, 5)
    out = BatchDeviation()(x)
    assert torch.equal(out[:, :3], x)
    expected = torch.from_numpy(x.numpy().std(axis=0)).mean()
    torch.testing.assert_close(out[:, 3], expected.expand(6, 4, 5))


def test_deviation_has_a_gradient_where_all_images_are_alike():
    x = torch.ones(4, 2, 3, 3, requires_grad=True)
    BatchDeviation()(x).sum().backward()
    assert x.grad.isfinite().all()


def test_only_with_deviation_does_an_answer_depend_on_the_other_images():
    x = torch.rand(3, 1, 8, 8)
    for deviation in (False, True):
        D = DCGANDiscriminator((1, 8, 8), [4], deviation=deviation)
        alone, together = D(x[:1].repeat(3, 1, 1, 1))[0], D(x)[0]
        assert torch.isclose(alone, together, atol=1e-6) != deviation


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
    "network",
    [
        ConditionalDCGANGenerator(),
        ProjectionDiscriminator(),
        MLPDiscriminators(2, (1, 1, 2), [3]),
        spectral_norm(DCGANDiscriminator()),
    ],
    ids=lambda network: type(network).__name__,
)
def test_init_dcgan_changes_nothing_where_it_has_no_rule(network):
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(TypeError, match="DCGAN has no rule"):
        init_dcgan(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: DCGANGenerator((1, 28, 30)), "multiples of 4"),
        (lambda: DCGANDiscriminator((1, 28, 28), [4, 4, 4]), "multiples of 8"),
        (lambda: DCGANGenerator((28, 28)), "channels"),
        (lambda: DCGANGenerator(subpixel=True, resize=True), "one of the two"),
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
