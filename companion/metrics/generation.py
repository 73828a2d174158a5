"""Measures of a generator: distances between two sets of features.

Features (N, F) are what a judge network computes from N images. All sums are in
float64 on the CPU; the square tables of all pairs are made in blocks, so that 10,000
images need some 100 MB and not 2.4 GB.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from companion.data.checks import check_labels
from companion.metrics.classification import _kind

# A covariance from fewer images has eigenvalues that are much too large and small.
IMAGES_PER_FEATURE = 5
BLOCK = 2**22  # entries of a table of pairs that are in memory at once: 32 MB


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Squared Frechet distance of the Gaussians with the two sets' mean, covariance.

    |mu_r - mu_f|^2 + tr(A) + tr(B) - 2 tr((A^1/2 B A^1/2)^1/2), with A and B the
    covariances. Eigenvalues of symmetric matrices give the roots, so that features
    which are constant or copies of one another do no harm. The value from N images
    is too large by about 1/N times a constant: compare sets of one size only.

    Shapes: real (N, F), fake (M, F), both N and M at least 5 F.
    Units: those of the features, squared; >= 0.
    Raises: TypeError if the features are no float tensors; ValueError for other
        shapes, values that are not finite, or too few images.
    Source: Dowson and Landau (1982); Heusel et al. (2017) for its use on images.
    """
    real, fake = _check_features(real, fake)
    least = IMAGES_PER_FEATURE * real.shape[1]
    _need(least, f"{IMAGES_PER_FEATURE} images for each feature", real=real, fake=fake)
    A, B = torch.cov(real.T), torch.cov(fake.T)
    A, B = A.reshape(real.shape[1], -1), B.reshape(real.shape[1], -1)
    root = _root(A)
    # tr((A^1/2 B A^1/2)^1/2): the roots of the eigenvalues, added.
    overlap = _eigenvalues(root @ B @ root).sqrt().sum()
    shift = (real.mean(dim=0) - fake.mean(dim=0)).square().sum()
    distance = shift + A.trace() + B.trace() - 2 * overlap
    return max(distance.item(), 0.0)


def relative_frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Frechet distance divided by the trace of the real features' covariance.

    The trace is the mean squared distance of a real feature vector from their mean:
    1 is what a generator reaches that always draws that mean. Unlike the plain
    distance it has no unit.

    Shapes: real (N, F), fake (M, F), both N and M at least 5 F.
    Units: none; >= 0.
    Raises: as `frechet_distance`; ValueError if all real features are alike.
    """
    distance = frechet_distance(real, fake)
    trace = real.detach().cpu().double().var(dim=0).sum().item()
    if trace == 0:
        raise ValueError(
            "All real images have the same features, so the distance has no scale; "
            "give images that differ."
        )
    return distance / trace


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Squared maximum mean discrepancy under the kernel (x.y / F + 1)^3, unbiased.

    Also called KID. Being unbiased, it is around 0 for two sets of one source and may
    be slightly below.

    Shapes: real (N, F), fake (M, F), N and M of 2 or more.
    Units: none, but it depends on the scale of the features.
    Raises: as `frechet_distance`, for fewer than 2 images.
    Source: Binkowski et al. (2018), section 4.
    Differs: all pairs of images at once, in place of a mean over subsets.
    """
    real, fake = _check_features(real, fake)
    _need(2, "pairs of images", real=real, fake=fake)
    n, m, f = len(real), len(fake), real.shape[1]

    def pairs(a: Tensor, b: Tensor) -> float:
        blocks = _blocks(a, len(b))
        return sum(((x @ b.T / f + 1) ** 3).sum().item() for x in blocks)

    def selves(a: Tensor) -> float:
        return ((a.square().sum(dim=1) / f + 1) ** 3).sum().item()

    within_real = (pairs(real, real) - selves(real)) / (n * (n - 1))
    within_fake = (pairs(fake, fake) - selves(fake)) / (m * (m - 1))
    return within_real + within_fake - 2 * pairs(real, fake) / (n * m)


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall: how real the fakes are, and how varied.

    A set's region is the union of balls, one around each of its images, that reach to
    its k-th nearest neighbour in the set. Precision is the share of fakes in the real
    region, recall the share of real images in the fakes' region.

    Shapes: real (N, F), fake (M, F), both N and M above k; take N = M, since regions
        shrink as sets grow.
    Raises: as `frechet_distance`, for k images or fewer; ValueError for k below 1.
    Source: Kynkaanniemi et al. (2019), section 2.
    """
    real, fake = _check_neighbours(real, fake, k)
    _need(k + 1, f"{k} neighbours of each image", real=real, fake=fake)
    return _share_inside(fake, real, k), _share_inside(real, fake, k)


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Density and coverage: precision and recall that stray images raise less.

    Around each real image lies a ball that reaches to its k-th nearest real neighbour.
    Density is the number of balls that a fake lies in, on average, divided by k; it
    may exceed 1. Coverage is the share of balls with a fake inside. Of two sets from
    one source, N real and M fake, the expected density is 1 and the expected coverage
    1 - product over i < k of (N - 1 - i) / (N + M - 1 - i).

    Shapes: real (N, F), fake (M, F), N above k.
    Raises: as `precision_recall`.
    Source: Naeem et al. (2020), section 3.
    Differs: a point on the surface of a ball counts as inside, as in
        `precision_recall`.
    """
    real, fake = _check_neighbours(real, fake, k)
    _need(k + 1, f"{k} neighbours of each image", real=real)
    radii, inside = _radii(real, k), 0
    covered = torch.zeros(len(real), dtype=torch.bool)
    for block in _blocks(fake, len(real)):
        hits = torch.cdist(block, real) <= radii
        inside += hits.sum().item()
        covered |= hits.any(dim=0)
    return inside / (k * len(fake)), covered.double().mean().item()


