"""Numbers that several recipes are known by."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.data import ImageData
from companion.metrics import accuracy, confident_share, predict
from companion.metrics.generation import (
    kernel_distance,
    precision_recall,
    relative_frechet_distance,
)
from companion.models.judge import load_judge
from companion.pretrained import pretrained

IMAGES = 10_000
NOTICED = 3  # of the measure's own errors
NOISE = 0.1


def scores_of_samples(G: nn.Module, data: ImageData, name: str) -> dict[str, Any]:
    """What a generator of the data set `name` is known by; the network `G` draws.

    Digits and clothes have a judge: as many samples as 10,000 training images, without
    truncation or rejection. Of other pictures than digits the nearest training pictures
    are looked at.
    """
    if name == "digits":
        return beside_real(G, data, load_judge(data.train.x.device))
    values = beside_neighbours(G, data)
    if name == "fashion":
        judge = pretrained("judge_clothes", device=data.train.x.device)
        values |= beside_real(G, data, judge)
    return values


def beside_real(
    G: nn.Module, data: ImageData, judge: nn.Module, num_images: int = IMAGES
) -> dict[str, Any]:
    """Samples beside as many training images, for the labels of these if G is told any.

    The images, at most `num_images`, are chosen by seed 0. No sample is rejected, and
    the noise is that of the training. Obedience, the accuracy of the judge on the
    labels that were asked for, is given only for a G that is told labels.
    """
    x, y = _chosen(data, num_images)
    samples = _samples(G, y)
    real, fake = (predict(judge, z, function=judge.features) for z in (x, samples))
    logits = predict(judge, fake, function=judge.classify)
    on_test = predict(judge, data.test.x)
    precision, recall = precision_recall(real, fake)
    shares = logits.argmax(dim=1).bincount(minlength=10) / len(y)
    obedience = {"obedience": round(accuracy(logits, y), 4)} if _is_told(G) else {}
    return {
        "relative_frechet_distance": round(relative_frechet_distance(real, fake), 5),
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "confident_share": round(confident_share(logits) / confident_share(on_test), 3),
        **obedience,
        "smallest_class": round(shares.min().item(), 3),
        "largest_class": round(shares.max().item(), 3),
        "samples": len(y),
    }


def beside_neighbours(
    G: nn.Module, data: ImageData, num_images: int = 2000
) -> dict[str, Any]:
    """Samples and test images: label and distance of the nearest training picture.

    A generator that copies comes nearer to the training pictures than new pictures do.
    Whether labels agree is asked only of a G that is told any.
    """
    x_test, y = data.test.x[:num_images], data.test.y[:num_images]
    samples = _samples(G, y)
    values: dict[str, Any] = {}
    for name, x in (("samples", samples), ("test_images", x_test)):
        apart = torch.cdist(x.flatten(1), data.train.x.flatten(1))
        distance, nearest = apart.min(dim=1)
        if _is_told(G):
            agrees = (data.train.y[nearest] == y).double().mean().item()
            values[f"{name}_neighbour_agrees"] = round(agrees, 3)
        values[f"{name}_neighbour_distance"] = round(distance.median().item(), 2)
    return values | {"samples": len(y)}


def noticed_faults(
    judge: nn.Module,
    x: Tensor,
    y: Tensor,
    base: Sequence[str],
    dealings: int = 40,
) -> dict[str, float]:
    """How clearly a judge notices faults of pictures, in units of its own error.

    Real pictures, which should be new to the judge, are dealt into halves A and B, many
    times: their bases at random, and of each base one picture, since a base with a
    hundred variants would decide what either half looks like. The own error of a
    measure is its standard deviation over the dealings; of a fault in B the mean
    increase of the measure is given, divided by that error. A fault is noticed if this
    is above 3.

    One measure is the kernel distance of the judge's features. Blur is the mean of
    3 x 3 pixels, noise is normal with standard deviation 0.1, rescaling goes to three
    quarters of the size and back. Of the classes that are dropped from B, one at a
    time, the least noticed is given and the number of those that are. For these there
    is a second measure: half of the sum of the absolute differences between the shares
    that the judge's classes have in A and B.

    Shapes: x (N, C, S, S) in [0, 1], y (N,) of class numbers, base N strings.
    Raises: ValueError if x, y and base differ in length, for pictures of one class, or
        for fewer than 2 dealings.
    """
    if not len(x) == len(y) == len(base):
        raise ValueError(
            f"There are {len(x)} pictures, {len(y)} classes and {len(base)} bases; "
            "give one of each for every picture."
        )
    classes = y.unique()
    if len(classes) < 2:
        raise ValueError(f"All pictures are of class {y[0]}; give two classes or more.")
    if dealings < 2:
        raise ValueError(f"dealings is {dealings}; give 2 or more, for a deviation.")
    faults = {"blur": _blurred, "noise": _noisy, "rescaling": _rescaled}
    real, *faulty = (_seen(judge, z) for z in (x, *(f(x) for f in faults.values())))
    num_classes = judge.num_classes
    measures = {
        "distance": lambda a, b: kernel_distance(a[0], b[0]),
        "shares": lambda a, b: _shares_apart(a[1], b[1], num_classes),
    }
    found: dict[str, list[list[float]]] = {kind: [] for kind in measures}
    for A, B in halves(base, dealings):
        others = [_part(one, B) for one in faulty]
        others += [_part(real, B[(y[B] != label).cpu()]) for label in classes]
        a, b = _part(real, A), _part(real, B)
        for kind, measure in measures.items():
            found[kind].append([measure(a, other) for other in (b, *others)])
    rises = {
        kind: _in_errors(torch.tensor(rows, dtype=torch.float64))
        for kind, rows in found.items()
    }
    names = [f"{name}_in_errors" for name in faults]
    values = dict(zip(names, rises["distance"].tolist(), strict=False))
    for kind, which in (("distance", ""), ("shares", "_by_shares")):
        dropped = rises[kind][len(faults) :]
        values[f"least_class_in_errors{which}"] = dropped.min().item()
        values[f"classes_noticed{which}"] = int((dropped > NOTICED).sum())
    return {name: round(value, 2) for name, value in values.items()}


def halves(base: Sequence[str], dealings: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Two random halves of the bases, many times: one picture's number of each base."""
    names, generator = np.array(base), torch.Generator().manual_seed(0)
    for _ in range(dealings):
        one, other = one_of_each(names, generator).tensor_split(2)
        yield one, other


