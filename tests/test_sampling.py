import pytest
import torch

from companion.models import sampling
from companion.models.diffusion import VelocityDenoiser, cosine, straight
from companion.models.mixture import GaussianMixture
from companion.models.sampling import draw, guided, times_down
from companion.models.unet import TimeUNet

MEANS = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, 1.5]])
STDS = torch.tensor([0.2, 0.3, 0.25])
SHARES = torch.tensor([0.5, 0.3, 0.2])


def mixture(path=None):
    return GaussianMixture(MEANS, STDS, SHARES, labels=[0, 0, 1], path=path)


def end_of(*args, **settings):
    *_, (t, x, _) = draw(*args, **settings)
    assert t == 0
    return x


def noise(n, seed=0):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("path", [straight(), cosine()])
@pytest.mark.parametrize("y", [None, torch.tensor([0, 1, 2])])
def test_the_score_is_the_slope_of_the_density(path, y):
    known = mixture(path)
    x, t = noise(3).requires_grad_(), torch.tensor([0.2, 0.5, 0.9])
    (slope,) = torch.autograd.grad(known.log_prob(x, t, y).sum(), x)
    torch.testing.assert_close(known.score(x, t, y), slope)
    # Tweedie's formula: the mean picture from the score.
    a, b = path.alpha(t)[:, None], path.sigma(t)[:, None]
    image, eps = known(x, t, y)
    torch.testing.assert_close(image, (x + b**2 * slope) / a)
    torch.testing.assert_close(a * image + b * eps, x)


def test_the_mean_picture_is_that_of_all_that_may_have_been():
    known, t, x_t = mixture(), torch.tensor(0.6), torch.tensor([[0.3, 0.8]])
    g = torch.Generator().manual_seed(0)
    x = known.sample(400_000, generator=g)
    fits = torch.distributions.Normal(0.4 * x, 0.6).log_prob(x_t).sum(dim=1)
    weights = fits.softmax(dim=0)[:, None]
    torch.testing.assert_close(
        known(x_t, t).image[0], (weights * x).sum(dim=0), rtol=0, atol=0.01
    )


def test_a_density_with_noise_is_that_of_noisy_points():
    known = mixture()
    side = torch.linspace(-6, 6, 400)
    grid = torch.cartesian_prod(side, side)
    area = (side[1] - side[0]) ** 2
    for t in (0.1, 0.5, 1.0):
        density = known.log_prob(grid, torch.tensor(t)).exp() * area
        assert density.sum().item() == pytest.approx(1, abs=1e-3)
    x, y = known.labelled(20_000, generator=torch.Generator().manual_seed(0))
    assert (y == 1).float().mean().item() == pytest.approx(0.2, abs=0.02)
    torch.testing.assert_close(x.mean(dim=0), SHARES @ MEANS, rtol=0, atol=0.03)


@pytest.mark.parametrize("path", [straight(), cosine()])
@pytest.mark.parametrize(
    "settings", [{}, {"heun": True}, {"eta": 1.0}, {"eta": 0.5}], ids=str
)
def test_all_ways_draw_the_same_distribution(path, settings):
    known = mixture(path)
    x = end_of(
        known,
        noise(20_000),
        times_down(100),
        generator=torch.Generator().manual_seed(1),
        **settings,
    )
    real = known.sample(20_000, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(x.mean(0), real.mean(0), rtol=0, atol=0.03)
    torch.testing.assert_close(torch.cov(x.T), torch.cov(real.T), rtol=0, atol=0.04)
    shares = torch.cdist(x, MEANS).argmin(dim=1).bincount() / len(x)
    torch.testing.assert_close(shares, SHARES, rtol=0, atol=0.02)


def test_full_noise_is_a_step_of_ddpm():
    known, t, s = mixture(cosine()), torch.tensor(0.7), torch.tensor(0.4)
    x_t = noise(5)
    mean, variance = known.path.posterior(known(x_t, t).image, x_t, t, s)
    g = torch.Generator().manual_seed(3)
    *_, (_, x_s, _) = draw(known, x_t, torch.stack([t, s]), eta=1.0, generator=g)
    eps = torch.randn(5, 2, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(x_s, mean + variance.sqrt() * eps)


@pytest.mark.parametrize(("settings", "order"), [({}, 1), ({"heun": True}, 2)], ids=str)
def test_errors_fall_as_the_order_says(settings, order):
    # Of a single normal distribution each point keeps its place among the others.
    known = GaussianMixture(MEANS[:1].double(), STDS[:1].double())
    x_1 = noise(50).double()
    errors = []
    for steps in (64, 128):
        times = times_down(steps).double()
        # Heun's last step is Euler's, of first order: look before it.
        x = [x for _, x, _ in draw(known, x_1, times, **settings)]
        t = times[-2]
        spread = ((1 - t) ** 2 * STDS[0] ** 2 + t**2).sqrt()
        exact = (1 - t) * MEANS[0] + spread * x_1
        errors.append((x[-2] - exact).abs().mean())
    assert torch.log2(errors[0] / errors[1]).item() == pytest.approx(order, abs=0.35)


def test_a_straight_step_is_eulers():
    known, t, s = mixture(), torch.tensor(0.8), torch.tensor(0.5)
    x_t = noise(6)
    u = known.path.velocity(*known(x_t, t), t)
    *_, (_, x_s, _) = draw(known, x_t, torch.stack([t, s]))
    torch.testing.assert_close(x_s, x_t + (s - t) * u)


def test_what_is_yielded_is_the_way():
    known = mixture()
    way = list(draw(known, noise(4), times_down(5)))
    assert [t.item() for t, _, _ in way] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0])
    for t, x, image in way[:-1]:
        torch.testing.assert_close(image, known(x, t).image)
    assert way[-1][1] is way[-1][2]


