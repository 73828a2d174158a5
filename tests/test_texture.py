"""Descriptions of a texture, the painter that takes any of them, and the study."""

import pytest
import torch
from scipy.stats import wasserstein_distance

from companion.losses.style import gram_matrix, range_penalty, style_loss
from companion.losses.texture import (
    means,
    means_and_variances,
    products,
    sorted_difference,
    texture_loss,
)
from companion.models.style import Canvas, Palette, RandomFilters
from companion.recipes.textures import TEXTURES, Textures, distances, noise_like
from companion.trainers import fit
from companion.trainers.style import StyleTrainer, lbfgs
from companion.trainers.texture import TextureTrainer, grow_texture

ALL = [means, means_and_variances, products]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def maps(seed=0, *shape):
    return torch.randn(shape or (2, 3, 4, 5), generator=seeded(seed))


def small_network(style):
    return RandomFilters(style, channels=8, scales=1, generator=seeded())


# Equations


@pytest.mark.parametrize("describe", ALL)
def test_descriptions_forget_positions(describe):
    f = maps()
    order = torch.randperm(20, generator=seeded(1))
    shuffled = f.flatten(2)[..., order].view_as(f)
    torch.testing.assert_close(describe(shuffled), describe(f))


def test_descriptions_by_hand():
    f = torch.tensor([[1.0, 3.0], [2.0, 0.0]]).view(1, 2, 1, 2)
    assert means(f).tolist() == [[2, 1]]
    assert means_and_variances(f).tolist() == [[2, 1, 1, 1]]
    # Pairs: (1 + 9) / 2, (2 + 0) / 2, (4 + 0) / 2.
    assert products(f).tolist() == [[5, 1, 1, 2]]


def test_means_cannot_tell_what_occurs_together():
    together = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).view(1, 2, 1, 2)
    apart = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).view(1, 2, 1, 2)
    for describe in (means, means_and_variances):
        assert torch.equal(describe(together), describe(apart))
    assert not torch.equal(products(together), products(apart))


def test_with_products_it_is_the_style_loss():
    f, g = [maps(0), maps(1, 2, 6, 3, 3)], [maps(2, 1, 3, 7, 7), maps(3, 1, 6, 2, 2)]
    ours = texture_loss(f, [products(x) for x in g], products)
    torch.testing.assert_close(ours, style_loss(f, [gram_matrix(x) for x in g]))


@pytest.mark.parametrize("describe", ALL)
def test_gradients_by_finite_differences(describe):
    target = describe(maps(1, 1, 3, 4, 4).double())
    x = maps(0, 2, 3, 4, 4).double().requires_grad_()
    assert texture_loss([x], [target], describe).shape == (2,)
    torch.autograd.gradcheck(lambda x: texture_loss([x], [target], describe), x)


def test_sorted_differences_are_wasserstein_distances():
    a, b = maps(0), maps(1)
    found = sorted_difference(a, b)
    for i in range(2):
        for c in range(3):
            oracle = wasserstein_distance(a[i, c].flatten(), b[i, c].flatten())
            assert found[i, c] == pytest.approx(oracle, rel=1e-4)
    assert (sorted_difference(a, a.flip(3)) == 0).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: texture_loss([], [], means), "0 layers"),
        (lambda: texture_loss([maps()], [], means), "1 layers and 0 targets"),
        (
            lambda: texture_loss([maps()], [torch.zeros(1, 4)], means),
            "Layer 0.*same network",
        ),
        (
            lambda: texture_loss([maps()], [torch.zeros(5, 3)], means),
            "Layer 0 has 2 images and 5 targets",
        ),
        (lambda: sorted_difference(maps(), maps(0, 2, 3, 4, 4)), "same .B, C, H, W."),
    ],
)
def test_equations_refuse_what_does_not_fit(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()


# The painter


def test_with_products_the_first_step_is_the_style_trainers():
    style = TEXTURES["tiles"](64, 0)[..., :32, :32]
    pictures = []
    for make in (TextureTrainer, StyleTrainer):
        canvas = Canvas(Palette(style).paint(maps(0, 1, 3, 32, 32)), style)
        parts = [canvas, small_network(style), lbfgs(canvas)]
        if make is TextureTrainer:
            trainer = make(*parts, products)
        else:
            trainer = make(*parts, tv_weight=0.0)
        terms = trainer.step(style)
        pictures.append((canvas.picture(), terms[next(iter(terms))]))
    (ours, term), (theirs, loss) = pictures
    torch.testing.assert_close(ours, theirs)
    x = Palette(style).paint(maps(0, 1, 3, 32, 32))
    torch.testing.assert_close(loss, term + 10 * range_penalty(x)[0])


@pytest.mark.parametrize("describe", ALL)
def test_the_painter_comes_near_and_moves_only_the_canvas(describe):
    style = TEXTURES["tiles"](64, 0)[..., :32, :32]
    canvas = Canvas(noise_like(style, 0), style)
    network = small_network(style)
    weight = network.weight.clone()
    trainer = TextureTrainer(canvas, network, lbfgs(canvas), describe)
    history = fit(trainer, [(style,)], steps=15, progress=False)
    assert history["texture"][-1] < 0.1 * history["texture"][0]
    assert torch.equal(weight, network.weight)


def test_same_seed_same_texture():
    style = TEXTURES["clouds"](64, 0)
    run = {"sizes": (16, 32), "steps": 3}
    pair = [
        grow_texture(style, small_network, means, **run, generator=seeded())
        for _ in range(2)
    ]
    assert pair[0].shape == (1, 3, 32, 32) and torch.equal(*pair)


@pytest.mark.parametrize("sizes", [(), (32, 16), (16, 16), (128,)])
def test_growing_refuses_bad_sizes(sizes):
    with pytest.raises(ValueError, match="rising side lengths"):
        grow_texture(TEXTURES["tiles"](64, 0), small_network, means, sizes=sizes)


@pytest.mark.parametrize("shape", [(1, 3, 64, 20), (2, 3, 64, 64), (3, 64, 64)])
def test_growing_refuses_what_is_not_one_square(shape):
    with pytest.raises(ValueError, match="give one square"):
        grow_texture(torch.rand(shape), small_network, means, sizes=(16, 20))


# The study


@pytest.mark.parametrize("name", TEXTURES)
def test_other_pieces_are_others_and_nearer_than_noise(name):
    given, other = (TEXTURES[name](64, k) for k in range(2))
    assert not torch.equal(given, other)
    assert distances(given, given) == [0, 0]
    near, far = distances(other, given), distances(noise_like(given, 0), given)
    assert near[0] < far[0] and near[1] < far[1]


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="--size is 70; give a multiple of 16"):
        Textures(size=70)
    with pytest.raises(ValueError, match=r"--evaluations is \(4, 2\)"):
        Textures(evaluations=(4, 2))


def test_the_study_compares_and_races():
    study = Textures(steps=1, seeds=2, rates=(100,), evaluations=(2, 3))
    found = study.find_out(torch.device("cpu"))
    assert found.picture.shape == (1, 3, 64 * 3, 64 * 5)
    values = found.values
    assert values["seeds"] == [0, 1]
    for compared in values["textures"].values():
        assert [len(runs) for runs in compared.values()] == [2, 5, 2, 2, 2]
    assert (
        values["helps"]["three scales, grown"]
        == (values["textures"]["tiles"]["Gram matrices"])
    )
    race = values["optimisers"]
    assert race.keys() == {"L-BFGS", "Adam, 0.1"}
    for runs in race.values():
        assert len(runs) == 2 and all(first >= last for first, last in runs)
