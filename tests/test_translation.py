import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from companion.data import Batches, PairBatches, emoji, flip, tone_pairs
from companion.losses import (
    absolute_error,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
)
from companion.models.translation import PatchDiscriminator, UNet
from companion.runtime import evaluating
from companion.trainers import (
    CycleGANTrainer,
    Pix2PixTrainer,
    TranslationTrainer,
    fit,
)

X = torch.rand(8, 1, 11, 9, generator=torch.Generator().manual_seed(1))
Y = torch.rand(8, 3, 11, 9, generator=torch.Generator().manual_seed(2))


def optimiser(*networks, opt=torch.optim.SGD, lr=0.1):
    return opt([p for network in networks for p in network.parameters()], lr=lr)


def regression(**settings):
    torch.manual_seed(0)
    G = UNet(1, 3, [4, 8], batch_norm=False)
    return TranslationTrainer(G, optimiser(G, **settings))


def pix2pix(opt=torch.optim.SGD, lr=0.1, **settings):
    torch.manual_seed(0)
    G = UNet(1, 3, [4, 8], batch_norm=False)
    D = PatchDiscriminator(4, [4])
    opts = [optimiser(net, opt=opt, lr=lr) for net in (G, D)]
    return Pix2PixTrainer(G, D, *opts, **settings)


def cyclegan(opt=torch.optim.SGD, lr=0.1, channels=(1, 3), **settings):
    torch.manual_seed(0)
    a, b = channels
    G, F = UNet(a, b, [4], batch_norm=False), UNet(b, a, [4], batch_norm=False)
    D_X, D_Y = PatchDiscriminator(a, [4]), PatchDiscriminator(b, [4])
    opts = [optimiser(*nets, opt=opt, lr=lr) for nets in ((G, F), (D_X, D_Y))]
    return CycleGANTrainer(G, F, D_X, D_Y, *opts, **settings)


KINDS = [regression, pix2pix, cyclegan]


def weights(*networks):
    return torch.cat([p.detach().flatten() for n in networks for p in n.parameters()])


def descend(loss, *networks, lr=0.1):
    parameters = [p for network in networks for p in network.parameters()]
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for p, g in zip(parameters, gradients, strict=True):
            p -= lr * g


# Equations


def test_absolute_error_is_numpys_mean():
    expected = np.abs(Y.numpy() - X.expand_as(Y).numpy()).reshape(8, -1).mean(1)
    found = absolute_error(Y, X.expand_as(Y))
    torch.testing.assert_close(found, torch.from_numpy(expected))
    assert absolute_error(Y, Y).eq(0).all()
    with pytest.raises(ValueError, match="one shape"):
        absolute_error(Y, X)


def test_best_single_colour_is_the_median():
    colours = torch.tensor([0.1, 0.9, 0.2, 0.3, 0.8])
    levels = torch.linspace(0, 1, 101)
    errors = absolute_error(*torch.broadcast_tensors(levels[:, None], colours))
    assert levels[errors.argmin()].item() == pytest.approx(0.3)


def test_least_squares_losses_by_hand():
    real = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]])  # (2, 1, 2) patches
    fake = torch.tensor([[[0.0, 2.0]], [[1.0, 1.0]]])
    found = least_squares_discriminator_loss(real, fake)
    torch.testing.assert_close(found, torch.tensor([(0.5 + 2.0) / 2, 0.5]))
    torch.testing.assert_close(
        least_squares_generator_loss(fake), torch.tensor([1.0, 0.0])
    )
    half = torch.full((3,), 0.5)
    assert least_squares_discriminator_loss(half, half).eq(0.25).all()


def test_least_squares_best_answer_is_the_share_of_real_images():
    # Of ten equal images seven are real: the best score is 7 / 10.
    score = torch.linspace(0, 1, 101)
    loss = 0.7 * (score - 1) ** 2 + 0.3 * score**2
    assert score[loss.argmin()].item() == pytest.approx(0.7)
    fourteen = score[:, None].expand(-1, 7), score[:, None].expand(-1, 3)
    per_image = least_squares_generator_loss(fourteen[0])
    torch.testing.assert_close(per_image, (score - 1) ** 2)