def class_coverage(y_real: Tensor, y_fake: Tensor, num_classes: int) -> float:
    """The share of classes that the fakes cover: 1 for all, 1/K for a single one.

    A class is covered if its share among the fakes is at least half of its share
    among the real images. Classes without a real image do not count.

    Shapes: y_real (N,), y_fake (M,): class numbers, for fakes those that a judge
        gives.
    Raises: TypeError if the labels are no whole numbers; ValueError for labels
        outside 0..num_classes-1, empty sets, or real images of one class only.
    """
    check_labels("y_real", y_real, num_classes)
    check_labels("y_fake", y_fake, num_classes)
    real = y_real.cpu().bincount(minlength=num_classes) / len(y_real)
    fake = y_fake.cpu().bincount(minlength=num_classes) / len(y_fake)
    present = real > 0
    if present.sum() < 2:
        raise ValueError(
            f"All real images are of class {y_real[0].item()}, so that coverage means "
            "nothing; give images of several classes."
        )
    return (fake[present] >= 0.5 * real[present]).float().mean().item()


def _share_inside(points: Tensor, centres: Tensor, k: int) -> float:
    """The share of `points` in the union of the k-neighbour balls of `centres`."""
    radii = _radii(centres, k)
    inside = [
        (torch.cdist(block, centres) <= radii).any(dim=1)
        for block in _blocks(points, len(centres))
    ]
    return torch.cat(inside).cpu().double().mean().item()


def _radii(x: Tensor, k: int) -> Tensor:
    """The distance of each point from its k-th nearest neighbour, (N,).

    A little more, since `cdist` rounds: what lies on the surface of a ball is inside,
    also a copy of a picture whose nearest neighbours are copies, too.
    """
    slack = 1e-6 * x.square().sum(dim=1).mean().sqrt()
    radii = [
        # The nearest is the point itself.
        torch.cdist(block, x).topk(k + 1, dim=1, largest=False).values[:, -1]
        for block in _blocks(x, len(x))
    ]
    return torch.cat(radii) + slack


def _blocks(x: Tensor, columns: int) -> Iterator[Tensor]:
    return iter(x.split(max(1, BLOCK // columns)))


def _eigenvalues(matrix: Tensor) -> Tensor:
    """Those of a symmetric matrix without negative ones; rounding errors become 0."""
    values = torch.linalg.eigvalsh((matrix + matrix.T) / 2)
    return _without_noise(values)


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * _without_noise(values).sqrt() @ vectors.T


def _without_noise(values: Tensor) -> Tensor:
    # A root turns a rounding error of 1e-16 into 1e-8: cut such values off.
    noise = len(values) * torch.finfo(values.dtype).eps * values.abs().max()
    return torch.where(values > noise, values, 0.0)


def _check_features(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets in float64 on the CPU."""
    for name, x in (("real", real), ("fake", fake)):
        if not isinstance(x, Tensor) or not x.is_floating_point():
            raise TypeError(
                f"{name} is {_kind(x)}; give float features (N, F) of a judge."
            )
        if x.dim() != 2 or x.shape[1] == 0 or len(x) == 0:
            raise ValueError(
                f"{name} has shape {tuple(x.shape)}; give features (N, F) of a judge, "
                "judge.features(x)."
            )
        if not x.isfinite().all():
            raise ValueError(f"{name} holds nan or infinity; look for them in x.")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"real has {real.shape[1]} features, fake {fake.shape[1]}; "
            "take both from one judge."
        )
    return real.detach().cpu().double(), fake.detach().cpu().double()


def _check_neighbours(real: Tensor, fake: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """As `_check_features`, centred: distances are differences of squares."""
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k}; give a whole number of 1 or more.")
    real, fake = _check_features(real, fake)
    centre = real.mean(dim=0)
    return real - centre, fake - centre


def _need(least: int, what: str, **sets: Tensor) -> None:
    for name, x in sets.items():
        if len(x) < least:
            raise ValueError(
                f"{name} has {len(x)} images with {x.shape[1]} features; this measure "
                f"needs {what}: give {least} or more."
            )