@pytest.mark.parametrize("settings", [{"heun": True}, {"heun": False, "eta": 1.0}])
def test_samples_do_not_depend_on_the_parts(settings, monkeypatch):
    torch.manual_seed(0)
    network = TimeUNet((1, 8, 8), (8, 8), num_classes=3, untold=True)
    torch.nn.init.normal_(network.leave[-1].weight, std=0.1)
    denoiser = VelocityDenoiser(network)

    def drawn():
        g = torch.Generator().manual_seed(0)
        return denoiser.sample(7, steps=3, guidance=2.0, generator=g, **settings)

    whole = drawn()
    monkeypatch.setattr(sampling, "PART", 3)
    torch.testing.assert_close(drawn(), whole)
    assert whole.shape == (7, 1, 8, 8)
    assert 0 <= whole.min() <= whole.max() <= 1


def test_guidance_mixes_two_estimates():
    known, t = mixture(), torch.tensor(0.5)
    x_t, y = noise(6), torch.tensor([0, 1] * 3)
    one, none = known(x_t, t, y), known(x_t, t)
    for weight in (0.0, 1.0, 3.0):
        for got, told, untold in zip(
            guided(known, weight)(x_t, t, y), one, none, strict=True
        ):
            torch.testing.assert_close(got, untold + weight * (told - untold))


def test_guidance_with_one_normal_each_is_not_a_power_of_the_class():
    """With w the score at t is a sum, but the noisy power is not the power's noise."""
    known = GaussianMixture(
        torch.tensor([[-1.0], [1.0]]), torch.tensor([0.5, 0.5]), labels=[0, 1]
    )
    y = torch.zeros(4000, dtype=torch.long)
    x_1 = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    means = [
        end_of(guided(known, w), x_1, times_down(50), y, heun=True).mean().item()
        for w in (1.0, 3.0)
    ]
    assert means[0] == pytest.approx(-1, abs=0.03)
    # p(x) p(y|x)^3 by numbers.
    grid = torch.linspace(-6, 6, 4001)[:, None]
    power = known.log_prob(grid) + 3 * (
        known.log_prob(grid, y=torch.zeros(4001, dtype=torch.long))
        - known.log_prob(grid)
    )
    claimed = (power.softmax(dim=0)[:, None] * grid).sum().item()
    assert means[1] < claimed - 0.05


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: times_down(0), "steps is 0"),
        (lambda: times_down(3, first=0.0), "first is 0.0"),
        (lambda: times_down(3, first=1.1), "first is 1.1"),
        (lambda: list(draw(mixture(), noise(1), torch.tensor([0.1, 0.5]))), "times"),
        (lambda: list(draw(mixture(), noise(1), torch.tensor([1.2, 0.5]))), "times"),
        (lambda: list(draw(mixture(), noise(1), torch.tensor([1.0]))), "two or more"),
        (lambda: list(draw(mixture(), noise(1), times_down(2), eta=2)), "eta is 2"),
        (
            lambda: list(draw(mixture(), noise(1), times_down(2), eta=1, heun=True)),
            "do not go together",
        ),
        (lambda: guided(mixture(), -1.0), "weight is -1.0"),
        (
            lambda: guided(VelocityDenoiser(TimeUNet((1, 8, 8), (8,))), 2.0),
            "untold=True",
        ),
        (lambda: GaussianMixture(MEANS, STDS[:2]), "M of each"),
        (lambda: GaussianMixture(MEANS, -STDS), "above 0"),
        (lambda: mixture().sample(0), "n is 0"),
        (lambda: mixture().score(noise(1), 2.0, None), "t goes from 2 to 2"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
