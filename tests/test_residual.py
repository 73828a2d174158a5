"""Residual networks: by hand, beside the plain ones, their size and cost, errors."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.models.residual import ResidualBlock, ResNet, multiplications
from companion.trainers import ClassifierTrainer


def normalised(x):
    """Batch normalisation of a batch in training, with scale 1 and shift 0."""
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


@pytest.mark.parametrize("residual", [True, False])
def test_a_block_by_hand(residual):
    torch.manual_seed(0)
    block = ResidualBlock(3, 3, residual=residual)
    x = torch.randn(4, 3, 6, 5)
    first, second = block.branch[0].weight, block.branch[3].weight
    h = normalised(F.conv2d(x, first, padding=1)).clamp(min=0)
    h = normalised(F.conv2d(h, second, padding=1))
    expected = (h + x if residual else h).clamp(min=0)
    torch.testing.assert_close(block(x), expected)
    assert len(list(block.parameters())) == 6


@pytest.mark.parametrize(("fan_out", "stride"), [(5, 1), (3, 2), (5, 2)])
def test_a_shortcut_of_another_shape_has_a_1x1_convolution(fan_out, stride):
    torch.manual_seed(0)
    block = ResidualBlock(3, fan_out, stride)
    x = torch.randn(4, 3, 7, 6)
    weight = block.shortcut[0].weight[:, :, 0, 0]
    picked = x[:, :, ::stride, ::stride]
    short = normalised(torch.einsum("oi,bihw->bohw", weight, picked))
    torch.testing.assert_close(block.shortcut(x), short)
    assert block(x).shape == (4, fan_out, -(-7 // stride), -(-6 // stride))
    plain = ResidualBlock(3, fan_out, stride, residual=False)
    assert plain(x).shape == block(x).shape
    assert len(list(plain.parameters())) + 3 == len(list(block.parameters()))


def test_a_block_that_has_learned_nothing_is_the_identity():
    block = ResidualBlock(3, 3)
    nn.init.zeros_(block.branch[4].weight)
    x = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(block(x), x)


def test_without_normalisation_the_convolutions_have_biases():
    torch.manual_seed(0)
    block = ResidualBlock(2, 2, batch_norm=False)
    x = torch.randn(1, 2, 4, 4)
    w = list(block.parameters())
    h = F.conv2d(F.conv2d(x, w[0], w[1], padding=1).relu(), w[2], w[3], padding=1)
    torch.testing.assert_close(block(x), (x + h).relu())


def test_the_network_is_its_blocks_and_a_mean():
    torch.manual_seed(0)
    net = ResNet(1, 4, widths=(3, 5), blocks=2).eval()
    x = torch.rand(2, 1, 9, 12)
    h = net.stem(x)
    for block in net.blocks:
        h = block(h)
    torch.testing.assert_close(net.maps(x), h)
    assert h.shape == (2, 5, 5, 6) and h.amin() >= 0
    pooled = h.sum((2, 3)) / 30
    torch.testing.assert_close(net.features(x), pooled)
    expected = pooled @ net.output.weight.T + net.output.bias
    torch.testing.assert_close(net(x), expected)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (5, 7), (28, 28), (32, 17)])
def test_images_of_any_size(height, width):
    net = ResNet(1, 3, widths=(2, 4, 4))
    assert net(torch.rand(2, 1, height, width)).shape == (2, 3)


def test_layers_and_parameters_by_hand():
    net = ResNet(3, 10, widths=(16, 32, 64), blocks=3)  # ResNet-20 of the paper
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert sum(c.kernel_size == (3, 3) for c in convolutions) + 1 == 20
    assert sum(c.kernel_size == (1, 1) for c in convolutions) == 2
    weights = 27 * 16 + 9 * (6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64)
    weights += 9 * 5 * 64 * 64 + 16 * 32 + 32 * 64
    norms = 2 * (7 * 16 + 7 * 32 + 7 * 64)
    count = sum(w.numel() for w in net.parameters())
    assert count == weights + norms + 64 * 10 + 10


def test_multiplications_by_hand():
    net = ResNet(3, 10, widths=(4, 8))
    count = 64 * 9 * (3 * 4 + 2 * 4 * 4) + 16 * (9 * (4 * 8 + 8 * 8) + 4 * 8) + 8 * 10
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert multiplications(net, torch.rand(5, 3, 8, 8)) == count
    assert net.training  # and nothing has changed
    net.stem.eval()  # a part that is to stay as it is
    multiplications(net, torch.rand(5, 3, 8, 8))
    assert net.training and not net.stem.training
    for name, value in net.state_dict().items():
        assert torch.equal(before[name], value)
    assert not any(layer._forward_hooks for layer in net.modules())


def test_weights_begin_with_the_variance_of_he():
    torch.manual_seed(0)
    for layer in ResNet(widths=(64, 128)).modules():
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.weight[0].numel()
            variance = layer.weight.var().item()
            assert variance == pytest.approx(2 / fan_in, rel=0.1)


def test_the_gradient_reaches_the_first_layer_of_a_deep_residual_network():
    def share(residual):
        torch.manual_seed(0)
        net = ResNet(1, 3, widths=(8,), blocks=25, residual=residual, batch_norm=False)
        for block in net.blocks:
            for layer in (block.branch[0], block.branch[2]):
                layer.weight.data *= 0.3  # too small
        net(torch.rand(4, 1, 6, 6)).logsumexp(dim=1).sum().backward()
        last = net.blocks[-1].branch[0].weight.grad.norm()
        return (net.stem[0].weight.grad.norm() / last).item()

    assert share(residual=True) > 0.1
    assert share(residual=False) < 1e-6


@pytest.mark.parametrize("residual", [True, False])
def test_over_fits_eight_images(residual):
    torch.manual_seed(0)
    net = ResNet(1, 8, widths=(8, 8), residual=residual)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    trainer = ClassifierTrainer(net, opt)
    x, y = torch.rand(8, 1, 12, 12), torch.arange(8)
    for _ in range(150):
        trainer.step(x, y)
    net.eval()
    assert (net(x).argmax(dim=1) == y).all()


def test_in_evaluation_images_are_independent():
    torch.manual_seed(0)
    net = ResNet(1, 3, widths=(4, 4))
    x = torch.rand(6, 1, 8, 8)
    net(x)
    net.eval()
    torch.testing.assert_close(net(x)[:1], net(x[:1]))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"widths": ()}, r"widths \(\)"),
        ({"widths": (8, 0)}, "must all be 1 or more"),
        ({"blocks": 0}, "blocks 0"),
        ({"in_channels": 0}, "in_channels 0"),
        ({"num_classes": 0}, "num_classes 0"),
    ],
)
def test_sizes_below_one_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        ResNet(**arguments)


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 3, 3, 8), (2, 3, 8, 3), (3, 8, 8)])
def test_images_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\), with H and W of 4 or more"):
        ResNet()(torch.rand(shape))
