"""Models that draw pixel by pixel: distributions, causal, sampled and trained."""

import itertools
import math

import pytest
import torch

from companion.data import Batches
from companion.losses import bernoulli_nll
from companion.models.attention import AttentiveLSTM, CausalTransformer
from companion.models.pixelcnn import PixelCNN
from companion.models.pixelrnn import PixelRNN
from companion.trainers import fit
from companion.trainers.pixelcnn import LikelihoodTrainer

MODELS = pytest.mark.parametrize(
    "model", [PixelCNN, PixelRNN, AttentiveLSTM, CausalTransformer]
)


def random_net(model, shape, **settings):
    """A network far from its first weights, in which everything matters."""
    net = model(shape, **{"width": 8, "reach": 2, "head": 5} | settings)
    with torch.no_grad():
        for w in net.parameters():
            w.copy_(torch.randn_like(w) * (0.7 if w.dim() > 1 else 0.3))
    return net.double()


def every_image(height, width):
    bits = list(itertools.product([0.0, 1.0], repeat=height * width))
    return torch.tensor(bits, dtype=torch.float64).view(-1, 1, height, width)


@MODELS
@pytest.mark.parametrize("size", [(2, 2), (3, 3), (1, 4), (4, 1)])
@pytest.mark.parametrize("reach", [1, 3])
def test_probabilities_of_all_images_sum_to_one(model, size, reach):
    x = every_image(*size)
    p = (-bernoulli_nll(random_net(model, (1, *size), reach=reach)(x), x)).exp()
    assert p.sum().item() == pytest.approx(1)
    assert p.max() > 1.2 * p.min()


@MODELS
@pytest.mark.parametrize("reach", [1, 3])
def test_each_pixel_ignores_itself_and_all_later_ones(model, reach):
    net, x = random_net(model, (1, 5, 6), reach=reach), torch.rand(2, 1, 5, 6).double()
    logits = net(x).flatten()
    for t in range(30):
        other = x.clone().flatten(1)
        other[:, t:] = torch.rand(2, 30 - t)
        changed = net(other.view_as(x)).view(2, 30)
        torch.testing.assert_close(
            changed[:, : t + 1], logits.view(2, 30)[:, : t + 1], rtol=0, atol=1e-12
        )


def seen_pixels(net, side):
    """Which pixels (columns) change the logit of each (rows), flipped one by one."""
    x = torch.zeros(1, 1, side, side, dtype=torch.float64)
    flipped = torch.eye(side**2, dtype=torch.float64).view(-1, 1, side, side)
    return (net(flipped) - net(x)).flatten(1).T.abs() > 1e-12


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (PixelCNN, {"layers": 5, "width": 16}),
        (AttentiveLSTM, {"reach": 1}),
        (CausalTransformer, {"reach": 1}),
    ],
)
def test_no_blind_spot(model, settings):
    # Each pixel sees every earlier one, also up and to the right.
    net = random_net(model, (1, 5, 5), head=32, **settings)
    seen = seen_pixels(net, 5)
    assert torch.equal(seen, torch.ones(25, 25).tril(-1).bool())


def test_row_lstm_sees_a_widening_wedge():
    net = random_net(PixelRNN, (1, 7, 7), reach=1, head=32)
    seen = seen_pixels(net, 7)[6 * 7 + 3].view(7, 7)  # from the middle of the last row
    assert seen[5].tolist() == [False, True, True, True, True, False, False]
    assert seen[6].tolist() == [False, False, True, False, False, False, False]
    assert (seen[:5].sum(dim=1) >= torch.tensor([7, 7, 7, 7, 6])).all()


@MODELS
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_cached_sampling_equals_uncached(model, temperature):
    net = random_net(model, (1, 5, 4), reach=3)
    drawn = net.sample(
        6, temperature=temperature, generator=torch.Generator().manual_seed(1)
    )
    generator = torch.Generator().manual_seed(1)
    x = torch.zeros(6, 1, 5, 4, dtype=torch.float64)
    for i, j in itertools.product(range(5), range(4)):
        p = (net(x)[:, :, i : i + 1, j : j + 1] / temperature).sigmoid()
        x[:, :, i, j] = torch.bernoulli(p, generator=generator)[:, :, 0, 0]
    assert torch.equal(drawn, x)


@MODELS
def test_sampling_frequencies_agree_with_the_probabilities(model):
    net, x = random_net(model, (1, 2, 2)), every_image(2, 2)
    p = (-bernoulli_nll(net(x), x)).exp()
    drawn = net.sample(20_000).flatten(1) @ torch.tensor([8.0, 4, 2, 1]).double()
    share = drawn.long().bincount(minlength=16) / 20_000
    error = (p * (1 - p) / 20_000).sqrt()
    assert ((share - p).abs() < 5 * error + 1e-4).all()


@MODELS
def test_completing_keeps_the_given_rows(model):
    net, x = random_net(model, (1, 4, 5)), torch.rand(3, 1, 4, 5).double().round()
    half = net.sample(3, given=x, rows=2)
    assert torch.equal(half[:, :, :2], x[:, :, :2])
    assert torch.equal(net.sample(3, given=x, rows=4), x)
    assert set(half.unique().tolist()) <= {0.0, 1.0}


