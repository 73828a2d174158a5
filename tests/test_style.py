"""Texture and style: the equations, the networks that look, the painter, errors."""

import math

import pytest
import torch
from torch.nn import functional as F
from torchvision.models import squeezenet1_1

from companion.losses.style import (
    content_loss,
    gram_matrix,
    range_penalty,
    style_loss,
    total_variation,
)
from companion.models.style import (
    Canvas,
    Palette,
    RandomFilters,
    SqueezeNetFeatures,
    match_colors,
)
from companion.trainers import fit
from companion.trainers.style import StyleTrainer, lbfgs, synthesize


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def stripes(size=32):
    """Slanted orange and blue stripes, (1, 3, size, size)."""
    i = torch.arange(size)
    wave = 0.5 + 0.5 * torch.sin((i[:, None] + i) * 2 * math.pi / 8)
    a, b = torch.tensor([0.9, 0.5, 0.2]), torch.tensor([0.1, 0.2, 0.5])
    return torch.lerp(a[:, None, None], b[:, None, None], wave)[None]


# Equations


def test_gram_matrix_equals_einsum_and_loops():
    f = torch.randn(2, 3, 4, 5, generator=seeded())
    G = gram_matrix(f)
    torch.testing.assert_close(G, torch.einsum("bihw,bjhw->bij", f, f) / 20)
    for b in range(2):
        for i in range(3):
            for j in range(3):
                by_loop = sum(
                    f[b, i, y, x] * f[b, j, y, x] for y in range(4) for x in range(5)
                )
                torch.testing.assert_close(G[b, i, j], by_loop / 20)


def test_gram_matrix_is_symmetric_and_positive_semi_definite():
    G = gram_matrix(torch.randn(3, 6, 2, 2, generator=seeded(), dtype=torch.float64))
    torch.testing.assert_close(G, G.mT)
    assert torch.linalg.eigvalsh(G).min() > -1e-12


def test_gram_matrix_forgets_positions_and_size():
    f = torch.randn(1, 4, 3, 5, generator=seeded())
    order = torch.randperm(15, generator=seeded(1))
    shuffled = f.flatten(2)[..., order].view(1, 4, 5, 3)
    torch.testing.assert_close(gram_matrix(shuffled), gram_matrix(f))
    torch.testing.assert_close(gram_matrix(f.repeat(1, 1, 2, 3)), gram_matrix(f))


def test_style_loss_by_hand():
    f = torch.tensor([[1.0, 3.0], [2.0, 0.0]]).view(1, 2, 1, 2)
    # G = [[(1 + 9) / 2, (2 + 0) / 2], [1, 4 / 2]] = [[5, 1], [1, 2]]
    loss = style_loss([f], [torch.zeros(1, 2, 2)])
    torch.testing.assert_close(loss, torch.tensor([(25.0 + 1 + 1 + 4) / 4]))
    two = style_loss([f, f], [torch.zeros(1, 2, 2), gram_matrix(f)])
    torch.testing.assert_close(two, loss)


@pytest.mark.parametrize("equation", ["style", "content", "variation", "range"])
def test_gradients_by_finite_differences(equation):
    x = torch.randn(2, 3, 4, 4, generator=seeded(), dtype=torch.float64)
    target = torch.randn(1, 3, 4, 4, generator=seeded(1), dtype=torch.float64)
    loss = {
        "style": lambda x: style_loss([x], [gram_matrix(target)]),
        "content": lambda x: content_loss([x], [target]),
        "variation": total_variation,
        "range": range_penalty,
    }[equation]
    assert loss(x).shape == (2,)
    torch.autograd.gradcheck(loss, x.requires_grad_())


def test_style_gradient_equals_its_formula():
    f = torch.randn(1, 4, 3, 3, generator=seeded(), requires_grad=True)
    target = gram_matrix(torch.randn(1, 4, 3, 3, generator=seeded(1)))
    (gradient,) = torch.autograd.grad(style_loss([f], [target])[0], f)
    with torch.no_grad():
        formula = 4 / (16 * 9) * (gram_matrix(f) - target) @ f.flatten(2)
    torch.testing.assert_close(gradient.flatten(2), formula)