def one_of_each(base: np.ndarray, generator: torch.Generator) -> Tensor:
    """The number of one picture of each base: which, and their order, are random.

    Shapes: base (N,) -> (M,) int64 for M different bases.
    """
    order = torch.randperm(len(base), generator=generator)
    numbers = np.unique(base, return_inverse=True)[1]
    first = np.unique(numbers[order.numpy()], return_index=True)[1]
    chosen = order[torch.from_numpy(first)]
    return chosen[torch.randperm(len(chosen), generator=generator)]


def _in_errors(table: Tensor) -> Tensor:
    """How far the other columns rise above the first, in deviations of the first.

    Shapes: (dealings, 1 + F) -> (F,).
    """
    plain, others = table[:, :1], table[:, 1:]
    rise, error = (others - plain).mean(dim=0), plain.std()
    # A measure that says the same of everything notices nothing.
    return torch.where(rise == 0, 0.0, rise / error)


def _seen(judge: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The judge's features and the classes that it takes the pictures for."""
    features = predict(judge, x, function=judge.features)
    return features, predict(judge, features, function=judge.classify).argmax(dim=1)


def _part(seen: tuple[Tensor, Tensor], index: Tensor) -> tuple[Tensor, Tensor]:
    features, y = seen
    return features[index.to(y.device)], y[index.to(y.device)]


def _shares_apart(a: Tensor, b: Tensor, num_classes: int) -> float:
    one, other = (y.bincount(minlength=num_classes) / len(y) for y in (a, b))
    return (one - other).abs().sum().item() / 2


def _blurred(x: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(x, (1,) * 4, mode="replicate"), 3, stride=1)


def _noisy(x: Tensor) -> Tensor:
    generator = torch.Generator(x.device).manual_seed(0)
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    return (x + NOISE * noise).clamp(0, 1)


def _rescaled(x: Tensor) -> Tensor:
    small = [3 * side // 4 for side in x.shape[2:]]
    for size in (small, x.shape[2:]):
        x = F.interpolate(x, size, mode="bilinear", antialias=True)
    return x.clamp(0, 1)


def _is_told(G: nn.Module) -> bool:
    return getattr(G, "num_classes", None) is not None


def _samples(G: nn.Module, y: Tensor) -> Tensor:
    """One image for each label, by seed 1; without labels as many."""
    told = {"y": y} if _is_told(G) else {}
    generator = torch.Generator(y.device).manual_seed(1)
    return G.sample(len(y), **told, generator=generator)


def _chosen(data: ImageData, num_images: int) -> tuple[Tensor, Tensor]:
    order = torch.randperm(
        len(data.train.x), generator=torch.Generator().manual_seed(0)
    )
    chosen = order[:num_images].to(data.train.x.device)
    return data.train.x[chosen], data.train.y[chosen]