def test_least_squares_losses_refuse_other_shapes():
    with pytest.raises(ValueError, match="equally many"):
        least_squares_discriminator_loss(torch.ones(2, 3), torch.ones(2, 4))
    for scores in (torch.tensor(1.0), torch.ones(0, 2)):
        with pytest.raises(ValueError, match="one or more"):
            least_squares_generator_loss(scores)


# Networks


@pytest.mark.parametrize("size", [(28, 28), (27, 31), (8, 8), (9, 33), (32, 48)])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_unet_keeps_any_size(size, batch_norm):
    G = UNet(2, 3, [3, 4, 5], batch_norm=batch_norm)
    y = G(torch.rand(2, 2, *size))
    assert y.shape == (2, 3, *size)
    assert y.min() >= 0 and y.max() <= 1
    y.mean().backward()
    assert all(p.grad is not None for p in G.parameters())


@pytest.mark.parametrize("size", [(1, 28), (28, 7), (1, 1)])
def test_unet_refuses_sides_that_are_too_small(size):
    with pytest.raises(ValueError, match="sides of 8 pixels"):
        UNet(1, 3, [3, 4, 5])(torch.rand(2, 1, *size))


def test_networks_refuse_other_channels_and_settings():
    for network in (UNet(1), PatchDiscriminator(1)):
        for shape in ((2, 3, 32, 32), (1, 32, 32)):
            with pytest.raises(ValueError, match=r"takes \(B, 1, H, W\)"):
                network(torch.rand(shape))
    for make in (
        lambda: UNet(0),
        lambda: UNet(1, 0),
        lambda: PatchDiscriminator(0),
    ):
        with pytest.raises(ValueError, match="1 channel or more"):
            make()
    for make in (lambda: UNet(1, widths=[]), lambda: PatchDiscriminator(1, [4, 0])):
        with pytest.raises(ValueError, match="widths"):
            make()
    with pytest.raises(ValueError, match="sides of 4 pixels"):
        PatchDiscriminator(1, [2, 2])(torch.rand(1, 1, 3, 9))


def test_a_residual_unet_starts_as_the_identity_and_learns():
    G = UNet(3, 3, [4, 8], residual=True)
    assert torch.equal(G(Y), Y)
    absolute_error(G(Y), 1 - Y).mean().backward()
    assert G.last.weight.grad.abs().max() > 0
    with torch.no_grad():
        G.last.bias.fill_(0.5)
    torch.testing.assert_close(G(Y), (Y + 0.5).clamp(0, 1))
    with pytest.raises(ValueError, match="1 in and 3 out"):
        UNet(1, 3, residual=True)


def test_unet_sees_the_whole_picture_and_passes_pixels_on():
    G = UNet(1, 1, [4, 4, 4], batch_norm=False)
    x = torch.rand(1, 1, 32, 32, requires_grad=True)
    (slope,) = torch.autograd.grad(G(x)[0, 0, 16, 16], x)
    assert slope.abs().flatten(1).count_nonzero() > 0.95 * 32 * 32
    # Without any deeper layer the skip alone lets a pixel reach its own place.
    with torch.no_grad():
        for p in G.ups.parameters():
            p.zero_()
    (slope,) = torch.autograd.grad(G(x)[0, 0, 16, 16], x)
    reached = slope[0, 0].nonzero()
    assert reached.min() == 15 and reached.max() == 17


@pytest.mark.parametrize(("widths", "field"), [([4], 8), ([4, 4], 18), ([2] * 3, 38)])
def test_receptive_field_is_what_a_gradient_finds(widths, field):
    D = PatchDiscriminator(1, widths)
    assert D.receptive_field == field
    x = torch.rand(1, 1, 96, 96, requires_grad=True)
    middle = 48 // 2 ** len(widths)
    (slope,) = torch.autograd.grad(D(x)[0, middle, middle], x)
    found = slope[0, 0].nonzero()
    assert (found.amax(0) - found.amin(0) + 1).tolist() == [field, field]


def test_one_pixel_changes_only_the_patches_that_see_it():
    D = PatchDiscriminator(3, [4, 4])
    x = torch.rand(1, 3, 64, 64)
    changed = x.clone()
    changed[0, :, 30, 30] = 1 - changed[0, :, 30, 30]
    moved = (D(changed) - D(x)).abs()[0] > 0
    assert D(x).shape == (1, 16, 16)
    rows = moved.any(1).nonzero()
    assert 3 <= moved.sum() <= 25 and rows.max() - rows.min() <= 4


