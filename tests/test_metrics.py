"""companion.metrics against independent computations, closed forms and bad input."""

import warnings

import numpy as np
import pytest
import scipy.linalg
import sklearn.metrics
import torch
from sklearn.neighbors import NearestNeighbors
from torch import nn

import companion.metrics.generation as generation
from companion.metrics import (
    MIN_IMAGES,
    JudgeReport,
    accuracy,
    class_coverage,
    confident_share,
    confusion_matrix,
    density_coverage,
    f1_scores,
    frechet_distance,
    judge_report,
    kernel_distance,
    precision_recall,
    predict,
    random_mixtures,
    relative_frechet_distance,
)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def normal(n, f, seed, mean=0.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return mean + scale * torch.randn(n, f, generator=generator, dtype=torch.float64)


@pytest.fixture
def pair():
    mixing = normal(12, 12, 9)
    return normal(400, 12, 1) @ mixing, normal(300, 12, 2, mean=0.3) @ mixing.T


class Eyes(nn.Module):
    """A judge for tests: four numbers of an image, and the class of its brightness."""

    def features(self, x):
        return torch.cat([q.flatten(1).mean(1, keepdim=True) for q in quarters(x)], 1)

    def forward(self, x):
        bright = x.mean(dim=(1, 2, 3))[:, None]
        return -200 * (bright - torch.tensor([[0.4, 0.5, 0.6]])).abs()


def quarters(x):
    return [q for half in x.chunk(2, dim=2) for q in half.chunk(2, dim=3)]


def images(n, seed, low=0.3, high=0.7):
    generator = torch.Generator().manual_seed(seed)
    level = low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator)
    noise = 0.2 * torch.rand(n, 1, 8, 8, generator=generator) - 0.1
    return level + noise


# Classification


def test_accuracy_confusion_and_f1_agree_with_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(5, (200,), generator=generator)
    logits = torch.randn(200, 5, generator=generator)
    logits[torch.arange(200), y] += 1
    y_hat = logits.argmax(1)
    assert accuracy(logits, y) == pytest.approx(
        sklearn.metrics.accuracy_score(y, y_hat)
    )
    confusion = confusion_matrix(y, y_hat, 5)
    assert confusion.dtype == torch.int64
    assert np.array_equal(confusion, sklearn.metrics.confusion_matrix(y, y_hat))
    expected = sklearn.metrics.f1_score(y, y_hat, average=None)
    np.testing.assert_allclose(f1_scores(confusion), expected, rtol=1e-12)


def test_f1_of_absent_classes():
    # Class 1 is there but never found, 2 is predicted but absent, 3 is neither.
    confusion = confusion_matrix(torch.tensor([0, 1]), torch.tensor([0, 2]), 4)
    scores = f1_scores(confusion)
    assert scores[:3].tolist() == [1, 0, 0]
    assert scores[3].isnan()


def test_confident_share():
    logits = torch.tensor([[0.95, 0.05], [0.85, 0.15], [0.08, 0.92]]).log()
    assert confident_share(logits) == pytest.approx(2 / 3)
    assert confident_share(logits, threshold=0) == 1


def test_predict_batches_and_restores_the_mode():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout())
    x = normal(25, 3, 0).float()
    model.eval()
    expected = model(x)
    model.train()
    before = model[1].running_mean.clone()
    outputs = predict(model, x, batch_size=7)
    assert torch.allclose(outputs, expected, atol=1e-6)
    assert not outputs.requires_grad
    assert model.training and model[2].training
    assert torch.equal(model[1].running_mean, before)


# Distances


def test_frechet_agrees_with_scipy_sqrtm(pair):
    real, fake = pair
    A, B = np.cov(real.numpy().T), np.cov(fake.numpy().T)
    shift = real.mean(0).numpy() - fake.mean(0).numpy()
    root = scipy.linalg.sqrtm(A @ B).real
    expected = shift @ shift + np.trace(A + B - 2 * root)
    assert abs(frechet_distance(real, fake) - expected) < 1e-6 * np.trace(A)
    relative = relative_frechet_distance(real, fake)
    assert abs(relative - expected / np.trace(A)) < 1e-6