def test_content_loss_is_the_mean_square():
    a, b = (torch.rand(2, 3, 4, 4, generator=seeded(s)) for s in (0, 1))
    expected = torch.stack([F.mse_loss(a[i], b[i]) for i in range(2)])
    torch.testing.assert_close(content_loss([a], [b]), expected)
    assert (content_loss([a], [a]) == 0).all()


def test_total_variation_of_known_pictures():
    flat = torch.full((1, 3, 4, 5), 0.3)
    ramp = torch.arange(5.0).expand(1, 1, 4, 5) / 10  # 0.1 a pixel, across only
    board = (torch.arange(4)[:, None] + torch.arange(4)) % 2 * torch.ones(1, 1, 1, 1)
    assert total_variation(flat) == 0
    torch.testing.assert_close(total_variation(ramp), torch.tensor([0.1]))
    torch.testing.assert_close(total_variation(board), torch.tensor([2.0]))


def test_range_penalty_counts_only_what_is_outside():
    x = torch.tensor([[0.0, 1.0, 0.5, 0.2], [1.5, -0.5, 0.5, 1.0]])
    torch.testing.assert_close(range_penalty(x), torch.tensor([0.0, 0.125]))


@pytest.mark.parametrize(
    ("equation", "arguments", "words"),
    [
        (gram_matrix, (torch.zeros(3, 4, 4),), "give maps"),
        (gram_matrix, (torch.zeros(1, 3, 0, 4),), "at least one position"),
        (style_loss, ([], []), "0 layers"),
        (style_loss, ([torch.zeros(1, 2, 3, 3)], []), "1 layers and 0 targets"),
        (
            style_loss,
            ([torch.zeros(1, 2, 3, 3)], [torch.zeros(1, 3, 3)]),
            "same network",
        ),
        (
            content_loss,
            ([torch.zeros(1, 2, 3, 3)], [torch.zeros(1, 2, 4, 4)]),
            "Layer 0",
        ),
        (total_variation, (torch.zeros(1, 3, 1, 4),), "two or more rows"),
        (range_penalty, (torch.zeros(3),), "give a batch"),
    ],
)
def test_equations_refuse_what_does_not_fit(equation, arguments, words):
    with pytest.raises(ValueError, match=words):
        equation(*arguments)


# Colours and networks


