"""Every measure of a generator, each beside the best possible and a baseline."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from companion.data.checks import check_unit_range
from companion.metrics.classification import _kind, confident_share, predict
from companion.metrics.generation import (
    class_coverage,
    kernel_distance,
    precision_recall,
    relative_frechet_distance,
)
from companion.models.judge import Judge, load_judge

# Below these numbers of images a figure says more about the number than about the
# images. Measured with the shipped judge between two sets of real digits:
MIN_IMAGES = {
    # That of real images falls like 6 / N: 0.060 for 100, 0.012 for 500, 0.001 for
    # 5,000. A good generator is at 0.03 to 0.06, which 100 real images reach too.
    "relative Frechet distance": 500,
    # 0 on average; its standard deviation is 0.09 for 100 images, 0.06 for 200 and
    # 0.02 for 500, against 1.6 for blurred digits.
    "kernel distance": 200,
    # Standard deviations 0.03 to 0.05 for 100 to 200 images, 0.02 for 500.
    "precision": 500,
    "recall": 500,
    # Below 300, real digits fail to cover some class by chance.
    "class coverage": 300,
    # Standard deviation 0.01 for 100 images.
    "confident share": 100,
}
BETTER = {
    "relative Frechet distance": "lower",
    "kernel distance": "lower",
    "precision": "higher",
    "recall": "higher",
    "class coverage": "higher",
    "confident share": "higher",
}


MIXED = 2_000  # images at most, of which the baseline's are mixed


@dataclass(frozen=True)
class JudgeReport:
    """What `judge_report` found; printed, it is a table.

    `values`, `best` and `baseline` have the same names: the values of the fakes, of
    other real images in the fakes' place, and of random mixtures of real images.
    `num_images` is the size of every set. `report["precision"]` is the fakes' value.
    """

    values: dict[str, float]
    best: dict[str, float]
    baseline: dict[str, float]
    num_images: int

    def __getitem__(self, name: str) -> float:
        if name not in self.values:
            raise KeyError(f"{name!r} is not in the report; it has {[*self.values]}.")
        return self.values[name]

    def __repr__(self) -> str:
        lines = [
            f"{self.num_images:,} fakes against as many real images",
            "best possible: other real images; baseline: random mixtures of them",
            f"{'':<26}{'fakes':>9}{'best possible':>15}{'baseline':>10}   better",
        ]
        for name, value in self.values.items():
            lines.append(
                f"{name:<26}{value:9.4f}{self.best[name]:15.4f}"
                f"{self.baseline[name]:10.4f}   {BETTER[name]}"
            )
        return "\n".join(lines)


def judge_report(
    real: Tensor,
    fake: Tensor,
    judge: nn.Module | None = None,
    *,
    reference: Tensor | None = None,
    seed: int = 0,
) -> JudgeReport:
    """Judge generated images by real ones, beside the best possible and a baseline.

    The best possible is what other real images, the `reference`, reach in the fakes'
    place: no generator can be expected to do better. Without a reference the two
    halves of `real` are compared. The baseline is what `random_mixtures` of the
    reference reach. All sets are cut, after shuffling by `seed`, to the size of the
    smallest, since most values depend on the number of images.

    `judge` is a classifier with a method `features`; by default the shipped judge of
    digits, on the device of the fakes.

    Shapes: real (N, C, H, W), fake (M, C, H, W), reference (R, C, H, W), in [0, 1].
    Raises: TypeError if the images are no float tensors; ValueError for other
        shapes or values, fewer images than `MIN_IMAGES` asks for, or real images
        that the judge puts all in one class.
    Source: see `relative_frechet_distance`, `kernel_distance`, `precision_recall`.
    """
    sets = {"real": real, "fake": fake}
    if reference is not None:
        sets["reference"] = reference
    for name, x in sets.items():
        _check_kind(name, x)
    for name, x in sets.items():
        _check_images(name, x, like=fake)
        _check_number(name, len(x), halved=name == "real" and reference is None)
    generator = torch.Generator().manual_seed(seed)
    sets = {name: _shuffled(x, generator) for name, x in sets.items()}
    if reference is None:
        half = len(real) // 2
        sets["reference"], sets["real"] = sets["real"][half:], sets["real"][:half]
    n = min(map(len, sets.values()))
    judge = load_judge(fake.device) if judge is None else judge
    device = next((w.device for w in judge.parameters()), fake.device)
    sets["mixtures"] = random_mixtures(sets["reference"], n, generator=generator)
    judged = {name: _judge(judge, x[:n].to(device)) for name, x in sets.items()}
    real = judged.pop("real")
    measured = {name: _measures(real, others) for name, others in judged.items()}
    return JudgeReport(
        values=measured["fake"],
        best=measured["reference"],
        baseline=measured["mixtures"],
        num_images=n,
    )


def random_mixtures(
    x: Tensor, n: int, *, generator: torch.Generator | None = None
) -> Tensor:
    """Draw from a normal distribution with the pixels' mean and covariance, clamped.

    Each is the mean image plus a sum of the images' differences from it, with random
    weights. It is what can be had of the images without any network.

    Shapes: x (N, C, H, W) -> (n, C, H, W) in [0, 1]; of more than 2,000 images the
        first 2,000 are mixed. `generator` is on the CPU.
    Raises: TypeError if x is no float tensor; ValueError for another shape, values
        outside [0, 1], fewer than 2 images, or n that is no whole number from 1.
    """
    _check_kind("x", x)
    _check_images("x", x, like=x)
    if len(x) < 2:
        raise ValueError("x has 1 image, and a mixture needs several; give 2 or more.")
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n is {n}; give a whole number from 1.")
    x = x[:MIXED]
    weights = torch.randn(n, len(x), generator=generator).to(x) / (len(x) - 1) ** 0.5
    mean = x.mean(dim=0)
    mixed = weights @ (x - mean).flatten(1)  # covariance: that of the pixels
    return (mean + mixed.view(n, *x.shape[1:])).clamp(0, 1)


def _judge(judge: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    features = predict(judge, x, function=judge.features)
    if isinstance(judge, Judge):  # one pass for both
        return features, predict(judge, features, function=judge.classify)
    return features, predict(judge, x)


def _measures(
    real: tuple[Tensor, Tensor], fake: tuple[Tensor, Tensor]
) -> dict[str, float]:
    (real_features, real_logits), (fake_features, fake_logits) = real, fake
    precision, recall = precision_recall(real_features, fake_features)
    return {
        "relative Frechet distance": relative_frechet_distance(
            real_features, fake_features
        ),
        "kernel distance": kernel_distance(real_features, fake_features),
        "precision": precision,
        "recall": recall,
        "class coverage": class_coverage(
            real_logits.argmax(dim=1), fake_logits.argmax(dim=1), real_logits.shape[1]
        ),
        "confident share": confident_share(fake_logits),
    }


def _shuffled(x: Tensor, generator: torch.Generator) -> Tensor:
    return x[torch.randperm(len(x), generator=generator).to(x.device)]


def _check_kind(name: str, x: Tensor) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise TypeError(f"{name} is {_kind(x)}; give float images in [0, 1].")


def _check_images(name: str, x: Tensor, like: Tensor) -> None:
    if x.dim() != 4 or x.shape[1:] != like.shape[1:] or len(x) == 0:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; give images (N, C, H, W), real and "
            "fake of one size."
        )
    check_unit_range(name, x)


def _check_number(name: str, n: int, halved: bool) -> None:
    measure, least = max(MIN_IMAGES.items(), key=lambda item: item[1])
    need = 2 * least if halved else least
    if n < need:
        why = (
            " (it is halved, for the best possible; or give reference=)"
            if halved
            else ""
        )
        raise ValueError(
            f"{name} has {n} images; the {measure} means little below {need}{why}. "
            "Give more images, or call single measures of companion.metrics."
        )