def test_frechet_of_diagonal_covariances_is_the_closed_form():
    # Whitened samples, so that the covariances are diagonal to rounding.
    def exactly(seed, mean, sigma):
        x = normal(100, 3, seed)
        x = x - x.mean(0)
        factor = torch.linalg.cholesky(torch.cov(x.T))
        return torch.linalg.solve_triangular(factor, x.T, upper=False).T * sigma + mean

    mean, sigma = torch.tensor([[1.0, 2, 3], [0, 2, 5]]), torch.tensor([1.0, 2, 3])
    real = exactly(0, mean[0].double(), sigma.double())
    fake = exactly(1, mean[1].double(), 2 * sigma.double())
    # |mu - mu'|^2 + sum (sigma - sigma')^2 = 5 + 14
    assert frechet_distance(real, fake) == pytest.approx(19, rel=1e-9)
    assert relative_frechet_distance(real, fake) == pytest.approx(19 / 14, rel=1e-9)


def test_frechet_properties(pair):
    real, fake = pair
    trace = real.var(0).sum().item()
    assert frechet_distance(real, real) < 1e-9 * trace
    assert frechet_distance(real, fake) == pytest.approx(frechet_distance(fake, real))
    assert frechet_distance(real, real + 2) == pytest.approx(4 * 12, rel=1e-6)
    scaled = relative_frechet_distance(10 * real, 10 * fake)
    assert scaled == pytest.approx(relative_frechet_distance(real, fake))


def test_singular_covariances_stay_finite_and_silent(pair):
    real, fake = pair
    expected = frechet_distance(real, fake)
    dead = torch.zeros(400, 5, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with_dead = frechet_distance(
            torch.cat([real, dead], 1), torch.cat([fake, dead[:300]], 1)
        )
        # The same features twice: rank 12 of 24, the distance doubles.
        doubled = frechet_distance(real.repeat(1, 2), fake.repeat(1, 2))
        collapsed = frechet_distance(real, fake[:1].expand(300, -1))
    trace = real.var(0).sum().item()
    assert abs(with_dead - expected) < 1e-6 * trace
    assert abs(doubled - 2 * expected) < 1e-6 * trace
    shift = (real.mean(0) - fake[0]).square().sum().item()
    assert collapsed == pytest.approx(shift + trace)


def test_kernel_distance_agrees_with_plain_sums(monkeypatch):
    real, fake = normal(7, 3, 0), normal(5, 3, 1, mean=1)

    def k(a, b):
        return (float(a @ b) / 3 + 1) ** 3

    within_real = [
        k(a, b) for i, a in enumerate(real) for j, b in enumerate(real) if i != j
    ]
    within_fake = [
        k(a, b) for i, a in enumerate(fake) for j, b in enumerate(fake) if i != j
    ]
    between = [k(a, b) for a in real for b in fake]
    expected = np.mean(within_real) + np.mean(within_fake) - 2 * np.mean(between)
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-10)
    monkeypatch.setattr(generation, "BLOCK", 10)  # many small blocks
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-10)


def test_kernel_distance_is_unbiased():
    values = [
        kernel_distance(normal(20, 4, 2 * i), normal(30, 4, 2 * i + 1))
        for i in range(300)
    ]
    error = np.std(values) / len(values) ** 0.5
    assert abs(np.mean(values)) < 4 * error
    assert min(values) < 0 < max(values)


def test_precision_recall_agrees_with_scikit_learn_neighbours(monkeypatch):
    real, fake = normal(60, 3, 0), normal(50, 3, 1, mean=0.5, scale=0.7)

    def share(points, centres, k):
        # One more: each centre is its own nearest neighbour.
        near = NearestNeighbors(n_neighbors=k + 1).fit(centres.numpy())
        radii = near.kneighbors(centres.numpy())[0][:, -1]
        distances = np.linalg.norm(points[:, None] - centres[None], axis=2)
        return (distances <= radii).any(1).mean()

    for k in (1, 3):
        expected = share(fake, real, k), share(real, fake, k)
        assert precision_recall(real, fake, k) == pytest.approx(expected)
    monkeypatch.setattr(generation, "BLOCK", 130)
    assert precision_recall(real, fake, 3) == pytest.approx(expected)


def test_precision_recall_tell_poor_from_uniform():
    real = normal(300, 4, 0)
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real, real + 100) == (0, 0)
    precision, recall = precision_recall(real, normal(300, 4, 1, scale=0.1))
    assert precision > 0.95 and recall < 0.05
    precision, recall = precision_recall(real, normal(300, 4, 1, scale=5))
    assert precision < 0.3 and recall > 0.95


