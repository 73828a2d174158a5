"""Convolution taken apart, against torch, scipy and measured gradients."""

import pytest
import torch
from scipy.signal import correlate2d
from torch import nn
from torch.nn import functional as F

from companion.convolution import (
    Window,
    conv2d_loops,
    conv_parameters,
    convolution_matrix,
    extent,
    influence,
    linear_parameters,
    output_size,
    receptive_field,
    shuffle_pixels,
    sliding,
)
from companion.exercises.convolution import CASES
from companion.models.residual import multiplications


def random_windows(count, seed):
    """Windows with every setting drawn at random."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high):
        return torch.randint(low, high + 1, (), generator=generator).item()

    return [
        Window(draw(1, 4), draw(1, 3), draw(0, 3), draw(1, 3)) for _ in range(count)
    ]


@pytest.mark.parametrize("window", random_windows(20, seed=0))
def test_loops_and_sizes_equal_torch(window):
    generator = torch.Generator().manual_seed(sum(window))
    k, stride, padding, dilation = window
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    x = torch.randn(2, 3, 11, 13, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, 3, k, k, generator=generator, dtype=torch.float64)
    bias = torch.randn(4, generator=generator, dtype=torch.float64)
    expected = F.conv2d(x, weight, bias, **settings)
    torch.testing.assert_close(conv2d_loops(x, weight, bias, **settings), expected)
    sizes = [output_size(n, k, stride, padding, dilation) for n in (11, 13)]
    assert sizes == list(expected.shape[2:])


@pytest.mark.parametrize("window", random_windows(8, seed=1))
def test_matrix_is_the_convolution_of_each_pixel_alone(window):
    generator = torch.Generator().manual_seed(sum(window))
    k, stride, padding, dilation = window
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    weight = torch.randn(3, 2, k, k + 1, generator=generator)
    matrix = convolution_matrix(weight, (10, 11), **settings)
    pixels = torch.eye(2 * 10 * 11).view(-1, 2, 10, 11)
    expected = F.conv2d(pixels, weight, **settings).flatten(1).T
    assert matrix.equal(expected)


def test_loops_are_cross_correlation_and_do_not_flip_the_kernel():
    x, weight = torch.rand(6, 7), torch.rand(3, 2)
    y = conv2d_loops(x[None, None], weight[None, None])[0, 0]
    expected = correlate2d(x.numpy(), weight.numpy(), mode="valid")
    torch.testing.assert_close(y, torch.from_numpy(expected))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("bias", [True, False])
def test_parameter_counts_equal_the_layers(groups, bias):
    conv = nn.Conv2d(8, 12, 5, groups=groups, bias=bias)
    linear = nn.Linear(8, 12, bias=bias)
    assert conv_parameters(8, 12, 5, groups=groups, bias=bias) == sum(
        p.numel() for p in conv.parameters()
    )
    assert linear_parameters(8, 12, bias=bias) == sum(
        p.numel() for p in linear.parameters()
    )


def positive_network(windows):
    """Convolutions with weights above 0: no two paths of influence can cancel."""
    layers = []
    for k, stride, padding, dilation in windows:
        layer = nn.Conv2d(1, 1, k, stride, padding, dilation, bias=False)
        nn.init.uniform_(layer.weight, 0.5, 1.0)
        layers.append(layer)
    return nn.Sequential(*layers).double()


@pytest.mark.parametrize("seed", range(10))
def test_receptive_field_equals_the_extent_of_the_gradient(seed):
    torch.manual_seed(seed)
    # Odd kernels with "same" padding keep the middle in the middle.
    windows = [
        Window(w.kernel_size, w.stride, w.dilation * (w.kernel_size - 1) // 2, w[3])
        for w in random_windows(3, seed)
        if w.kernel_size > 1 or w.stride == 1
    ]
    # A kernel smaller than the stride below it leaves holes, but a box has none.
    field = receptive_field(windows)
    x = torch.rand(1, 1, 2 * field + 61, 2 * field + 61, dtype=torch.float64)
    assert extent(influence(positive_network(windows), x)) == (field, field)


def test_receptive_field_of_known_networks():
    assert receptive_field([]) == 1
    assert receptive_field([(3,)] * 4) == 9
    assert receptive_field([Window(3, dilation=2**n) for n in range(4)]) == 31
    # The convolutions and poolings of VGG-16: 212, as Araujo et al. (2019) give.
    blocks = [2, 2, 3, 3, 3]
    assert receptive_field(w for n in blocks for w in [(3, 1, 1)] * n + [(2, 2)]) == 212


def test_influence_of_one_layer_is_its_kernel():
    conv = nn.Conv2d(2, 3, 3)
    measured = influence(conv, torch.rand(4, 2, 3, 3))
    expected = conv.weight.sum(dim=0).abs().sum(dim=0)
    torch.testing.assert_close(measured, expected.detach())
    assert conv.weight.grad is None  # measuring leaves no trace


def test_shuffle_pixels_moves_whole_pixels_and_can_be_undone():
    x = torch.rand(2, 3, 4, 5)
    order = torch.randperm(20)
    shuffled = shuffle_pixels(x, order)
    assert shuffled[1, 2, 0, 3] == x[1, 2].flatten()[order[3]]
    assert shuffle_pixels(shuffled, order.argsort()).equal(x)


def test_sliding_ends_with_the_whole_output():
    x, weight = torch.rand(5, 6), torch.tensor([[0.0, 0, 0], [1, 0, -1], [0, 0, 0]])
    frames = list(sliding(x, weight))
    y = F.conv2d(x[None, None], weight[None, None])[0, 0]
    assert len(frames) == y.numel() and frames[0].shape == (3, 5, 6 + 1 + 4)
    assert all(f.min() >= 0 and f.max() <= 1 for f in frames)
    shown = frames[-1][0, 1:4, 7:]
    torch.testing.assert_close(shown, 0.5 + 0.5 * y / y.abs().max())
    assert frames[0][:, 0, 3:6].equal(x[0, 3:].expand(3, 3))  # not under the kernel


IMAGE, WEIGHT = torch.rand(1, 2, 5, 5), torch.rand(3, 2, 3, 3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: output_size(0, 3), "size is 0"),
        (lambda: output_size(5, 0), "kernel_size is 0"),
        (lambda: output_size(5, 3, 0), "stride is 0"),
        (lambda: output_size(5, 3, 1, -1), "padding is -1"),
        (lambda: output_size(5, 3, 1, 0, 0), "dilation is 0"),
        (lambda: output_size(5, 3, 1, 0, 3), "spans 7 pixels .* only 5"),
        (lambda: conv2d_loops(IMAGE[0], WEIGHT), r"\(2, 5, 5\)"),
        (lambda: conv2d_loops(IMAGE[:, :1], WEIGHT), "same C"),
        (lambda: conv2d_loops(IMAGE, WEIGHT, torch.zeros(2)), r"give \(3,\)"),
        (lambda: conv2d_loops(IMAGE[..., :2], WEIGHT), "spans 3 pixels"),
        (lambda: convolution_matrix(WEIGHT[0], (5, 5)), r"\(O, C, K, L\)"),
        (lambda: conv_parameters(0, 1, 3), "channels_in is 0"),
        (lambda: conv_parameters(4, 6, 3, groups=3), "groups is 3"),
        (lambda: linear_parameters(4, 0), "num_outputs is 0"),
        (lambda: receptive_field([(3, 0)]), "stride is 0"),
        (lambda: influence(nn.Flatten(), IMAGE), r"\(1, 50\)"),
        (lambda: influence(nn.Identity(), IMAGE[0]), r"\(2, 5, 5\)"),
        (lambda: extent(torch.zeros(3, 3)), "without any value"),
        (lambda: shuffle_pixels(IMAGE[0], torch.arange(25)), r"\(2, 5, 5\)"),
        (lambda: shuffle_pixels(IMAGE, torch.zeros(25).long()), "no permutation"),
        (lambda: shuffle_pixels(IMAGE, torch.arange(24)), r"torch.randperm\(25\)"),
        (lambda: list(sliding(IMAGE, WEIGHT)), r"\(1, 2, 5, 5\)"),
    ],
)
def test_errors_name_the_value_and_the_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_exercise_cases_agree_with_the_companion_and_torch():
    for (channels, size), expected in CASES["products"]:
        layers = []
        for c_in, c_out in zip(channels, channels[1:], strict=False):
            layers += [nn.Conv2d(c_in, c_out, 3, padding=1), nn.MaxPool2d(2)]
        x = torch.zeros(1, channels[0], size, size)
        assert multiplications(nn.Sequential(*layers), x) == expected
    for arguments, expected in CASES["field_of"]:
        assert receptive_field(*arguments) == expected
    for (c_in, c_out, k), expected in CASES["separable_saving"]:
        full = conv_parameters(c_in, c_out, k, bias=False)
        depthwise = conv_parameters(c_in, c_in, k, groups=c_in, bias=False)
        pointwise = conv_parameters(c_in, c_out, 1, bias=False)
        assert full / (depthwise + pointwise) == pytest.approx(expected)
    for (x, kernel, dilation), expected in CASES["dilated"]:
        weight = kernel[None, None]
        y = F.conv2d(x[None, None], weight, dilation=dilation)[0, 0]
        torch.testing.assert_close(y, expected)


def test_a_linear_layer_does_not_mind_the_order_of_the_pixels():
    # Folklore 22: one weight a position, so the weights can follow the pixels.
    x, order = torch.rand(5, 1, 6, 6), torch.randperm(36)
    linear = nn.Linear(36, 4)
    moved = nn.Linear(36, 4)
    with torch.no_grad():
        moved.weight.copy_(linear.weight[:, order])
        moved.bias.copy_(linear.bias)
    shuffled = shuffle_pixels(x, order)
    torch.testing.assert_close(moved(shuffled.flatten(1)), linear(x.flatten(1)))


def test_no_convolution_follows_a_shuffle():
    # Outputs of the best 3 x 3 kernel on shuffled pixels, fitted by least squares,
    # stay far from those of a kernel on the plain ones.
    x, order = torch.rand(20, 1, 8, 8), torch.randperm(64)
    y = F.conv2d(x, torch.randn(1, 1, 3, 3)).flatten()
    y = y - y.mean()

    def residual(images):
        patches = F.unfold(images, 3).transpose(1, 2).reshape(-1, 9)
        patches = torch.cat([patches, torch.ones(len(patches), 1)], dim=1)
        fitted = patches @ torch.linalg.lstsq(patches, y[:, None]).solution
        return ((fitted[:, 0] - y) ** 2).mean() / (y**2).mean()

    assert residual(x) < 1e-6
    assert residual(shuffle_pixels(x, order)) > 0.5


@pytest.mark.parametrize("pool", [1, 2, 4])
def test_pooling_leaves_convolutions_alone_and_shrinks_a_later_linear_layer(pool):
    layers = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.MaxPool2d(pool), nn.Conv2d(16, 8, 3)
    )
    assert sum(p.numel() for p in layers.parameters()) == (
        conv_parameters(3, 16, 3) + conv_parameters(16, 8, 3)
    )
    inputs = layers(torch.zeros(1, 3, 32, 32)).numel()
    assert inputs == 8 * output_size(32 // pool, 3) ** 2


def test_equivariance_holds_with_stride_one_and_for_shifts_by_the_stride():
    x, weight = torch.rand(1, 1, 12, 12), torch.randn(1, 1, 3, 3)
    for stride, shift, moved, holds in [(1, 1, 1, 1), (2, 2, 1, 1), (2, 1, 0, 0)]:
        y = F.conv2d(x, weight, stride=stride, padding=1)
        shifted = F.conv2d(x.roll(shift, 3), weight, stride=stride, padding=1)
        apart = (shifted - y.roll(moved, 3))[..., 2:-2].abs().max()
        assert (apart < 1e-5) == holds