@MODELS
def test_a_low_temperature_takes_the_likelier_value(model):
    net = random_net(model, (1, 3, 3))
    x = net.sample(2, temperature=1e-6)
    assert torch.equal(x, (net(x) > 0).to(x.dtype))


@MODELS
def test_over_fits_eight_images(model):
    x = torch.rand(8, 1, 8, 6).round()
    net = model((1, 8, 6), width=16, reach=3, head=16)
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    trainer = LikelihoodTrainer(net, opt, max_norm=10.0)
    history = fit(trainer, Batches(x, batch_size=8), steps=250, progress=False)
    # Eight images, each as likely as the others: log 8 nats are the least possible.
    assert math.log(8) - 0.1 < history["nll"][-1] < math.log(8) + 0.5
    apart = (net.sample(20)[:, None] - x).abs().sum(dim=(2, 3, 4))  # wrong pixels
    assert (apart.min(dim=1).values <= 2).float().mean() >= 0.5


@MODELS
def test_trainer_steps_down_the_clipped_gradient_and_follows_its_schedule(model):
    net = random_net(model, (1, 4, 4))
    x = torch.rand(5, 1, 4, 4).double().round()
    before = [w.detach().clone() for w in net.parameters()]
    nll = bernoulli_nll(net(x), x).mean()
    gradient = torch.autograd.grad(nll, list(net.parameters()))
    length = torch.cat([g.flatten() for g in gradient]).norm().item()
    opt = torch.optim.SGD(net.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(opt, 1, gamma=0.5)
    trainer = LikelihoodTrainer(net, opt, max_norm=0.1, schedule=schedule)
    torch.testing.assert_close(trainer.step(x)["nll"], nll)
    for w, old, g in zip(net.parameters(), before, gradient, strict=True):
        torch.testing.assert_close(
            old - w, g * min(1.0, 0.1 / length), rtol=1e-4, atol=1e-8
        )
    assert opt.param_groups[0]["lr"] == 0.5


@MODELS
def test_gradient_by_finite_differences(model):
    net = random_net(model, (1, 3, 3))
    x = torch.rand(2, 1, 3, 3).double().round()
    bernoulli_nll(net(x), x).sum().backward()
    for w in net.parameters():
        index = tuple(0 for _ in w.shape)
        ends = []
        for shift in (1e-6, -1e-6):
            with torch.no_grad():
                w[index] += shift
                ends.append(bernoulli_nll(net(x), x).sum())
                w[index] -= shift
        slope = (ends[0] - ends[1]) / 2e-6
        torch.testing.assert_close(w.grad[index], slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: PixelCNN((3, 8, 8)), "1, height"),
        (lambda: PixelCNN((8, 8)), "1, height"),
        (lambda: PixelCNN(width=0), "1 or more"),
        (lambda: PixelCNN(reach=0), "1 or more"),
        (lambda: PixelCNN((1, 4, 4))(torch.zeros(2, 1, 4, 5)), "takes"),
        (lambda: PixelCNN((1, 4, 4)).sample(0), "n is 0"),
        (lambda: PixelCNN((1, 4, 4)).sample(1, temperature=0.0), "above 0"),
        (lambda: PixelCNN((1, 4, 4)).sample(1, temperature=-1.0), "above 0"),
        (
            lambda: PixelCNN((1, 4, 4)).sample(2, given=torch.zeros(3, 1, 4, 4)),
            "given holds 3",
        ),
        (
            lambda: PixelCNN((1, 4, 4)).sample(
                1, given=torch.zeros(1, 1, 4, 4), rows=5
            ),
            "rows is 5",
        ),
        (lambda: PixelCNN((1, 4, 4)).sample(1, rows=1), "rows is 1"),
        (lambda: PixelRNN((3, 8, 8)), "1, height"),
        (lambda: PixelRNN(reach=0), "1 or more"),
        (lambda: PixelRNN((1, 4, 4))(torch.zeros(2, 1, 4, 5)), "takes"),
        (lambda: AttentiveLSTM((1, 4, 4), channels=0), "1 or more"),
        (lambda: AttentiveLSTM((1, 4, 4))(torch.zeros(2, 1, 5, 4)), "takes"),
        (lambda: AttentiveLSTM((1, 4, 4)).weights(torch.zeros(2, 4, 4)), "takes"),
        (lambda: CausalTransformer((3, 8, 8)), "1, height"),
        (lambda: CausalTransformer(width=10, heads=4), "multiple"),
        (lambda: CausalTransformer(layers=0), "layers is 0"),
        (lambda: CausalTransformer((1, 4, 4))(torch.zeros(2, 1, 4, 5)), "takes"),
        (
            lambda: CausalTransformer((1, 4, 4)).sample(1, temperature=float("nan")),
            "above 0",
        ),
        (lambda: LikelihoodTrainer(PixelCNN(), None, max_norm=0.0), "max_norm"),
    ],
)
def test_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()
