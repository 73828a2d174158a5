import math

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from companion.data import Batches
from companion.losses.diffusion import (
    denoising_error,
    denoising_kl,
    log_likelihood,
    logit_normal_times,
    uniform_times,
)
from companion.models.diffusion import (
    ImageDenoiser,
    NoiseDenoiser,
    VelocityDenoiser,
    cosine,
    linear_beta,
    over,
    straight,
)
from companion.models.mixture import GaussianMixture
from companion.models.unet import TimeUNet
from companion.trainers import WeightAverage, fit
from companion.trainers.diffusion import DiffusionTrainer

PATHS = {"straight": straight(), "cosine": cosine(), "linear beta": linear_beta()}
DENOISERS = [VelocityDenoiser, NoiseDenoiser, ImageDenoiser]
SMALL = {"image_shape": (1, 8, 8), "widths": (8, 16)}


class Knows(nn.Module):
    """A network for tests: it says what it was made with, whatever it is given."""

    image_shape = (3,)

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x_t, t, *y):
        return self.answer


def told(**settings):
    return TimeUNet(**SMALL, num_classes=3, **settings)


def trainer_of(network, **settings):
    denoiser = VelocityDenoiser(network)
    return DiffusionTrainer(denoiser, SGD(denoiser.parameters(), 0.1), **settings)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_slopes_are_the_derivatives(path):
    t = torch.linspace(0.05, 0.95, 19, dtype=torch.float64).requires_grad_()
    for curve, slope in (
        (path.alpha, path.alpha_slope),
        (path.sigma, path.sigma_slope),
    ):
        (derivative,) = torch.autograd.grad(curve(t).sum(), t)
        torch.testing.assert_close(slope(t), derivative)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_path_leads_from_the_picture_to_noise(path):
    x, eps = torch.randn(2, 4, 1, 5, 5)
    torch.testing.assert_close(path.noisy(x, eps, torch.tensor(0.0)), x)
    alpha = path.alpha(torch.linspace(0, 1, 50))
    sigma = path.sigma(torch.linspace(0, 1, 50))
    assert (alpha.diff() < 0).all()
    assert (sigma.diff() >= 0).all()
    assert sigma[-1] == pytest.approx(1, abs=1e-4)


def test_how_much_signal_is_left_at_the_end():
    end = torch.tensor(1.0)
    left = {name: path.alpha(end).item() for name, path in PATHS.items()}
    assert left["straight"] == 0
    assert left["cosine"] == pytest.approx(0, abs=1e-6)
    # The integral of 0.1 + 19.9 t is 10.05, and half of it counts.
    assert left["linear beta"] == pytest.approx(math.exp(-5.025))


@pytest.mark.parametrize("path", [straight(), cosine()])
def test_the_velocity_moves_a_noisy_picture(path):
    x, eps = torch.randn(2, 4, 3, dtype=torch.float64)
    t, h = torch.tensor([0.1, 0.3, 0.6, 0.9], dtype=torch.float64), 1e-6
    moved = (path.noisy(x, eps, t + h) - path.noisy(x, eps, t - h)) / (2 * h)
    torch.testing.assert_close(path.velocity(x, eps, t), moved, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("kind", DENOISERS)
def test_a_right_answer_is_understood(kind, path):
    x, eps = torch.randn(2, 5, 3, dtype=torch.float64)
    t = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9], dtype=torch.float64)
    denoiser = kind(Knows(None), path)
    denoiser.network.answer = denoiser.target(x, eps, over(t, x))
    image, noise = denoiser(path.noisy(x, eps, t), t)
    torch.testing.assert_close(image, x)
    torch.testing.assert_close(noise, eps)


def test_at_the_end_noise_does_not_tell_the_picture():
    denoiser = NoiseDenoiser(Knows(torch.zeros(2, 3)))
    with pytest.raises(ValueError, match="no signal is left.*first=0.99"):
        denoiser(torch.randn(2, 3), torch.tensor(1.0))
    # DDPM's schedule leaves some, and there it can be asked.
    NoiseDenoiser(Knows(torch.zeros(2, 3)), linear_beta())(
        torch.randn(2, 3), torch.tensor(1.0)
    )


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_posterior_is_that_of_bayes(path):
    t, s, x, x_t = (
        torch.tensor(v, dtype=torch.float64) for v in (0.6, 0.35, 0.4, -0.7)
    )
    grid = torch.linspace(-8, 8, 20001, dtype=torch.float64)

    def normal(at, mean, std):
        return torch.distributions.Normal(mean, std).log_prob(at)

    a = path.alpha(t) / path.alpha(s)
    added = (path.sigma(t) ** 2 - a**2 * path.sigma(s) ** 2).sqrt()
    log_product = normal(grid, path.alpha(s) * x, path.sigma(s)) + normal(
        x_t, a * grid, added
    )
    weights = log_product.softmax(dim=0)
    by_numbers = (weights * grid).sum()
    mean, variance = path.posterior(x[None], x_t[None], t, s)
    torch.testing.assert_close(mean[0], by_numbers, rtol=1e-6, atol=1e-8)
    spread = (weights * (grid - by_numbers) ** 2).sum()
    torch.testing.assert_close(variance[0], spread, rtol=1e-6, atol=1e-8)