# Data


def test_pairs_are_changed_alike_and_stay_together():
    y = torch.rand(20, 1, 6, 6)
    x = torch.cat([y, 1 - y], dim=1)
    batches = PairBatches(x, y, batch_size=6, augment=flip, seed=3)
    seen = list(batches)
    assert len(seen) == 3 and seen[0][0].shape == (6, 2, 6, 6)
    flipped = 0
    for a, b in seen:
        torch.testing.assert_close(a, torch.cat([b, 1 - b], dim=1))
        flipped += sum((y == picture).all((1, 2, 3)).sum().item() == 0 for picture in b)
    assert 0 < flipped < 18


def test_pairs_refuse_pictures_that_are_no_pairs():
    with pytest.raises(ValueError, match="pair is two pictures of one size"):
        PairBatches(X, torch.rand(8, 3, 9, 9))
    with pytest.raises(ValueError, match=r"lengths \[8, 9\]"):
        PairBatches(X, torch.rand(9, 3, 11, 9))
    with pytest.raises(ValueError, match=r"y has shape \(8, 11, 9\)"):
        PairBatches(X, Y[:, 0])
    with pytest.raises(TypeError, match="not list"):
        PairBatches([1], Y)
    with pytest.raises(TypeError, match="uint8"):
        PairBatches(X, Y.byte())


def test_tone_pairs_are_the_same_pictures_in_two_tones():
    split = emoji(16).test
    light, dark = tone_pairs(split)
    assert light.shape == dark.shape and len(light) > 20
    assert (light != dark).flatten(1).any(1).all()
    brightness = light.mean((1, 2, 3)) - dark.mean((1, 2, 3))
    assert (brightness > 0).float().mean() > 0.9
    # The same people: no other dark picture is nearer to a light one's lines.
    edges = [(x.mean(1) > 0.98).float().flatten(1) for x in (light, dark)]
    nearest = torch.cdist(*edges).argmin(1)
    assert (nearest == torch.arange(len(light))).float().mean() > 0.7
    again = tone_pairs(split, "dark", "light")
    assert {t.sum().item() for t in again[1]} == {t.sum().item() for t in light}


def test_tone_pairs_refuse_other_tones():
    split = emoji(16).test
    with pytest.raises(ValueError, match="'none' is no skin tone"):
        tone_pairs(split, "none")
    with pytest.raises(ValueError, match="two different"):
        tone_pairs(split, "dark", "dark")
    with pytest.raises(ValueError, match="in light and dark"):
        tone_pairs(split.take(1))


# Algorithms


def test_pix2pix_step_equals_the_updates_by_hand():
    trainer = pix2pix(lambda_l1=7.0, lambda_gan=2.0)
    G, D = copy.deepcopy(trainer.G), copy.deepcopy(trainer.D)
    terms = trainer.step(X, Y)
    y_fake = G(X)
    l1 = (y_fake - Y).abs().mean()
    real, fake = (D(torch.cat([X, y], 1)) for y in (Y, y_fake.detach()))
    bce = functional.binary_cross_entropy_with_logits
    loss_D = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    torch.testing.assert_close(terms["loss_D"], loss_D)
    torch.testing.assert_close(terms["l1"], l1)
    descend(loss_D, D)
    fooled = D(torch.cat([X, y_fake], 1))  # the new discriminator
    loss_G = bce(fooled, torch.ones_like(fooled))
    torch.testing.assert_close(terms["loss_G"], loss_G)
    descend(2 * loss_G + 7 * l1, G)
    torch.testing.assert_close(weights(trainer.D), weights(D))
    torch.testing.assert_close(weights(trainer.G), weights(G))