def test_measures_of_two_normal_sets_in_sixteen_dimensions():
    state = np.random.RandomState(2023)
    real = torch.from_numpy(state.randn(2000, 16))
    fake = torch.from_numpy(1.3 * state.randn(2000, 16) + 0.2)
    assert frechet_distance(real, fake) == pytest.approx(2.284734723741, rel=1e-11)
    assert kernel_distance(real, fake) == pytest.approx(0.271440519760, rel=1e-10)
    for k, precision, recall, density, coverage in (
        (3, 0.34, 0.97, 0.2365, 0.437),
        (5, 0.4355, 0.991, 0.2335, 0.5835),
    ):
        assert precision_recall(real, fake, k) == pytest.approx((precision, recall))
        found = density_coverage(real, fake, k)
        assert found == pytest.approx((density, coverage))


def test_frechet_of_normals_one_apart_in_each_dimension_is_their_number():
    # Samples with exactly the mean 0 and the covariance I; five for each feature.
    axes = torch.eye(2048, dtype=torch.float64)
    x = torch.cat([axes, -axes] * 3) * ((6 * 2048 - 1) / 6) ** 0.5
    assert frechet_distance(x, x + 1) == pytest.approx(2048, rel=1e-6)


def test_density_coverage_agrees_with_scikit_learn_neighbours(monkeypatch):
    real, fake = normal(60, 3, 0), normal(50, 3, 1, mean=0.5, scale=0.7)
    distances = np.linalg.norm(real[:, None] - fake[None], axis=2)
    for k in (1, 4):
        near = NearestNeighbors(n_neighbors=k + 1).fit(real.numpy())
        inside = distances <= near.kneighbors(real.numpy())[0][:, -1:]
        expected = inside.sum() / (k * 50), inside.any(1).mean()
        assert density_coverage(real, fake, k) == pytest.approx(expected)
    monkeypatch.setattr(generation, "BLOCK", 130)
    assert density_coverage(real, fake, 4) == pytest.approx(expected)


def test_density_and_coverage_of_one_source_are_as_derived():
    N, M, k = 30, 20, 3
    found = torch.tensor(
        [
            density_coverage(normal(N, 2, 2 * i), normal(M, 2, 2 * i + 1), k)
            for i in range(400)
        ]
    )
    missed = np.prod([(N - 1 - i) / (N + M - 1 - i) for i in range(k)])
    error = found.std(0) / len(found) ** 0.5
    assert ((found.mean(0) - torch.tensor([1, 1 - missed])).abs() < 4 * error).all()


def test_points_on_the_surface_of_a_ball_are_inside():
    # Fakes that are the real pictures: each lies in its own ball and in those of the
    # pictures whose k nearest neighbours it is among.
    x = normal(100, 64, 0)
    for fake in (x, x[torch.randperm(100, generator=seeded(1))]):
        assert density_coverage(x, fake, 5) == (pytest.approx(1.2), 1)
    same = normal(20, 8, 2).repeat(6, 1)  # radius 0: six copies of each
    assert density_coverage(same, same, 5) == (pytest.approx(1.2), 1)
    assert precision_recall(same, same, 5) == (1, 1)


def test_one_stray_real_image_raises_precision_but_not_density():
    real = torch.cat([normal(300, 4, 0), torch.full((1, 4), 20.0).double()])
    fake = normal(300, 4, 1, mean=8)
    assert precision_recall(real, fake)[0] > 0.9  # the stray one's ball holds all
    density, coverage = density_coverage(real, fake, 3)
    assert density == pytest.approx(1 / 3, abs=0.05) and coverage < 0.01


def test_class_coverage():
    real = torch.arange(10).repeat(20)
    assert class_coverage(real, real, 10) == 1
    assert class_coverage(real, torch.full((50,), 3), 10) == pytest.approx(0.1)
    # Class 9 at 4 %, below half of its 10 %; class 8 at 16 %.
    fake = torch.cat([torch.arange(10).repeat(10), torch.full((6,), 8)])
    fake = fake[torch.cat([torch.arange(100)[real[:100] != 9], torch.arange(100, 106)])]
    fake = torch.cat([fake, torch.full((4,), 9)])
    assert class_coverage(real, fake, 10) == pytest.approx(0.9)
    # Classes without real images do not count.
    assert class_coverage(real % 5, real, 10) == 1


