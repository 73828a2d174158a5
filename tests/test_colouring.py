"""Outlines to be coloured, and the measures of what was painted."""

import pytest
import torch

from companion.data import emoji
from companion.data.colouring import ORDERS, exchange, outlined, recoloured
from companion.metrics.colours import chroma, nearest_order_error

PICTURES = torch.rand(64, 3, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def test_split():
    return emoji(16).test


def test_outlined_takes_things_alone_and_keeps_the_pairs_together(test_split):
    x, y = outlined(test_split)
    assert x.shape == (75, 1, 16, 16)
    assert y.shape == (75, 3, 16, 16)
    brightest = y.amax(dim=1, keepdim=True)
    lines = x < 0.2  # dark in their own pictures, not in those of others
    assert brightest[lines].mean() < brightest.roll(1, 0)[lines].mean() - 0.3


def test_exchange_keeps_each_pixels_values_and_comes_in_all_orders():
    made = exchange(PICTURES, generator=torch.Generator().manual_seed(0))
    assert torch.equal(made.sort(dim=1).values, PICTURES.sort(dim=1).values)
    orders = {
        order
        for picture, x in zip(made, PICTURES, strict=True)
        for order in ORDERS
        if torch.equal(picture, x[list(order)])
    }
    assert orders == set(ORDERS)
    grey = torch.rand(3, 1, 4, 4).expand(-1, 3, -1, -1)
    assert torch.equal(exchange(grey), grey)


def test_exchange_is_repeated_by_its_seed():
    one, again = (
        exchange(PICTURES, generator=torch.Generator().manual_seed(5)) for _ in range(2)
    )
    assert torch.equal(one, again)


def test_recoloured_moves_outline_and_picture_alike():
    outline = torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    both = torch.cat([outline, outline.expand(-1, 3, -1, -1)], dim=1)
    made = recoloured(both, generator=torch.Generator().manual_seed(2))
    assert torch.equal(made[:, :1].expand(-1, 3, -1, -1), made[:, 1:])
    assert not torch.equal(made, both)


def test_chroma_of_known_colours():
    pixels = torch.tensor([[0.5, 0.5, 0.5], [1.0, 0.0, 0.0], [0.25, 0.75, 0.5]])
    expected = torch.tensor([0.0, 1.0, 0.5])
    torch.testing.assert_close(chroma(pixels[:, :, None, None]).flatten(), expected)


def test_the_nearest_order_forgives_exchanged_channels_and_nothing_else():
    made = exchange(PICTURES, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(
        nearest_order_error(made, PICTURES), torch.zeros(len(PICTURES))
    )
    brighter = nearest_order_error(made + 0.1, PICTURES)
    assert (brighter > 0.05).all()
    plain = (PICTURES.flip(3) - PICTURES).abs().mean(dim=(1, 2, 3))
    assert (nearest_order_error(PICTURES.flip(3), PICTURES) <= plain + 1e-7).all()


@pytest.mark.parametrize("function", [exchange, chroma])
def test_pictures_without_three_channels_are_refused(function):
    with pytest.raises(ValueError, match=r"colour pictures"):
        function(torch.rand(2, 1, 4, 4))


def test_errors_between_pictures_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        nearest_order_error(PICTURES, PICTURES[:3])
