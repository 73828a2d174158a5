"""Pictures by rule: closed forms, wrapping edges, seams, and the errors."""

import itertools
import math

import numpy as np
import pytest
import torch

from companion.pictures import (
    _before_seam,
    fractal_noise,
    gradient_map,
    quilt,
    truchet,
    value_noise,
    waves,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_one_wave_is_a_sine():
    x = waves(8, torch.tensor([[0, 1]]), torch.zeros(1, 1), torch.ones(1))
    expected = 0.5 + 0.5 * np.sin(2 * np.pi * np.arange(8) / 8)
    np.testing.assert_allclose(x[0], np.tile(expected, (8, 1)), atol=1e-6)


def test_two_crossing_waves_are_a_product():
    """cos(a + b) + cos(a - b) = 2 cos a cos b."""
    frequencies = torch.tensor([[3, 2], [3, -2]])
    quarter = torch.full((1, 2), math.pi / 2)
    x = waves(24, frequencies, quarter, torch.ones(2))[0]
    t = 2 * math.pi * torch.arange(24) / 24
    product = torch.cos(3 * t)[:, None] * torch.cos(2 * t)
    torch.testing.assert_close(x, 0.5 + 0.5 * product, atol=1e-5, rtol=0)


def test_waves_have_only_their_own_frequencies():
    frequencies = torch.tensor([[2, 5], [7, -3]])
    x = waves(32, frequencies, torch.rand(3, 2), torch.tensor([1.0, -0.5]))
    assert x.shape == (3, 32, 32)
    spectrum = torch.fft.fft2(x - 0.5).abs()
    spectrum[:, [2, -2], [5, -5]] = 0
    spectrum[:, [7, -7], [-3, 3]] = 0
    assert spectrum.max() < 1e-3


def test_waves_stay_in_range_and_tile():
    g = generator()
    frequencies = torch.randint(-6, 7, (20, 2), generator=g)
    phases = 6 * torch.rand(3, 20, generator=g)
    x = waves(33, frequencies, phases, torch.randn(20, generator=g))
    assert x.min() >= 0 and x.max() <= 1
    period = waves(33, frequencies + 33, phases, torch.ones(20))
    same = waves(33, frequencies, phases, torch.ones(20))
    torch.testing.assert_close(period, same, atol=1e-3, rtol=0)


def test_value_noise_meets_its_grid_values():
    values = torch.rand(4, 4, generator=generator(3))
    noise = value_noise(32, 4, generator=generator(3))
    torch.testing.assert_close(noise[::8, ::8], values)
    # half-way between two grid points the smooth step is one half
    torch.testing.assert_close(noise[0, 4], (values[0, 0] + values[0, 1]) / 2)
    # and past the last grid point the first one follows: the noise wraps
    torch.testing.assert_close(noise[28, 0], (values[3, 0] + values[0, 0]) / 2)


@pytest.mark.parametrize("size, cells", [(64, 4), (50, 7), (5, 5), (9, 1)])
def test_noise_is_as_smooth_across_its_edge_as_inside(size, cells):
    noise = value_noise(size, cells, generator=generator(1))
    assert noise.shape == (size, size)
    assert noise.min() >= 0 and noise.max() <= 1
    steps = (noise - noise.roll(1, 1)).abs()
    # the steepest slope of the smooth step is 3/2 a cell
    assert steps.max() <= 1.5 * cells / size + 1e-6


def test_fractal_noise_is_the_weighted_sum_of_octaves():
    g = generator(2)
    octaves = [value_noise(32, cells, generator=g) for cells in (2, 4, 8)]
    expected = (octaves[0] + octaves[1] / 2 + octaves[2] / 4) / 1.75
    noise = fractal_noise(32, 2, 3, generator=generator(2))
    torch.testing.assert_close(noise, expected)


def test_same_seed_same_noise():
    a, b = (fractal_noise(32, generator=generator(5), octaves=3) for _ in range(2))
    assert torch.equal(a, b)


def test_gradient_map_against_numpy():
    colors = [(0.0, 0.2, 1.0), (1.0, 0.5, 0.0), (0.3, 0.3, 0.3)]
    values = torch.rand(6, 5, generator=generator())
    values[0, 0], values[0, 1] = 0, 1
    picture = gradient_map(values, colors)
    for channel in range(3):
        expected = np.interp(values, [0, 0.5, 1], [c[channel] for c in colors])
        np.testing.assert_allclose(picture[channel], expected, atol=1e-6)


def test_truchet_borders_do_not_depend_on_the_turns():
    """So any arrangement of tiles fits together."""
    pictures = torch.stack([truchet(4, 6, 8, generator=generator(s)) for s in range(9)])
    assert pictures.shape == (9, 32, 48)
    edge = pictures[:, :, 7:9]  # the two columns of pixels beside a border
    # half a pixel from the border itself, the soft edges may differ a little
    assert (edge - edge[:1]).abs().max() < 0.15
    assert (pictures[:, :, 20] != pictures[:1, :, 20]).any()


@pytest.mark.parametrize("cell", [2, 7, 24])
def test_truchet_joins_and_wraps(cell):
    """Neighbours across a border differ no more than inside a soft edge."""
    picture = truchet(4, 4, cell, generator=generator())
    borders = picture[:, cell - 1 :: cell] - picture.roll(-1, 1)[:, cell - 1 :: cell]
    assert borders.abs().max() < 0.55  # a hard edge would be 1
    assert picture.min() >= 0 and picture.max() <= 1


def test_truchet_is_half_dark_on_average():
    means = [truchet(10, 10, 12, generator=generator(s)).mean() for s in range(20)]
    assert abs(torch.stack(means).mean() - 0.5) < 0.02


def test_seam_is_the_cheapest_path():
    for seed in range(5):
        cost = torch.rand(5, 4, generator=generator(seed))
        paths = (
            path
            for path in itertools.product(range(4), repeat=5)
            if all(abs(a - b) <= 1 for a, b in itertools.pairwise(path))
        )
        best = min(paths, key=lambda p: sum(cost[i, j] for i, j in enumerate(p)))
        mask = _before_seam(cost)
        assert mask.sum(1).tolist() == list(best)
        assert (mask.diff(dim=1) <= 0).all()


def test_quilt_of_a_periodic_texture_continues_it():
    """Where a perfect match exists, quilting finds it."""
    stripes = ((torch.arange(24) % 6) < 3).float().expand(3, 24, 24)
    sewn = quilt(stripes, 4, 9, 3, best=1, generator=generator())
    assert sewn.shape == (3, 27, 27)
    torch.testing.assert_close(sewn[:, :, 6:], sewn[:, :, :-6])


def test_quilt_uses_only_colours_of_the_source():
    source = torch.rand(1, 12, 12, generator=generator())
    sewn = quilt(source, 3, 6, 2, generator=generator())
    assert torch.isin(sewn, source).all()
    assert torch.equal(sewn, quilt(source, 3, 6, 2, generator=generator()))


@pytest.mark.parametrize(
    "call, word",
    [
        (lambda: waves(0, torch.ones(1, 2), torch.ones(1, 1), torch.ones(1)), "size"),
        (lambda: waves(8, torch.ones(2, 3), torch.ones(1, 2), torch.ones(2)), "freq"),
        (lambda: waves(8, torch.ones(2, 2), torch.ones(1, 3), torch.ones(2)), "phases"),
        (lambda: waves(8, torch.ones(1, 2), torch.ones(1, 1), torch.zeros(1)), "zero"),
        (lambda: value_noise(8, 0), "cells is 0"),
        (lambda: value_noise(8, 9), "cells is 9"),
        (lambda: fractal_noise(8, 2, 0), "octaves is 0"),
        (lambda: fractal_noise(8, 2, 6), "cells is 16"),
        (lambda: fractal_noise(8, gain=-1.0), "gain is -1"),
        (lambda: gradient_map(torch.full((2, 2), 1.5), [(0, 0, 0), (1, 1, 1)]), "1.5"),
        (lambda: gradient_map(torch.zeros(2, 2), [(0, 0, 0)]), "two or more"),
        (lambda: truchet(0, 4), "rows is 0"),
        (lambda: truchet(4, 4, 1), "cell is 1"),
        (lambda: quilt(torch.rand(8, 8), 2, 4, 2), "(C, H, W)"),
        (lambda: quilt(torch.rand(1, 8, 8), 2, 9, 2), "patch is 9"),
        (lambda: quilt(torch.rand(1, 8, 8), 2, 4, 3), "overlap is 3"),
        (lambda: quilt(torch.rand(1, 8, 8), 0, 4, 2), "blocks is 0"),
        (lambda: quilt(torch.rand(1, 8, 8), 2, 4, 2, best=0), "best is 0"),
    ],
)
def test_errors_name_the_value(call, word):
    with pytest.raises(ValueError) as error:
        call()
    assert word in str(error.value)
