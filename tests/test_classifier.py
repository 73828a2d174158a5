"""The classifier: shapes, parameters, dropout, learning, errors."""

import pytest
import torch
from torch.nn import functional as F

from companion.models.classifier import Classifier
from companion.trainers import ClassifierTrainer


@pytest.mark.parametrize(
    ("channels", "size", "classes"), [(3, 32, 10), (1, 28, 10), (1, 8, 2), (3, 37, 5)]
)
def test_shapes_for_many_image_sizes(channels, size, classes):
    model = Classifier(channels, size, classes, widths=(4, 8, 8), hidden=6)
    x = torch.rand(5, channels, size, size)
    assert model(x).shape == (5, classes)
    assert model.features(x).shape == (5, 6)
    assert (model.features(x) >= 0).all()


def test_number_of_parameters_by_hand():
    # A 3 x 3 filter has 9 weights an input channel, and each output has a bias.
    convolutions = (9 * 3 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 128
    linear = (128 * 4 * 4 + 1) * 128 + (128 + 1) * 10
    count = sum(p.numel() for p in Classifier().parameters())
    assert count == convolutions + linear
    layers = [m for m in Classifier().modules() if hasattr(m, "weight")]
    assert len(layers) == 5


def test_forward_equals_the_functional_form():
    torch.manual_seed(0)
    model = Classifier(1, 16, 3, widths=(2, 3, 4), hidden=5)
    x = torch.rand(2, 1, 16, 16)
    w = list(model.parameters())
    h = x
    for i in range(0, 6, 2):
        h = F.max_pool2d(F.relu(F.conv2d(h, w[i], w[i + 1], padding=1)), 2)
    h = F.relu(F.linear(h.flatten(1), w[6], w[7]))
    torch.testing.assert_close(model.features(x), h)
    torch.testing.assert_close(model(x), F.linear(h, w[8], w[9]))


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    model = Classifier(1, 8, 2, widths=(4,), hidden=16, dropout=0.5)
    x = torch.rand(4, 1, 8, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_batch_norm_keeps_shape_and_image_independence_in_evaluation():
    torch.manual_seed(0)
    model = Classifier(1, 8, 2, widths=(4, 4), hidden=8, batch_norm=True)
    x = torch.rand(6, 1, 8, 8)
    model(x)
    model.eval()
    torch.testing.assert_close(model(x)[:1], model(x[:1]))


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_over_fits_eight_images(dropout):
    torch.manual_seed(0)
    model = Classifier(1, 16, 8, widths=(8, 8, 8), hidden=32, dropout=dropout)
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    trainer = ClassifierTrainer(model, opt)
    x, y = torch.rand(8, 1, 16, 16), torch.arange(8)
    for _ in range(250):
        trainer.step(x, y)
    model.eval()
    assert (model(x).argmax(dim=1) == y).all()


def test_same_seed_same_network():
    networks = []
    for _ in range(2):
        torch.manual_seed(3)
        networks.append(Classifier(1, 8, 2, widths=(4,), hidden=4))
    for a, b in zip(*(m.parameters() for m in networks), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"size": 7}, "size is 7"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"widths": ()}, r"widths \(\)"),
        ({"widths": (8, 0, 8)}, "must all be 1 or more"),
        ({"in_channels": 0}, "in_channels 0"),
        ({"num_classes": 0}, "num_classes 0"),
        ({"hidden": 0}, "hidden 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        Classifier(**arguments)


@pytest.mark.parametrize("shape", [(2, 1, 32, 32), (2, 3, 28, 28), (3, 32, 32)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"this network takes \(B, 3, 32, 32\)"):
        Classifier()(torch.rand(shape))
