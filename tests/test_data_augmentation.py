"""Augmentations against independent implementations and by their properties."""

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as oracle

from companion.data import color_jitter, crop, flip, salt_and_pepper

ALL = [flip, crop, salt_and_pepper, color_jitter]


def pictures(n=8, channels=3, height=12, width=9):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n, channels, height, width, generator=generator)


@pytest.mark.parametrize("augment", ALL)
def test_shape_range_repeatability_and_the_input_left_alone(augment):
    x = pictures()
    before = x.clone()
    a, b = (augment(x, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(a, b) and torch.equal(x, before)
    assert a.shape == x.shape and a.dtype == x.dtype
    assert a.min() >= 0 and a.max() <= 1
    other = augment(x, generator=torch.Generator().manual_seed(8))
    assert not torch.equal(a, other)


@pytest.mark.parametrize("augment", ALL)
def test_images_draw_their_own_random_numbers(augment):
    x = pictures(1).expand(64, -1, -1, -1)
    changed = augment(x, generator=torch.Generator().manual_seed(0))
    assert len(changed.flatten(1).unique(dim=0)) > 1


@pytest.mark.parametrize("augment", ALL)
def test_the_global_generator_is_used_without_one(augment):
    x = pictures()
    torch.manual_seed(3)
    a = augment(x)
    torch.manual_seed(3)
    assert torch.equal(a, augment(x))


def test_flip_always_never_and_half():
    x = pictures(2000, 1, 2, 3)
    assert torch.equal(flip(x, 0.0), x)
    assert torch.equal(flip(x, 1.0), torch.from_numpy(x.numpy()[..., ::-1].copy()))
    changed = flip(x, 0.3, generator=torch.Generator().manual_seed(0))
    share = (changed != x).flatten(1).any(1).float().mean().item()
    assert abs(share - 0.3) < 0.05  # five standard deviations


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_each_crop_is_a_window_of_the_padded_image(padding):
    x = pictures(400)
    result = crop(x, padding, generator=torch.Generator().manual_seed(0)).numpy()
    wide = np.pad(
        x.numpy(),
        ((0, 0), (0, 0), (padding, padding), (padding, padding)),
        mode="reflect",
    )
    height, width = x.shape[2:]
    counts = np.zeros((2 * padding + 1,) * 2, int)
    for image, source in zip(result, wide, strict=True):
        for top, left in np.ndindex(counts.shape):
            window = source[:, top : top + height, left : left + width]
            counts[top, left] += np.array_equal(window, image)
    assert counts.sum() == 400  # each image is exactly one window
    assert counts.min() > 0  # and every shift occurs


def test_salt_and_pepper_amount():
    x = torch.full((50, 3, 40, 40), 0.5)
    noisy = salt_and_pepper(x, 0.2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(noisy[:, 0], noisy[:, 1])  # all channels together
    assert set(noisy.unique().tolist()) == {0.0, 0.5, 1.0}
    # 80,000 pixels: five standard deviations are below 0.006.
    assert abs((noisy == 0).float().mean().item() - 0.1) < 0.006
    assert abs((noisy == 1).float().mean().item() - 0.1) < 0.006


def test_salt_and_pepper_of_nothing_and_of_everything():
    x = pictures()
    assert torch.equal(salt_and_pepper(x, 0.0), x)
    assert set(salt_and_pepper(x, 1.0).unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_color_jitter_is_torchvisions_with_some_factor_in_range(name):
    x = pictures() * 0.5 + 0.2
    settings = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, name: 0.3}
    changed = color_jitter(x, **settings)
    adjust = getattr(oracle, f"adjust_{name}")
    factors = torch.linspace(0.7, 1.3, 601).tolist()
    found = []
    for image, result in zip(x, changed, strict=True):
        errors = [(adjust(image, f) - result).abs().max().item() for f in factors]
        assert min(errors) < 2e-3  # the grid of factors is that coarse
        found.append(factors[int(np.argmin(errors))])
    assert max(found) - min(found) > 0.1


def test_color_jitter_of_nothing():
    x = pictures()
    assert torch.allclose(color_jitter(x, 0, 0, 0), x, atol=1e-6)


def test_color_jitter_on_grey_images():
    x = pictures(channels=1)
    assert color_jitter(x, saturation=0).shape == x.shape
    with pytest.raises(ValueError, match="1 channels, saturation needs 3"):
        color_jitter(x)


@pytest.mark.parametrize("augment", ALL)
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(3, 8, 8), ValueError, r"\(3, 8, 8\); give \(B, C, H, W\)"),
        (torch.zeros(0, 3, 8, 8), ValueError, "at least one image"),
        (torch.zeros(1, 3, 8, 8).byte(), TypeError, "x is torch.uint8"),
        ([[0.0]], TypeError, "x is list"),
    ],
)
def test_wrong_images(augment, x, error, message):
    with pytest.raises(error, match=message):
        augment(x)


@pytest.mark.parametrize("augment", [salt_and_pepper, color_jitter])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_wrong_range(augment, value):
    with pytest.raises(ValueError, match=r"x runs from .* images are in \[0, 1\]: "):
        augment(torch.full((1, 3, 8, 8), value))


@pytest.mark.parametrize(
    ("augment", "settings", "message"),
    [
        (flip, {"p": 1.5}, "p is 1.5"),
        (flip, {"p": float("nan")}, "p is nan"),
        (crop, {"padding": -1}, "padding is -1"),
        (crop, {"padding": 9}, "padding is 9; .* 12 x 9 .* from 0 to 8"),
        (crop, {"padding": 1.0}, "padding is 1.0"),
        (salt_and_pepper, {"amount": -0.1}, "amount is -0.1"),
        (color_jitter, {"brightness": 2}, "brightness is 2"),
        (color_jitter, {"contrast": -1}, "contrast is -1"),
        (color_jitter, {"saturation": 1.2}, "saturation is 1.2"),
    ],
)
def test_wrong_settings(augment, settings, message):
    with pytest.raises(ValueError, match=message):
        augment(pictures(), **settings)
