"""Numbers that several recipes are known by."""

from typing import Any

import torch
from torch import Tensor, nn

from companion.data import ImageData
from companion.metrics import accuracy, confident_share, predict
from companion.metrics.generation import precision_recall, relative_frechet_distance
from companion.models.judge import load_judge

IMAGES = 10_000


def beside_real_digits(
    G: nn.Module, data: ImageData, num_images: int = IMAGES
) -> dict[str, Any]:
    """Samples for the labels of training images, beside these images.

    The images, at most `num_images`, are chosen by seed 0. No sample is rejected, and
    the noise is that of the training.
    """
    device = data.train.x.device
    x, y = _chosen(data, num_images)
    samples = G.sample(len(y), y=y, generator=torch.Generator(device).manual_seed(1))
    judge = load_judge(device)
    real, fake = (predict(judge, z, function=judge.features) for z in (x, samples))
    logits = predict(judge, fake, function=judge.classify)
    on_test = predict(judge, data.test.x)
    precision, recall = precision_recall(real, fake)
    shares = logits.argmax(dim=1).bincount(minlength=10) / len(y)
    return {
        "relative_frechet_distance": round(relative_frechet_distance(real, fake), 5),
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "confident_share": round(confident_share(logits) / confident_share(on_test), 3),
        "obedience": round(accuracy(logits, y), 4),
        "smallest_class": round(shares.min().item(), 3),
        "largest_class": round(shares.max().item(), 3),
        "samples": len(y),
    }


def beside_neighbours(
    G: nn.Module, data: ImageData, num_images: int = 2000
) -> dict[str, Any]:
    """Samples and test images: label and distance of the nearest training picture.

    A generator that copies comes nearer to the training pictures than new pictures do.
    """
    device = data.train.x.device
    x_test, y = data.test.x[:num_images], data.test.y[:num_images]
    samples = G.sample(len(y), y=y, generator=torch.Generator(device).manual_seed(1))
    values: dict[str, Any] = {}
    for name, x in (("samples", samples), ("test_images", x_test)):
        apart = torch.cdist(x.flatten(1), data.train.x.flatten(1))
        distance, nearest = apart.min(dim=1)
        agrees = (data.train.y[nearest] == y).double().mean().item()
        values[f"{name}_neighbour_agrees"] = round(agrees, 3)
        values[f"{name}_neighbour_distance"] = round(distance.median().item(), 2)
    return values | {"samples": len(y)}


def _chosen(data: ImageData, num_images: int) -> tuple[Tensor, Tensor]:
    order = torch.randperm(
        len(data.train.x), generator=torch.Generator().manual_seed(0)
    )
    chosen = order[:num_images].to(data.train.x.device)
    return data.train.x[chosen], data.train.y[chosen]