def test_cyclegan_step_equals_the_updates_by_hand():
    trainer = cyclegan(lambda_cycle=3.0)
    G, F, D_X, D_Y = map(
        copy.deepcopy, (trainer.G, trainer.F, trainer.D_X, trainer.D_Y)
    )
    terms = trainer.step(X, Y)
    y_fake, x_fake = G(X), F(Y)
    loss_D = 0
    for D, real, fake in ((D_Y, Y, y_fake.detach()), (D_X, X, x_fake.detach())):
        loss_D = loss_D + ((D(real) - 1).square() + D(fake).square()).mean() / 2
    torch.testing.assert_close(terms["loss_D"], loss_D)
    descend(loss_D, D_X, D_Y)
    loss_G = (D_Y(y_fake) - 1).square().mean() + (D_X(x_fake) - 1).square().mean()
    cycle = (F(y_fake) - X).abs().mean() + (G(x_fake) - Y).abs().mean()
    torch.testing.assert_close(terms["loss_G"], loss_G)
    torch.testing.assert_close(terms["cycle"], cycle)
    assert "identity" not in terms
    descend(loss_G + 3 * cycle, G, F)
    torch.testing.assert_close(weights(trainer.D_X, trainer.D_Y), weights(D_X, D_Y))
    torch.testing.assert_close(weights(trainer.G, trainer.F), weights(G, F))


def test_identity_loss_by_hand():
    trainer = cyclegan(channels=(3, 3), lambda_identity=5.0, lambda_cycle=0.0)
    G, F = copy.deepcopy(trainer.G), copy.deepcopy(trainer.F)
    x, y = Y, Y.flip(0)
    expected = (G(y) - y).abs().mean() + (F(x) - x).abs().mean()
    found = trainer.step(x, y)["identity"]
    torch.testing.assert_close(found, expected)


def test_r1_adds_half_of_the_squared_gradient_of_the_mean_logit_at_true_pairs():
    trainer = pix2pix(r1=3.0)
    D = copy.deepcopy(trainer.D)
    before = copy.deepcopy(trainer.G)
    trainer.step(X, Y)
    pair = torch.cat([X, Y], 1).requires_grad_()
    logits = D(pair)
    each = sum(logits[i].mean() for i in range(len(logits)))
    (slope,) = torch.autograd.grad(each, pair, create_graph=True)
    penalty = slope.square().sum(dim=(1, 2, 3)).mean()
    fake = D(torch.cat([X, before(X).detach()], 1))
    bce = functional.binary_cross_entropy_with_logits
    loss_D = bce(logits, torch.ones_like(logits)) + bce(fake, torch.zeros_like(fake))
    descend(loss_D + 3.0 / 2 * penalty, D)
    torch.testing.assert_close(weights(trainer.D), weights(D))


def test_r1_refuses_a_discriminator_with_batch_normalisation():
    G, D = UNet(1, 3, [4]), PatchDiscriminator(4, [4, 4], batch_norm=True)
    with pytest.raises(ValueError, match="batch_norm=False"):
        Pix2PixTrainer(G, D, optimiser(G), optimiser(D), r1=1.0)


def test_doublings_begin_with_four_pixels_alike():
    G = UNet(1, 3, [4, 8], batch_norm=False)
    for up in G.ups:
        weight = up[0].weight.unflatten(0, (-1, 4))
        assert torch.equal(weight, weight[:, :1].expand_as(weight))


@pytest.mark.parametrize("kind", [pix2pix, cyclegan])
@pytest.mark.parametrize("still", ["G", "D"])
def test_each_phase_moves_its_own_networks_only(kind, still):
    trainer = kind()
    getattr(trainer, f"opt_{still}").param_groups[0]["lr"] = 0.0
    names = [n for n in vars(trainer) if isinstance(getattr(trainer, n), nn.Module)]
    before = {name: weights(getattr(trainer, name)) for name in names}
    trainer.step(X, Y)
    for name in names:
        same = torch.equal(before[name], weights(getattr(trainer, name)))
        assert same == (name.startswith("D") == (still == "D"))


@pytest.mark.parametrize("kind", [pix2pix, cyclegan])
def test_generator_phase_leaves_the_discriminators_as_they_were(kind):
    trainer = kind()
    networks = [trainer.D] if kind is pix2pix else [trainer.D_X, trainer.D_Y]
    trainer.step(X, Y)
    assert all(p.requires_grad for D in networks for p in D.parameters())
    gradients = [p.grad.clone() for D in networks for p in D.parameters()]
    # The discriminator's loss alone, at the same place, gives the same gradients.
    again = kind()
    again.opt_G.param_groups[0]["lr"] = 0.0
    again.step(X, Y)
    theirs = [again.D] if kind is pix2pix else [again.D_X, again.D_Y]
    for p, g in zip(
        (p for D in theirs for p in D.parameters()), gradients, strict=True
    ):
        torch.testing.assert_close(p.grad, g)