# The report


def test_report_puts_each_value_beside_best_and_baseline():
    real, fake = images(1200, 0), images(700, 1, low=0.3, high=0.5)
    report = judge_report(real, fake, Eyes())
    assert report.num_images == 600
    assert report.values.keys() == report.best.keys() == MIN_IMAGES.keys()
    assert report.baseline.keys() == report.best.keys()
    distance = "relative Frechet distance"
    assert report[distance] == report.values[distance]
    assert report.values[distance] > 10 * report.best[distance]
    # Mixtures keep the means and covariances, which are all that these eyes see.
    assert report.baseline[distance] < 2 * report.best[distance]
    assert report.best["class coverage"] == 1 > report["class coverage"]
    text = repr(report)
    assert "600 fakes" in text and all(name in text for name in report.values)
    assert f"{report[distance]:.4f}" in text
    assert max(map(len, text.splitlines())) <= 72
    with pytest.raises(KeyError, match="has \\["):
        report["beauty"]


def test_report_prints_each_value_in_its_column():
    columns = [{"precision": 0.5}, {"precision": 0.75}, {"precision": 0.25}]
    text = repr(JudgeReport(*columns, num_images=1000))
    header, row = (line.split() for line in text.splitlines()[-2:])
    assert header == ["fakes", "best", "possible", "baseline", "better"]
    assert row == ["precision", "0.5000", "0.7500", "0.2500", "higher"]


def test_report_with_a_reference_is_repeatable():
    real, reference, fake = images(550, 0), images(600, 1), images(700, 2)
    report = judge_report(real, fake, Eyes(), reference=reference)
    assert report.num_images == 550
    again = judge_report(real, fake, Eyes(), reference=reference)
    assert report == again
    # Fakes of the same source are at the best possible.
    for name, value in report.values.items():
        assert value == pytest.approx(report.best[name], abs=0.08)


def test_random_mixtures_have_the_mean_and_covariance_of_the_images():
    # Values near 0.5, so that nothing is clamped.
    x = 0.5 + 0.02 * torch.randn(5, 1, 2, 3, generator=seeded(0)).double()
    mixed = random_mixtures(x, 100_000, generator=seeded(1))
    assert mixed.shape == (100_000, 1, 2, 3)
    assert torch.allclose(mixed.mean(0), x.mean(0), atol=1e-3)
    spread = [images.flatten(1).var(0).sum().item() for images in (mixed, x)]
    assert spread[0] == pytest.approx(spread[1], rel=0.03)  # 4 and not 5 count
    covariances = [torch.cov(images.flatten(1).T) for images in (mixed, x)]
    assert torch.allclose(*covariances, atol=0.05 * 0.02**2)


def test_random_mixtures_stay_in_range_and_come_from_a_part_of_many_images():
    x = images(2500, 0).round()
    mixed = random_mixtures(x, 7, generator=seeded(1))
    assert mixed.min() == 0 and mixed.max() == 1
    x[2000:] = 0.5
    assert torch.equal(mixed, random_mixtures(x, 7, generator=seeded(1)))
    for wrong, n, error, message in (
        (x[:1], 7, ValueError, "1 image"),
        (x, 0, ValueError, "n is 0"),
        (x, 2.5, ValueError, "n is 2.5"),
        (x - 1, 7, ValueError, "from -1"),
        (x.byte(), 7, TypeError, "uint8"),
        (x[0], 7, ValueError, "shape"),
    ):
        with pytest.raises(error, match=message):
            random_mixtures(wrong, n)


# Bad input: each `Raises:` line


def test_report_refuses_too_few_images():
    least = max(MIN_IMAGES.values())
    enough, few = images(2 * least, 0), images(least - 1, 1)
    with pytest.raises(ValueError, match=f"fake has {least - 1} .* below {least}"):
        judge_report(enough, few, Eyes())
    with pytest.raises(ValueError, match=f"below {2 * least}.*reference="):
        judge_report(enough[1:], enough, Eyes())
    with pytest.raises(ValueError, match="reference has"):
        judge_report(enough, enough, Eyes(), reference=few)