def test_a_term_of_the_bound_is_the_kl_of_two_normals():
    path, t, s = cosine(), torch.tensor(0.5), torch.tensor(0.4)
    x, image, x_t = torch.randn(3, 6, 1, 4, 4)
    mean, variance = path.posterior(x, x_t, t, s)
    estimated, _ = path.posterior(image, x_t, t, s)
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, variance.sqrt()),
        torch.distributions.Normal(estimated, variance.sqrt()),
    )
    torch.testing.assert_close(
        denoising_kl(path, image, x, t, s), kl.flatten(1).sum(dim=1)
    )
    with pytest.raises(ValueError, match="s must be the earlier time"):
        denoising_kl(path, image, x, s, t)


def test_likelihood_of_a_known_normal():
    mixture = GaussianMixture(torch.tensor([[1.0, -2.0, 0.5]]), torch.tensor([0.7]))
    x = mixture.sample(5, generator=torch.Generator().manual_seed(0))

    def velocity(x, t):
        return mixture.path.velocity(*mixture(x, t), t)

    torch.testing.assert_close(
        log_likelihood(velocity, x, steps=40), mixture.log_prob(x), rtol=1e-4, atol=1e-4
    )


def test_uniform_times_lie_one_in_each_part():
    t = uniform_times(100).sort().values
    assert (t >= torch.arange(100) / 100).all()
    assert (t < (torch.arange(100) + 1) / 100 + 1e-6).all()
    assert uniform_times(100).argsort().tolist() != list(range(100))


def test_logit_normal_times_lie_in_the_middle():
    t = logit_normal_times(20_000)
    inside = ((t > 0.25) & (t < 0.75)).float().mean().item()
    # |normal| < log 3.
    assert inside == pytest.approx(math.erf(math.log(3) / 2**0.5), abs=0.015)


def test_one_step_is_the_formula():
    torch.manual_seed(0)
    x = torch.rand(6, 1, 8, 8)
    network = TimeUNet(**SMALL)
    network.leave[-1].weight.data.normal_(0, 0.1)
    denoiser = VelocityDenoiser(network)
    trainer = DiffusionTrainer(denoiser, SGD(denoiser.parameters(), 0.1))
    torch.manual_seed(1)
    eps, t = torch.randn_like(x), uniform_times(6)
    signal, ts = 2 * x - 1, t[:, None, None, None]
    error = network((1 - ts) * signal + ts * eps, t) - (eps - signal)
    loss = error.square().mean()
    (gradient,) = torch.autograd.grad(loss, [network.enter.weight])
    moved = network.enter.weight.detach() - 0.1 * gradient
    torch.manual_seed(1)
    terms = trainer.step(x)
    torch.testing.assert_close(terms["loss"], loss)
    torch.testing.assert_close(network.enter.weight.detach(), moved)


def test_labels_are_dropped_as_often_as_asked():
    trainer = trainer_of(told(untold=True), drop=0.2)
    y = torch.arange(3).repeat(2000)
    dropped = trainer._some_dropped(y)
    assert (dropped == 3).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert (dropped[dropped < 3] == y[dropped < 3]).all()
    all_told = trainer_of(told())
    assert (all_told._some_dropped(y) == y).all()


def test_a_denoiser_learns_and_draws():
    torch.manual_seed(0)
    bars = torch.zeros(64, 1, 8, 8)
    y = torch.arange(64) % 2
    bars[y == 0, :, :, 2:4], bars[y == 1, :, 4:6] = 1, 1
    denoiser = VelocityDenoiser(
        TimeUNet(**SMALL, num_classes=2, untold=True), straight()
    )
    average = WeightAverage(denoiser, 0.98)
    trainer = DiffusionTrainer(
        denoiser, Adam(denoiser.parameters(), 5e-3), drop=0.1, average=average
    )
    fit(trainer, Batches(bars, y, batch_size=32), steps=300, progress=False)
    asked = torch.tensor([0, 0, 1, 1])
    drawn = average.G.sample(4, y=asked, steps=8)
    wanted = bars[[0, 0, 1, 1]]
    assert ((drawn > 0.5) == (wanted > 0.5)).float().mean() > 0.97
    assert average.sample(3).shape == (3, 1, 8, 8)
    noisy = torch.randn(4, 1, 8, 8)
    one, none = (
        denoiser(noisy, torch.tensor(0.7), labels).image
        for labels in (asked, denoiser.untold(asked))
    )
    assert not torch.allclose(one, none)