def test_without_the_game_pix2pix_is_regression():
    paired, alone = pix2pix(lambda_l1=1.0, lambda_gan=0.0), regression()
    for _ in range(3):
        l1 = paired.step(X, Y)["l1"]
        torch.testing.assert_close(l1, alone.step(X, Y)["l1"])
    torch.testing.assert_close(weights(paired.G), weights(alone.G))


def test_a_large_lambda_makes_the_update_that_of_regression():
    lambda_l1 = 1e5
    paired, alone = pix2pix(lambda_l1=lambda_l1, lr=0.1 / lambda_l1), regression()
    start = weights(alone.G)
    for trainer in (paired, alone):
        trainer.step(X, Y)
    moved = [weights(trainer.G) - start for trainer in (paired, alone)]
    assert functional.cosine_similarity(*moved, dim=0) > 0.999


class Affine(nn.Module):
    """x -> a x + b: a generator whose inverse is known."""

    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.tensor(float(v))) for v in (a, b))
        self.in_channels = self.out_channels = 1

    def forward(self, x):
        return self.a * x + self.b


def test_cycle_loss_is_zero_for_any_pair_of_inverse_mappings():
    for a, b in ((1, 0), (-1, 1), (0.5, 0.25)):
        G, F = Affine(a, b), Affine(1 / a, -b / a)
        D_X, D_Y = PatchDiscriminator(1, [2]), PatchDiscriminator(1, [2])
        opts = optimiser(G, F), optimiser(D_X, D_Y)
        trainer = CycleGANTrainer(G, F, D_X, D_Y, *opts, lambda_identity=1.0)
        terms = trainer.step(X, X.flip(0))
        assert terms["cycle"].item() == pytest.approx(0, abs=1e-6)
        assert (terms["identity"].item() < 1e-6) == (a == 1)


@pytest.mark.parametrize("kind", KINDS)
def test_schedules_advance_once_a_step(kind):
    trainer = kind()
    names = [n for n in ("G", "D") if hasattr(trainer, f"opt_{n}")]
    for n in names:
        opt = getattr(trainer, f"opt_{n}")
        schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda step: 0.5**step)
        setattr(trainer, f"schedule_{n}", schedule)
    for _ in range(3):
        trainer.step(X, Y)
    for n in names:
        assert getattr(trainer, f"opt_{n}").param_groups[0]["lr"] == 0.1 * 0.5**3


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_history(kind):
    found = []
    for _ in range(2):
        trainer = kind(opt=torch.optim.Adam, lr=1e-2)
        batches = PairBatches(X, Y, batch_size=4, augment=flip)
        found.append(fit(trainer, batches, epochs=3, progress=False).terms)
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_equals_uninterrupted_bit_for_bit(kind, tmp_path):
    def run(trainer, **keywords):
        return fit(trainer, PairBatches(X, Y, batch_size=4), progress=False, **keywords)

    settings = {"opt": torch.optim.Adam, "lr": 1e-2}
    whole, path = kind(**settings), tmp_path / "translation.pt"
    history = run(whole, epochs=4)
    run(kind(**settings), epochs=2, checkpoint=path)
    resumed = kind(**settings)
    again = run(resumed, epochs=4, checkpoint=path, resume=True)
    assert history.terms == again.terms
    assert torch.equal(weights(whole.G), weights(resumed.G))


# Eight pictures: squares of eight colours, and their outlines.
COLOURS = torch.tensor([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)]).float()


def eight_pairs():
    x, y = torch.ones(8, 1, 12, 12), torch.ones(8, 3, 12, 12)
    for i in range(8):
        where = slice(1, 4 + i), slice(2, 10)
        x[i, 0][where] = 0.0
        x[i, 0, 2 : 3 + i, 3:9] = 1.0
        y[i][:, where[0], where[1]] = COLOURS[i][:, None, None]
    return x, y


