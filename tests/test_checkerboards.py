"""Doubling a picture: the layers, the measure of their boards, and the study."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.convolution import convolution_matrix
from companion.models.enlarging import (
    DOUBLINGS,
    Enlarger,
    alike,
    bicubic,
    checkerboard,
    resized,
    shuffled,
    transposed,
)
from companion.recipes.checkerboards import Checkerboards, Enlarging


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 0), (3, 2, 1), (4, 2, 1), (5, 3, 0)]
)
def test_transposed_convolution_is_the_transposed_matrix(kernel, stride, padding):
    size = 11
    weight = torch.randn(2, 3, kernel, kernel, generator=seeded(), dtype=torch.float64)
    M = convolution_matrix(weight, (size, size), stride=stride, padding=padding)
    x = torch.randn(1, 3, size, size, generator=seeded(1), dtype=torch.float64)
    Mx = F.conv2d(x.requires_grad_(), weight, stride=stride, padding=padding)
    y = torch.randn(Mx.shape, generator=seeded(2), dtype=torch.float64)
    left = Mx.size(2)
    missing = size - ((left - 1) * stride + kernel - 2 * padding)
    out = F.conv_transpose2d(
        y, weight, stride=stride, padding=padding, output_padding=missing
    )
    torch.testing.assert_close((M.T @ y.flatten()).view_as(x), out)
    torch.testing.assert_close((Mx * y).sum(), (x * out).sum())
    (gradient,) = torch.autograd.grad((Mx * y).sum(), x)
    torch.testing.assert_close(gradient, out)


@pytest.mark.parametrize("kind", DOUBLINGS)
def test_networks_enlarge_fourfold_with_equally_many_weights(kind):
    net = Enlarger(*DOUBLINGS[kind])
    assert net(torch.rand(2, 3, 5, 7)).shape == (2, 3, 20, 28)
    assert sum(p.numel() for p in net.parameters() if p.dim() > 1) == 2592


@pytest.mark.parametrize("kernel_size", [2, 3, 4, 5, 6])
def test_transposed_convolutions_double_whatever_the_kernel(kernel_size):
    layer = transposed(kernel_size)(3, 2)
    assert layer(torch.rand(1, 3, 5, 6)).shape == (1, 2, 10, 12)
    assert layer.weight.shape[2:] == (kernel_size, kernel_size)


def test_a_kernel_below_two_is_refused():
    with pytest.raises(ValueError, match="below 2 leaves"):
        transposed(1)


def test_what_is_flat_stays_flat_behind_resizing_and_at_the_start_of_icnr():
    torch.manual_seed(0)
    board = {kind: checkerboard(Enlarger(*DOUBLINGS[kind])) for kind in DOUBLINGS}
    flat = {"nearest + convolution", "bilinear + convolution", "pixel shuffle, ICNR"}
    for kind, value in board.items():
        assert (value < 1e-6) == (kind in flat)


def test_the_board_by_hand():
    class Stripes(nn.Module):  # adds 0.1 in every second column
        def __init__(self):
            super().__init__()
            self.any = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            columns = torch.arange(32) % 2 * 0.1
            return F.interpolate(x, scale_factor=4) + columns

    assert checkerboard(Stripes()) == pytest.approx(0.05, rel=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_alike_starts_as_a_convolution_that_is_resized(bias):
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 8, 3, padding=1, bias=bias)
    alike(convolution)
    x = torch.rand(2, 3, 5, 5, generator=seeded())
    y = F.pixel_shuffle(convolution(x), 2)
    expected = F.interpolate(convolution(x)[:, ::4], scale_factor=2)
    torch.testing.assert_close(y, expected)
    assert convolution.weight[0].std() > 0
    with pytest.raises(ValueError, match="multiple of 4"):
        alike(nn.Conv2d(3, 6, 3))


def test_a_pixel_shuffle_is_a_transposed_convolution_of_twice_the_kernel():
    torch.manual_seed(0)
    convolution, _ = shuffled(icnr=False)(3, 2)
    kernel = torch.zeros(3, 2, 6, 6)
    for q in range(2):
        for r in range(2):
            part = convolution.weight.view(2, 2, 2, 3, 3, 3)[:, q, r]
            # The convolution looks around, the stamp goes out: both ends turned.
            kernel[:, :, q::2, r::2] = part.transpose(0, 1).flip(2, 3)
    x = torch.rand(1, 3, 5, 5, generator=seeded())
    convolution.bias.data.zero_()
    y = F.pixel_shuffle(convolution(x), 2)
    torch.testing.assert_close(y, F.conv_transpose2d(x, kernel, stride=2, padding=2))


def test_bilinear_resizing_is_pytorchs():
    layer = resized("bilinear")(1, 1)
    x = torch.rand(1, 1, 4, 4, generator=seeded())
    large = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(layer(x), layer[1](large))


def test_bicubic_keeps_what_is_flat_and_stays_in_range():
    assert torch.allclose(bicubic(torch.full((1, 3, 8, 8), 0.3)), torch.tensor(0.3))
    x = (torch.rand(1, 1, 8, 8, generator=seeded()) > 0.5).float()
    large = bicubic(x)
    assert large.shape == (1, 1, 32, 32)
    assert large.min() == 0 and large.max() == 1


def test_the_trainer_learns_eight_pictures():
    torch.manual_seed(0)
    net = Enlarger(*DOUBLINGS["pixel shuffle"])
    trainer = Enlarging(net, 1e-2)
    x = F.interpolate(torch.rand(8, 3, 8, 8, generator=seeded()), (32, 32))
    losses = [float(trainer.step(x)["loss"]) for _ in range(400)]
    assert losses[-1] < 0.1 * losses[0]


def test_the_study_measures_all_kinds_at_all_steps():
    study = Checkerboards(stops=(1, 2), seeds=2, batch_size=4)
    found = study.find_out(torch.device("cpu"))
    assert found.steps == 2 * 2 * len(DOUBLINGS) and found.picture is None
    values = found.values
    assert values["steps"] == [0, 1, 2] and values["seeds"] == [0, 1]
    assert values["test bases"] == 144
    mean, error = values["bicubic"]
    assert 0 < 10 * error < mean
    for kind, runs in values["kinds"].items():
        for k in range(2):
            errors, apart = runs["error"][k], runs["less bicubic"][k]
            assert len(runs["board"][k]) == len(errors) == len(apart) == 3
            for one, (difference, _) in zip(errors, apart, strict=True):
                assert one - mean == pytest.approx(difference, abs=1e-6)
        assert runs["weights"] == 2592, kind
    again = Checkerboards(stops=(1, 2), seeds=1, batch_size=4)
    once = again.find_out(torch.device("cpu")).values["kinds"]
    for kind, runs in once.items():
        assert runs["board"][0] == values["kinds"][kind]["board"][0], kind


def test_stops_that_do_not_rise_are_refused():
    with pytest.raises(
        ValueError, match=r"--stops is \(2, 1\); give numbers that rise"
    ):
        Checkerboards(stops=(2, 1))