@pytest.mark.parametrize(
    ("fake", "error", "message"),
    [
        (torch.zeros(600, 1, 8, 8, dtype=torch.uint8), TypeError, "uint8"),
        (np.zeros((600, 1, 8, 8)), TypeError, "ndarray"),
        (torch.zeros(600, 8, 8), ValueError, "shape"),
        (torch.zeros(600, 1, 8, 9), ValueError, "one size"),
        (torch.zeros(0, 1, 8, 8), ValueError, "shape"),
        (torch.full((600, 1, 8, 8), -1.0), ValueError, "from -1 to -1"),
        (torch.full((600, 1, 8, 8), torch.nan), ValueError, "nan"),
    ],
)
def test_report_refuses_wrong_images(fake, error, message):
    with pytest.raises(error, match=message):
        judge_report(images(1200, 0), fake, Eyes())


def test_report_refuses_one_class():
    with pytest.raises(ValueError, match="All real images are of class 0"):
        judge_report(images(1200, 0, 0.2, 0.3), images(600, 1), Eyes())


@pytest.mark.parametrize(
    "distance",
    [frechet_distance, kernel_distance, precision_recall, density_coverage],
)
def test_distances_refuse_wrong_features(distance):
    x = normal(20, 3, 0)
    with pytest.raises(TypeError, match="int64"):
        distance(x, x.long())
    with pytest.raises(TypeError, match="ndarray"):
        distance(x.numpy(), x)
    with pytest.raises(ValueError, match="shape"):
        distance(x, x[0])
    with pytest.raises(ValueError, match="shape"):
        distance(x[:0], x)
    with pytest.raises(ValueError, match="3 features, fake 2"):
        distance(x, x[:, :2])
    with pytest.raises(ValueError, match="fake holds nan"):
        distance(x, x * torch.nan)


def test_distances_refuse_too_few_images():
    x = normal(20, 3, 0)
    with pytest.raises(ValueError, match="fake has 14 images .* give 15"):
        frechet_distance(x, x[:14])
    with pytest.raises(ValueError, match="real has 1 images .* give 2"):
        kernel_distance(x[:1], x)
    with pytest.raises(ValueError, match="fake has 5 images .* give 6"):
        precision_recall(x, x[:5], k=5)
    with pytest.raises(ValueError, match="k is 0"):
        precision_recall(x, x, k=0)
    with pytest.raises(ValueError, match="real has 5 images .* give 6"):
        density_coverage(x[:5], x)
    with pytest.raises(ValueError, match="k is 2.5"):
        density_coverage(x, x, k=2.5)
    density, coverage = density_coverage(x, x[:1])  # one fake says little, but is one
    assert 5 * density == pytest.approx(20 * coverage)


def test_relative_distance_refuses_real_images_that_are_alike():
    x = normal(20, 3, 0)
    with pytest.raises(ValueError, match="same features"):
        relative_frechet_distance(x[:1].expand(20, -1), x)


def test_classification_refuses_bad_input():
    logits, y = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    with pytest.raises(TypeError, match="float32"):
        accuracy(logits, y.float())
    with pytest.raises(TypeError, match="int64"):
        accuracy(y, y)
    with pytest.raises(ValueError, match="4 rows of logits, 3"):
        accuracy(logits, y[:3])
    with pytest.raises(ValueError, match="from 0 to 3; 3 classes"):
        accuracy(logits, y.clone().fill_(0).index_fill(0, torch.tensor([1]), 3))
    with pytest.raises(ValueError, match="shape"):
        accuracy(logits[:0], y[:0])
    with pytest.raises(ValueError, match="nan"):
        accuracy(logits * torch.nan, y)
    with pytest.raises(ValueError, match="threshold is 1"):
        confident_share(logits, threshold=1)
    with pytest.raises(ValueError, match="num_classes is 1"):
        confusion_matrix(y, y, 1)
    with pytest.raises(ValueError, match="4 labels, 3"):
        confusion_matrix(y, y[:3], 3)
    with pytest.raises(ValueError, match="y_hat has shape"):
        confusion_matrix(y, y[:0], 3)
    with pytest.raises(ValueError, match="shape"):
        f1_scores(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="one image at least"):
        f1_scores(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="one class|class 2"):
        class_coverage(torch.full((9,), 2), y, 3)
    with pytest.raises(ValueError, match="nothing to predict"):
        predict(nn.Linear(3, 2), logits[:0])
    with pytest.raises(TypeError, match="list"):
        predict(nn.Linear(3, 2), [1, 2])
    with pytest.raises(ValueError, match="batch_size is 0"):
        predict(nn.Linear(3, 2), logits, batch_size=0)