def test_time_and_label_reach_the_answer():
    torch.manual_seed(0)
    network = told()
    for name, weight in network.named_parameters():
        if name.endswith(("conv2.weight", "leave.2.weight")):
            nn.init.normal_(weight, std=0.1)
    x, t, y = torch.randn(2, 1, 8, 8), torch.tensor([0.3, 0.3]), torch.tensor([0, 0])
    same = network(x, t, y)
    assert not torch.allclose(same, network(x, t + 0.1, y))
    assert not torch.allclose(same, network(x, t, y + 1))
    torch.testing.assert_close(same[:1], network(x[:1], t[:1], y[:1]))


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("attention", [False, True])
def test_a_network_answers_in_the_shape_of_its_picture(blocks, attention):
    network = TimeUNet(
        (3, 16, 24), (8, 12, 16), blocks=blocks, attention=attention, patch=1
    )
    x = torch.randn(2, 3, 16, 24)
    said = network(x, torch.rand(2))
    assert said.shape == x.shape
    assert (said == 0).all()  # nothing yet
    said.sum().backward()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TimeUNet((1, 28, 28), (8, 8, 8)), "must be multiples of 8"),
        (lambda: TimeUNet((1, 8, 8), ()), "one width or more"),
        (lambda: TimeUNet(**SMALL, blocks=0), "blocks 0"),
        (lambda: TimeUNet(**SMALL, num_classes=1), "num_classes is 1"),
        (lambda: TimeUNet(**SMALL, untold=True), "untold=True needs labels"),
        (lambda: linear_beta(2, 1), "from 2 to 1"),
        (
            lambda: TimeUNet(**SMALL)(torch.randn(2, 1, 8, 9), torch.rand(2)),
            "this network takes .B, 1, 8, 8",
        ),
        (
            lambda: TimeUNet(**SMALL)(
                torch.randn(2, 1, 8, 8), torch.rand(2), torch.tensor([0, 1])
            ),
            "told no labels",
        ),
        (
            lambda: told()(torch.randn(2, 1, 8, 8), torch.rand(2), torch.tensor([0])),
            "2 rows for 1 labels",
        ),
        (
            lambda: told()(
                torch.randn(2, 1, 8, 8), torch.rand(2), torch.tensor([0, 3])
            ),
            "3",
        ),
        (
            lambda: straight().noisy(
                torch.ones(1, 2), torch.ones(1, 2), torch.tensor(1.5)
            ),
            "t goes from 1.5 to 1.5",
        ),
        (
            lambda: VelocityDenoiser(TimeUNet(**SMALL)).says(
                torch.randn(2, 1, 8, 8), torch.tensor([0.5, math.nan])
            ),
            "t goes from nan",
        ),
        (lambda: VelocityDenoiser(TimeUNet(**SMALL)).sample(0), "n is 0"),
        (lambda: VelocityDenoiser(TimeUNet(**SMALL)).sample(2, steps=0), "steps is 0"),
        (
            lambda: VelocityDenoiser(told()).sample(2, y=torch.tensor([1])),
            "2 rows for 1 labels",
        ),
        (
            lambda: VelocityDenoiser(told()).sample(2, guidance=2.0),
            "no estimate without a label",
        ),
        (lambda: trainer_of(told(), drop=0.1), "make it with untold=True"),
        (lambda: trainer_of(told(untold=True)), "give drop=0.1"),
        (lambda: trainer_of(told(untold=True), drop=1.0), "drop is 1.0"),
        (
            lambda: denoising_error(torch.ones(2, 3), torch.ones(2, 4)),
            "shape of its target",
        ),
        (lambda: log_likelihood(lambda x, t: x, torch.ones(2, 3), 0), "steps is 0"),
        (lambda: log_likelihood(lambda x, t: x, torch.ones(2)), "give points"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_batches_are_looked_at_before_the_first_update():
    trainer = trainer_of(told(untold=True), drop=0.1)
    x, y = torch.rand(8, 1, 8, 8), torch.arange(8) % 3
    with pytest.raises(ValueError, match="images are in"):
        fit(trainer, Batches(2 * x - 1, y, batch_size=4), steps=1, progress=False)
    # The number that stands for no label is not one that data may have.
    with pytest.raises(ValueError, match="y"):
        fit(trainer, Batches(x, y + 1, batch_size=4), steps=1, progress=False)
    with pytest.raises(TypeError, match="brings 1 tensor"):
        fit(trainer, Batches(x, batch_size=4), steps=1, progress=False)