def test_paired_trainers_over_fit_eight_pairs():
    x, y = eight_pairs()
    settings = {"lr": 1e-2, "betas": (0.5, 0.99), "fused": True}
    for kind in (TranslationTrainer, Pix2PixTrainer):
        torch.manual_seed(0)
        networks = [UNet(1, 3, [8, 16, 16])]
        if kind is Pix2PixTrainer:
            networks.append(PatchDiscriminator(4, [8, 8]))
        opts = [torch.optim.Adam(net.parameters(), **settings) for net in networks]
        fit(kind(*networks, *opts), [(x, y)], steps=80, progress=False)
        with evaluating(networks[0]):
            assert absolute_error(networks[0](x), y).max() < 0.08


def test_cyclegan_over_fits_eight_unpaired_pictures():
    # Dark squares and bright ones, at the same places; the orders differ.
    x = 0.2 * (1 - eight_pairs()[1].mean(1, keepdim=True)) + 0.1
    y = 1.0 - x
    torch.manual_seed(0)
    nets = [UNet(1, 1, [8]) for _ in range(2)]
    nets += [PatchDiscriminator(1, [8]) for _ in range(2)]
    settings = {"lr": 1e-2, "betas": (0.5, 0.99), "fused": True}
    opts = [
        torch.optim.Adam([p for n in pair for p in n.parameters()], **settings)
        for pair in (nets[:2], nets[2:])
    ]
    trainer = CycleGANTrainer(*nets, *opts)
    history = fit(trainer, [(x, y[torch.randperm(8)])], steps=100, progress=False)
    assert history["cycle"][-1] < 0.05 < history["cycle"][0]
    with evaluating(nets[0]):
        made = nets[0](x)
    assert (made.mean((1, 2, 3)) - y.mean((1, 2, 3))).abs().max() < 0.1


# Errors


def test_trainers_refuse_networks_that_do_not_fit():
    G, D = UNet(1, 3, [4]), PatchDiscriminator(3, [4])
    with pytest.raises(ValueError, match="D takes 3 channels, but will be given 4"):
        Pix2PixTrainer(G, D, optimiser(G), optimiser(D))
    F, D_X = UNet(3, 1, [4]), PatchDiscriminator(1, [4])
    for change, words in (
        ({"F": UNet(1, 1, [4])}, "F takes 1 channels"),
        ({"F": UNet(3, 3, [4])}, "G takes 1 channels"),
        ({"D_X": D}, "D_X takes 3"),
        ({"D_Y": D_X}, "D_Y takes 1"),
    ):
        nets = {"G": G, "F": F, "D_X": D_X, "D_Y": D} | change
        opts = {
            "opt_G": optimiser(nets["G"], nets["F"]),
            "opt_D": optimiser(*{nets["D_X"], nets["D_Y"]}),
        }
        with pytest.raises(ValueError, match=words):
            CycleGANTrainer(**nets, **opts)


def test_trainers_refuse_other_optimisers_and_weights():
    G, D = UNet(1, 3, [4]), PatchDiscriminator(4, [4])
    with pytest.raises(ValueError, match="opt_G does not hold"):
        TranslationTrainer(G, optimiser(D))
    with pytest.raises(ValueError, match="opt_D does not hold"):
        Pix2PixTrainer(G, D, optimiser(G), optimiser(G, D))
    trainer = cyclegan()
    nets = trainer.G, trainer.F, trainer.D_X, trainer.D_Y
    with pytest.raises(ValueError, match="opt_G does not hold"):
        CycleGANTrainer(*nets, optimiser(trainer.G), trainer.opt_D)
    for name in ("lambda_l1", "lambda_gan"):
        with pytest.raises(ValueError, match=f"{name} is -1"):
            pix2pix(**{name: -1.0})
    for name in ("lambda_cycle", "lambda_identity"):
        with pytest.raises(ValueError, match=f"{name} is nan"):
            cyclegan(channels=(1, 1), **{name: float("nan")})
    with pytest.raises(ValueError, match="1 channels into 3"):
        cyclegan(lambda_identity=1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_that_do_not_fit_are_refused_before_any_update(kind):
    trainer = kind()
    before = weights(trainer.G)
    for x, y in ((Y, Y), (X, Y[:4]), (X, Y[..., :6]), (X[:, :, :1], Y[:, :, :1])):
        with pytest.raises(ValueError):
            trainer.step(x, y)
    assert torch.equal(before, weights(trainer.G))


def test_unpaired_sets_come_in_batches_of_one_length():
    with pytest.raises(ValueError, match="lengths"):
        Batches(X, Y[:5])
