"""Gradients to the pixels, covered squares, small changes that deceive."""

from functools import partial

import pytest
import torch
from torch import nn

from companion.looking import (
    fast_gradient_sign,
    occlusion,
    pixel_gradient,
    saliency,
)


def linear(weight):
    """A classifier whose logits are linear in the pixels."""
    layer = nn.Linear(weight[0].numel(), len(weight)).double()
    with torch.no_grad():
        layer.weight.copy_(weight.flatten(1))
        layer.bias.zero_()
    return nn.Sequential(nn.Flatten(), layer)


@pytest.fixture
def case():
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, 6, 5, generator=g, dtype=torch.float64)
    x = torch.rand(2, 3, 6, 5, generator=g, dtype=torch.float64)
    return weight, linear(weight), x, torch.tensor([1, 3])


def test_gradient_is_that_of_each_image_alone_and_agrees_with_differences(case):
    _, net, x, y = case
    g = pixel_gradient(net, x, y)
    alone = torch.cat([pixel_gradient(net, x[i : i + 1], y[i : i + 1]) for i in (0, 1)])
    torch.testing.assert_close(g, alone)
    step = torch.zeros_like(x)
    step[1, 2, 4, 0] = 1e-5
    loss = [nn.functional.cross_entropy(net(x + s * step)[1:], y[1:]) for s in (1, -1)]
    torch.testing.assert_close(g[1, 2, 4, 0], (loss[0] - loss[1]) / 2e-5)
    assert all(p.grad is None for p in net.parameters()) and not x.requires_grad


def test_saliency_of_a_linear_classifier_is_its_weight(case):
    weight, net, x, y = case
    torch.testing.assert_close(saliency(net, x, y), weight[y].abs().amax(dim=1))


def test_occlusion_is_the_fall_of_log_p(case):
    _, net, x, y = case
    fall = occlusion(net, x, y, size=3, stride=2, fill=0.5)
    assert fall.shape == (2, 2, 2)
    covered = x.clone()
    covered[:, :, 2:5, 0:3] = 0.5
    log_p = [net(images).log_softmax(1)[[0, 1], y] for images in (x, covered)]
    torch.testing.assert_close(fall[:, 1, 0], log_p[0] - log_p[1])


def test_covering_what_is_covered_changes_nothing(case):
    _, net, x, y = case
    white = torch.ones_like(x)
    assert (occlusion(net, white, y, size=2, stride=1) == 0).all()


def test_the_attack_moves_each_value_by_the_strength_against_the_answer(case):
    _, net, _, y = case
    x = torch.full((2, 3, 6, 5), 0.5, dtype=torch.float64)
    moved = fast_gradient_sign(net, x, y, 0.125)
    assert ((moved - x).abs() == 0.125).all()
    p = [net(images).softmax(1)[[0, 1], y] for images in (x, moved)]
    assert (p[1] < p[0]).all()
    # No other change of that size lowers the margin of a linear classifier of two
    # classes further.
    two = linear(torch.randn(2, 1, 4, 4, dtype=torch.float64))
    x, y = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64), torch.tensor([0])
    least = two(fast_gradient_sign(two, x, y, 0.1)).diff()
    others = x + 0.1 * (2 * torch.rand(500, 1, 4, 4, dtype=torch.float64) - 1)
    assert (two(others).diff() < least).all()


def test_the_attack_stays_among_images(case):
    _, net, x, y = case
    moved = fast_gradient_sign(net, x, y, 0.9)
    assert 0 <= moved.min() and moved.max() <= 1
    assert torch.equal(fast_gradient_sign(net, x, y, 0.0), x)


@pytest.mark.parametrize(
    "function", [pixel_gradient, saliency, partial(occlusion, size=2)]
)
def test_what_is_no_image_or_label_is_refused(case, function):
    _, net, x, y = case
    with pytest.raises(ValueError, match="images are in"):
        function(net, 2 * x, y)
    with pytest.raises(TypeError, match="floats in"):
        function(net, (255 * x).byte(), y)
    with pytest.raises(ValueError, match="one image or more"):
        function(net, x[0], y)
    with pytest.raises(ValueError, match="one label each"):
        function(net, x, y[:1])
    with pytest.raises(TypeError, match="class numbers"):
        function(net, x, y.float())
    for label in (-1, 7):
        with pytest.raises(ValueError, match=f"labels from .*{label}"):
            function(net, x, torch.full_like(y, label))


@pytest.mark.parametrize(
    "wrong", [{"size": 6}, {"size": 0}, {"stride": 0}, {"fill": 1.5}]
)
def test_squares_that_do_not_fit_are_refused(case, wrong):
    _, net, x, y = case
    with pytest.raises(ValueError, match="give a square"):
        occlusion(net, x, y, **({"size": 2, "stride": 2} | wrong))


def test_a_negative_strength_is_refused(case):
    _, net, x, y = case
    with pytest.raises(ValueError, match="strength is -1"):
        fast_gradient_sign(net, x, y, -1)