def test_whitened_colours_have_unit_covariance():
    x = torch.rand(1, 3, 20, 30, generator=seeded())
    x[:, 1] = 0.7 * x[:, 0] + 0.3 * x[:, 1]
    palette = Palette(x)
    u = palette.whiten(x).flatten(2)[0]
    torch.testing.assert_close(u.mean(1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(u @ u.T / 600, torch.eye(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(palette.paint(palette.whiten(x)), x)


def test_a_picture_of_one_colour_stays_finite():
    grey = torch.full((1, 3, 16, 16), 0.5)
    u = Palette(grey).whiten(torch.rand(1, 3, 16, 16, generator=seeded()))
    assert torch.isfinite(u).all() and u.abs().max() < 30
    assert all(torch.isfinite(m).all() for m in RandomFilters(grey, scales=1)(grey))


def test_match_colors_gives_mean_and_covariance_of_the_style():
    content = torch.rand(1, 3, 16, 16, generator=seeded())
    style = torch.rand(1, 3, 9, 9, generator=seeded(1)) ** 2
    matched = match_colors(content, style)
    cov = [torch.cov(x.flatten(2)[0], correction=0) for x in (matched, style)]
    torch.testing.assert_close(*cov, atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(matched.mean((2, 3)), style.mean((2, 3)))


def test_match_colors_to_grey_leaves_no_tint():
    grey = torch.rand(1, 1, 9, 9, generator=seeded(1)).expand(-1, 3, -1, -1)
    matched = match_colors(torch.rand(1, 3, 16, 16, generator=seeded()), grey)
    assert (matched - matched.mean(dim=1, keepdim=True)).abs().max() < 1e-3


@pytest.mark.parametrize("features", [RandomFilters, SqueezeNetFeatures])
def test_features_move_to_a_device_as_a_whole(features, weights):
    options = [] if features is RandomFilters else [weights[0] / "whole.pth"]
    network = features(torch.rand(1, 3, 64, 64), *options).to("meta")
    maps = network(torch.empty(1, 3, 64, 64, device="meta"))
    assert {f.device.type for f in maps} == {"meta"}


def test_canvas_holds_its_start_and_clips_only_the_picture():
    start = 2 * torch.rand(1, 3, 8, 8, generator=seeded()) - 0.5
    canvas = Canvas(start, stripes())
    torch.testing.assert_close(canvas(), start)
    torch.testing.assert_close(canvas.picture(), start.clamp(0, 1))
    assert not canvas.picture().requires_grad
    assert [name for name, _ in canvas.named_parameters()] == ["u"]


@pytest.mark.parametrize("size", [32, 37])
def test_random_filters_shapes_and_calibration(size):
    style = stripes(size)
    network = RandomFilters(style, channels=5, scales=3, generator=seeded())
    maps = network(style)
    sides = [math.ceil(size / 2**k) for k in range(3)]
    assert [tuple(m.shape) for m in maps] == [(1, 5, s, s) for s in sides]
    for m in maps:
        rms = m.square().mean(dim=(0, 2, 3)).sqrt()
        torch.testing.assert_close(rms, torch.ones(5))
    again = RandomFilters(style, channels=5, scales=3, generator=seeded())
    torch.testing.assert_close(again(style)[2], maps[2], rtol=0, atol=0)
    assert not list(network.parameters())


def test_random_filters_first_map_equals_conv2d():
    style = stripes()
    network = RandomFilters(style, channels=4, scales=1, generator=seeded())
    u = F.pad(network.palette.whiten(style), (3, 3, 3, 3), mode="reflect")
    expected = F.relu(F.conv2d(u, network.weight))
    torch.testing.assert_close(network(style)[0] * network.rms_0, expected)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Palette(torch.zeros(3, 8, 8)), "give .B, 3, H, W."),
        (lambda: Canvas(torch.zeros(1, 1, 8, 8), stripes()), "grey"),
        (lambda: RandomFilters(stripes(), kernel_size=4), "odd kernel_size"),
        (lambda: RandomFilters(stripes(), channels=0), "channels 0"),
        (lambda: RandomFilters(stripes(8), scales=3), "fewer scales"),
        (lambda: RandomFilters(stripes())(torch.zeros(1, 1, 32, 32)), "grey"),
    ],
)
def test_networks_refuse_what_does_not_fit(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# SqueezeNet, with weights made here


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    network = squeezenet1_1()
    torch.save(network.state_dict(), folder / "whole.pth")
    torch.save(network.features.state_dict(), folder / "features.pth")
    return folder, network.features.eval()


@pytest.mark.parametrize("name", ["whole.pth", "features.pth"])
def test_squeezenet_features_equal_torchvision(weights, name):
    folder, features = weights
    x = stripes(64)
    network = SqueezeNetFeatures(x, folder / name)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.no_grad():
        expected = features[:8]((x - mean) / std)
    torch.testing.assert_close(network(x)[2] * network.rms_2, expected)
    assert all(not p.requires_grad for p in network.parameters())


def test_squeezenet_names_missing_and_damaged_weights(weights, tmp_path):
    folder, _ = weights
    with pytest.raises(FileNotFoundError, match="give its path"):
        SqueezeNetFeatures(stripes(64), tmp_path / "none.pth")
    whole = (folder / "features.pth").read_bytes()
    damaged = tmp_path / "damaged.pth"
    for content in (whole[: len(whole) // 2], b"", b".", b"hello", b"no weights"):
        damaged.write_bytes(content)
        with pytest.raises(ValueError, match="damaged"):
            SqueezeNetFeatures(stripes(64), damaged)
    torch.save({"0.weight": torch.zeros(3)}, damaged)
    with pytest.raises(ValueError, match="another network"):
        SqueezeNetFeatures(stripes(64), damaged)
    torch.save([1, 2, 3], damaged)
    with pytest.raises(ValueError, match="another network"):
        SqueezeNetFeatures(stripes(64), damaged)
    with pytest.raises(ValueError, match="32 x 32"):
        SqueezeNetFeatures(stripes(16), folder / "features.pth")


# The painter


def painter(content_weight=0.03, seed=0):
    style = stripes()
    canvas = Canvas(torch.rand(1, 3, 32, 32, generator=seeded(seed)), style)
    network = RandomFilters(style, channels=8, scales=2, generator=seeded())
    trainer = StyleTrainer(
        canvas, network, lbfgs(canvas), content_weight=content_weight
    )
    return trainer, style


def test_texture_optimisation_lowers_the_loss():
    trainer, style = painter()
    history = fit(trainer, [(style,)], steps=15, progress=False)
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert history["style"][-1] < 0.1 * history["style"][0]
    assert "content" not in history.names()
    lows = [b <= a for a, b in zip(history["loss"], history["loss"][1:], strict=False)]
    assert all(lows)  # the line search never accepts a worse point


def test_same_seed_same_picture_and_only_the_canvas_moves():
    pictures = []
    for _ in range(2):
        trainer, style = painter()
        weight = trainer.network.weight.clone()
        fit(trainer, [(style,)], steps=4, progress=False)
        assert torch.equal(weight, trainer.network.weight)
        pictures.append(trainer.canvas.picture())
    assert torch.equal(*pictures)


def test_terms_are_those_before_the_step_and_equal_the_equations():
    trainer, style = painter(content_weight=0.5)
    content = torch.rand(1, 3, 32, 32, generator=seeded(3))
    x = trainer.canvas().detach()
    seen, wanted = trainer.network(x), trainer.network(content)
    s = style_loss(seen, [gram_matrix(m) for m in trainer.network(style)])
    c = content_loss(seen[1:], wanted[1:])
    loss = s + 0.5 * c + 0.005 * total_variation(x) + 10 * range_penalty(x)
    terms = trainer.step(style, content)
    torch.testing.assert_close(terms["style"], s[0])
    torch.testing.assert_close(terms["content"], c[0])
    torch.testing.assert_close(terms["loss"], loss[0])
    assert all(not term.requires_grad for term in terms.values())


def test_a_heavier_content_ends_nearer_to_the_content():
    content = torch.zeros(1, 3, 32, 32)
    content[..., 8:24, 8:24] = 1.0
    ends = []
    for weight in (0.01, 1.0):
        trainer, style = painter(weight)
        matched = match_colors(content, style)
        history = fit(trainer, [(style, matched)], steps=15, progress=False)
        ends.append(history.last()["content"])
    assert ends[1] < ends[0]


def test_any_optimiser_will_do():
    trainer, style = painter()
    trainer.opt = torch.optim.Adam(trainer.canvas.parameters(), 0.1)
    history = fit(trainer, [(style,)], steps=30, progress=False)
    assert history["loss"][-1] < 0.5 * history["loss"][0]


@pytest.mark.parametrize("name", ["content_weight", "tv_weight", "range_weight"])
def test_painter_refuses_negative_weights(name):
    trainer, _ = painter()
    with pytest.raises(ValueError, match=name):
        StyleTrainer(trainer.canvas, trainer.network, trainer.opt, **{name: -1.0})


def small_network(style):
    return RandomFilters(style, channels=8, scales=1, generator=seeded())


def test_synthesize_comes_near_the_texture():
    style = stripes()
    made = synthesize(
        style, small_network, sizes=(16, 32), steps=15, generator=seeded()
    )
    assert made.shape == style.shape
    assert 0 <= made.min() and made.max() <= 1
    noise = torch.rand(1, 3, 32, 32, generator=seeded(1))
    network = small_network(style)
    grams = [gram_matrix(m) for m in network(style)]
    near, far = (style_loss(network(x), grams) for x in (made, noise))
    assert near < 0.1 * far


@pytest.mark.parametrize("sizes", [(), (32, 16), (16, 16), (64,), (1, 8)])
def test_synthesize_refuses_bad_sizes(sizes):
    with pytest.raises(ValueError, match="rising side lengths"):
        synthesize(stripes(), small_network, sizes=sizes)


def test_synthesize_refuses_a_picture_that_is_not_square():
    with pytest.raises(ValueError, match="one square"):
        synthesize(stripes()[..., :20], small_network)
