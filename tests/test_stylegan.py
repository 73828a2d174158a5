import pytest
import torch
from torch.nn import functional as F

from companion.models.gan import DCGANDiscriminator
from companion.models.stylegan import ModulatedConv2d, StyleGenerator
from companion.trainers import GANTrainer, WeightAverage, fit


def small(**settings):
    torch.manual_seed(0)
    return StyleGenerator((1, 8, 12), [6, 4], latent=5, **settings)


def randomized(layer):
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_modulation_equals_a_convolution_with_weights_of_each_image(
    kernel_size, demodulate
):
    layer = randomized(
        ModulatedConv2d(3, 4, 5, kernel_size=kernel_size, demodulate=demodulate)
    )
    x, w = torch.randn(6, 3, 7, 5), torch.randn(6, 5)
    for image, style, out in zip(x, w, layer(x, w), strict=True):
        scale = layer.scale.weight @ style + layer.scale.bias
        kernel = layer.conv.weight * scale[:, None, None]
        if demodulate:
            kernel = kernel / kernel.square().sum((1, 2, 3), keepdim=True).sqrt()
        expected = F.conv2d(image[None], kernel, layer.bias, padding=kernel_size // 2)
        torch.testing.assert_close(out[None], expected, rtol=1e-4, atol=1e-5)


def test_demodulated_maps_keep_unit_variance_whatever_the_style():
    torch.manual_seed(0)
    layer = ModulatedConv2d(16, 8, 5)
    for size in (0.1, 10.0):
        w = size * torch.randn(1, 5).expand(4, -1)
        inner = layer(torch.randn(4, 16, 64, 64), w)[..., 1:-1, 1:-1]
        assert inner.var().item() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("widths", [[4], [6, 4], [6, 5, 4]])
@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 32, 16)])
def test_shapes_ranges_and_gradients(image_shape, widths):
    G = StyleGenerator(image_shape, widths, latent=5)
    x = G(G.noise(3))
    assert x.shape == (3, *image_shape)
    assert 0 <= x.min() and x.max() <= 1
    assert G.num_styles == 2 * len(widths) - 1
    x.square().sum().backward()
    assert all(p.grad is not None for p in G.parameters())


def test_each_layer_obeys_its_own_style():
    G = small().eval()
    randomized(G)
    styles = G.repeated(torch.randn(1, 5))
    before = G.synthesis(styles)
    for layer in range(G.num_styles):
        changed = styles.clone()
        changed[:, layer] += 1
        assert not torch.allclose(before, G.synthesis(changed))


def test_length_of_noise_does_not_matter():
    G = small()
    z = torch.randn(4, 5)
    torch.testing.assert_close(G.mapping(z), G.mapping(7 * z))


def test_evaluation_mixes_no_styles_and_training_half():
    G = small()
    randomized(G)
    z = torch.randn(400, 5)
    expected = G.synthesis(G.repeated(G.mapping(z)))
    torch.testing.assert_close(G.eval()(z), expected)
    same = torch.isclose(G.train()(z), expected, atol=1e-4).flatten(1).all(dim=1)
    # Of 2 L - 1 places to change the style, L lie behind the last of L layers.
    share = G.num_styles / (2 * G.num_styles - 1)
    assert same.float().mean().item() == pytest.approx(share, abs=0.1)


def test_truncation_pulls_to_the_mean_style():
    G = small()
    for _ in range(20):
        G(G.noise(50))
    g = torch.Generator()
    full, half, none = (
        G.sample(6, truncation=t, generator=g.manual_seed(1)) for t in (1.0, 0.5, 0.0)
    )
    z = G.noise(6, generator=g.manual_seed(1))
    torch.testing.assert_close(full, G.eval()(z))
    middle = G.synthesis(G.repeated(G.w_mean[None]))
    torch.testing.assert_close(none, middle.expand_as(none))
    w = G.w_mean + (G.mapping(z) - G.w_mean) / 2
    torch.testing.assert_close(half, G.synthesis(G.repeated(w)))


def test_mean_style_follows_that_of_much_noise():
    G = small()
    for _ in range(1500):
        G._follow(G.mapping(G.noise(100)))
    expected = G.mapping(G.noise(100_000)).mean(dim=0)
    torch.testing.assert_close(G.w_mean, expected, rtol=0.1, atol=0.05)


def test_it_learns_one_picture_and_its_average_keeps_the_mean_style():
    torch.manual_seed(0)
    G = StyleGenerator((1, 8, 8), [8, 8], latent=4)
    D = DCGANDiscriminator((1, 8, 8), [8])
    picture = torch.rand(1, 8, 8)
    average = WeightAverage(G, 0.9)
    opts = [torch.optim.Adam(n.parameters(), 1e-2, (0.0, 0.99)) for n in (G, D)]
    trainer = GANTrainer(G, D, *opts, r1=0.1, average=average)
    batches = [picture.expand(16, 1, 8, 8)]
    before = (G.sample(20) - picture).abs().mean()
    fit(trainer, batches, epochs=300, progress=False)
    after = (average.sample(20) - picture).abs().mean()
    assert after < 0.5 * before
    assert average.G.w_mean.any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: StyleGenerator((1, 28, 30), [4, 4, 4]), "multiples of 4"),
        (lambda: StyleGenerator(depth=0), "depth is 0"),
        (lambda: StyleGenerator(widths=[]), "one width"),
        (lambda: small().synthesis(torch.zeros(2, 2, 5)), "one style for each layer"),
        (lambda: small().sample(0), "n is 0"),
        (lambda: small().sample(1, truncation=1.5), "truncation is 1.5"),
        (lambda: small()(torch.zeros(2, 4)), "takes"),
    ],
)
def test_it_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()
