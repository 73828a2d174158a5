"""Video: the ConvLSTM, predictors, measures and the trainer, against oracles."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from torch import nn
from torch.nn import functional as F

from companion.data.moving import moving_digits, paint, random_motion
from companion.losses.video import frame_error
from companion.metrics.video import constant, error_by_horizon, persistence, ssim
from companion.models.video import (
    ConvLSTM,
    ConvLSTMCell,
    LatentLSTM,
    VideoPredictor,
    moved,
)
from companion.trainers import fit
from companion.trainers.video import VideoTrainer

SHAPE = (1, 16, 16)
MODELS = {
    "latent": lambda: LatentLSTM(SHAPE, latent=8, hidden=12, width=4),
    "conv": lambda: ConvLSTM(SHAPE, hidden=6, kernel_size=3),
    "moving": lambda: ConvLSTM(SHAPE, hidden=6, kernel_size=3, reach=2),
}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def videos(n=8, frames=6):
    return moving_digits(torch.rand(2 * n, 1, 5, 5), frames=frames, size=16, speed=1.5)


# The cell.


def test_on_one_pixel_the_cell_is_torchs_lstm():
    cell, lstm = ConvLSTMCell(3, 5, kernel_size=1), nn.LSTM(3, 5, batch_first=True)
    with torch.no_grad():
        cell.from_input.weight.copy_(lstm.weight_ih_l0[:, :, None, None])
        cell.from_state.weight.copy_(lstm.weight_hh_l0[:, :, None, None])
        cell.from_input.bias.copy_(lstm.bias_ih_l0 + lstm.bias_hh_l0)
    x, state, states = torch.randn(4, 7, 3), None, []
    for x_t in x.unbind(dim=1):
        state = cell(x_t[:, :, None, None], state)
        states.append(state[0][:, :, 0, 0])
    out, (h, c) = lstm(x)
    torch.testing.assert_close(torch.stack(states, dim=1), out)
    torch.testing.assert_close(state[1][:, :, 0, 0], c[0])


def test_a_pixel_of_the_cell_by_hand():
    cell = ConvLSTMCell(2, 3, kernel_size=3).double()
    x, h, c = torch.randn(8, 1, 3, 6, 6, dtype=torch.float64)[:3]
    x = x[:, :2]
    new_h, new_c = cell(x, (h, c))
    near = (slice(None), slice(None), slice(1, 4), slice(2, 5))  # around (2, 3)
    a = cell.from_input.bias + torch.einsum(
        "oikl,bikl->bo", cell.from_input.weight, x[near]
    )
    a = a + torch.einsum("oikl,bikl->bo", cell.from_state.weight, h[near])
    i, f, g, o = a.chunk(4, dim=1)
    by_hand = f.sigmoid() * c[:, :, 2, 3] + i.sigmoid() * g.tanh()
    torch.testing.assert_close(new_c[:, :, 2, 3], by_hand)
    torch.testing.assert_close(new_h[:, :, 2, 3], o.sigmoid() * by_hand.tanh())


def test_forget_gates_start_open_and_zero_state_is_the_default():
    cell, x = ConvLSTMCell(2, 3), torch.randn(2, 2, 4, 4)
    assert (cell.from_input.bias[3:6] == 1).all()
    zero = torch.zeros(2, 3, 4, 4)
    for a, b in zip(cell(x), cell(x, (zero, zero)), strict=True):
        assert torch.equal(a, b)


def test_moving_the_input_moves_the_state():
    cell, x = ConvLSTMCell(1, 2), torch.zeros(1, 1, 12, 12)
    x[:, :, 4:6, 4:6] = torch.rand(2, 2)
    h = cell(x, cell(x))[0]
    moved_h = cell(x.roll((2, 1), (2, 3)), cell(x.roll((2, 1), (2, 3))))[0]
    inside = (slice(None), slice(None), slice(4, 10), slice(4, 10))
    torch.testing.assert_close(moved_h[inside], h.roll((2, 1), (2, 3))[inside])


def test_gradients_of_the_cell_by_finite_differences():
    cell = ConvLSTMCell(1, 2).double()
    x, h, c = (torch.randn(1, k, 3, 3).double().requires_grad_() for k in (1, 2, 2))
    assert torch.autograd.gradcheck(lambda *a: cell(a[0], a[1:]), (x, h, c))


# Shifts.


@pytest.mark.parametrize("shift", [(0, 0), (2, -1), (-2, 2), (1, 0)])
def test_moved_by_a_certain_shift_is_that_shift(shift):
    x, p = torch.rand(2, 3, 8, 12), torch.zeros(2, 25, 2, 3)
    p[:, (shift[0] + 2) * 5 + shift[1] + 2] = 1
    padded = F.pad(x, (2, 2, 2, 2))
    down, right = 2 + shift[0], 2 + shift[1]
    there = padded[:, :, down : down + 8, right : right + 12]
    torch.testing.assert_close(moved(x, p), there)


def test_moved_averages_shifts_patch_by_patch():
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    p = torch.randn(2, 9, 2, 2, dtype=torch.float64).softmax(dim=1)
    padded = F.pad(x, (1, 1, 1, 1))
    by_hand = torch.zeros_like(x)
    for b, i, j in [(b, i, j) for b in (0, 1) for i in range(8) for j in range(8)]:
        near = padded[b, 0, i : i + 3, j : j + 3]
        by_hand[b, 0, i, j] = (near * p[b, :, i // 4, j // 4].view(3, 3)).sum()
    torch.testing.assert_close(moved(x, p), by_hand)
    p.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: moved(x, p), (p,))


# Predictors.


@each_model
def test_a_prediction_does_not_depend_on_its_frame_or_later_ones(make):
    model, x = make(), torch.rand(2, 6, *SHAPE)
    other = x.clone()
    other[:, 3:] = torch.rand(2, 3, *SHAPE)
    a, b = model(x), model(other)  # predictions of frames 1 to 5
    assert torch.equal(a[:, :3], b[:, :3])
    assert not torch.equal(a[:, 3], b[:, 3])
    assert a.shape == (2, 5, *SHAPE) and a.min() >= 0 and a.max() <= 1


@each_model
def test_teacher_forcing_equals_one_step_after_the_other(make):
    model, x = make(), torch.rand(2, 4, *SHAPE)
    everything = torch.ones(2, 3, dtype=torch.bool)
    assert torch.equal(model(x), model(x, everything))
    state = None
    for t in range(3):
        x_hat, state = model.step(x[:, t], state)
        torch.testing.assert_close(model(x)[:, t], x_hat)


@each_model
def test_roll_out_equals_step_by_step_and_the_pass_without_teacher(make):
    model, x = make(), torch.rand(2, 3, *SHAPE)
    ahead = model.roll_out(x, 4)
    state, x_hat = None, None
    for t in range(6):
        x_hat, state = model.step(x[:, t] if t < 3 else x_hat, state)
        if t >= 2:
            torch.testing.assert_close(ahead[:, t - 2], x_hat)
    padded = torch.cat([x, torch.rand(2, 4, *SHAPE)], dim=1)
    true = (torch.arange(6) < 3).expand(2, 6)
    torch.testing.assert_close(model(padded, true)[:, 2:], ahead)
    assert not ahead.requires_grad and model.training


@each_model
def test_who_is_read_is_chosen_video_by_video(make):
    model, x = make(), torch.rand(2, 4, *SHAPE)
    true = torch.tensor([[True, True, True], [True, False, False]])
    mixed = model(x, true)
    torch.testing.assert_close(mixed[:1], model(x[:1]))
    torch.testing.assert_close(mixed[1:], model(x[1:], true[1:]))


def test_gradients_reach_every_weight_through_own_predictions():
    for make in MODELS.values():
        model, x = make(), torch.rand(2, 4, *SHAPE)
        true = (torch.arange(3) < 1).expand(2, 3)
        model(x, true)[:, -1].sum().backward()
        assert all(w.grad.abs().sum() > 0 for w in model.parameters())


def test_color_and_odd_shapes():
    model = ConvLSTM((3, 8, 12), hidden=4, kernel_size=3, patch=2, reach=1)
    assert model.roll_out(torch.rand(2, 2, 3, 8, 12), 3).shape == (2, 3, 3, 8, 12)
    assert LatentLSTM((3, 8, 24))(torch.rand(1, 2, 3, 8, 24)).shape[1] == 1


# Measures.


def test_frame_error_is_a_sum_over_pixels():
    x = torch.rand(3, 2, 1, 4, 4)
    torch.testing.assert_close(
        frame_error(x, 1 - x), 16 * (2 * x - 1).square().mean(dim=(2, 3, 4))
    )
    torch.testing.assert_close(
        error_by_horizon(x, 1 - x), frame_error(x, 1 - x).mean(dim=0)
    )


def library_ssim(a, b):
    """scikit-image's formula for float images, by scipy's filter."""
    n = 49 / 48
    ua, ub = uniform_filter(a, 7), uniform_filter(b, 7)
    va = n * (uniform_filter(a * a, 7) - ua * ua)
    vb = n * (uniform_filter(b * b, 7) - ub * ub)
    vab = n * (uniform_filter(a * b, 7) - ua * ub)
    s = (2 * ua * ub + 1e-4) * (2 * vab + 9e-4)
    s = s / ((ua**2 + ub**2 + 1e-4) * (va + vb + 9e-4))
    return s[3:-3, 3:-3].mean()


def test_ssim_equals_the_librarys():
    x = videos(3, 4)
    y = (0.7 * x + 0.3 * torch.rand_like(x)).clamp(0, 1)
    ours = ssim(y, x)
    for b in range(3):
        for t in range(4):
            theirs = library_ssim(y[b, t, 0].double().numpy(), x[b, t, 0].numpy())
            assert ours[b, t].item() == pytest.approx(theirs, abs=1e-5)


def test_ssim_has_the_values_of_scikit_image():
    """structural_similarity(a, b, data_range=1.0) of scikit-image 0.26.0."""
    i, j = np.mgrid[0:12, 0:15]
    a = np.sin(0.5 * i) * np.cos(0.3 * j) / 2 + 0.5
    b = np.sin(0.5 * i + 0.4) * np.cos(0.3 * j) / 2 + 0.5
    theirs = [0.9068890214156057, 0.7863378818561513, -0.8935373879388157]
    for other, value in zip((b, b**2, 1 - a), theirs, strict=True):
        ours = ssim(*(torch.tensor(v)[None, None, None] for v in (other, a)))
        assert ours.item() == pytest.approx(value, abs=1e-12)


def test_ssim_is_one_for_equal_frames_and_symmetric():
    x, y = torch.rand(2, 3, 3, 9, 8), torch.rand(2, 3, 3, 9, 8)
    torch.testing.assert_close(ssim(x, x), torch.ones(2, 3))
    torch.testing.assert_close(ssim(x, y), ssim(y, x))
    assert ssim(x, y).max() < 0.5 and ssim(x, 1 - x).max() < 0


def test_persistence_is_right_for_a_still_video_and_linear_motion_before_a_wall():
    images = torch.rand(30, 2, 1, 5, 5)
    motion = random_motion(30, room=11.0, speed=0.0)
    still = paint(images, motion.positions(6), 16)
    assert error_by_horizon(persistence(still[:, :2], 4), still[:, 2:]).sum() == 0
    motion = random_motion(30, room=11.0, speed=0.7)
    video = paint(images, motion.positions(6), 16)
    straight = motion.extrapolated(3, 3)
    free = ((straight >= 0) & (straight <= 11)).all(dim=3).all(dim=2).all(dim=1)
    error = frame_error(paint(images, straight, 16), video[:, 3:])
    assert 5 < free.sum() < 30
    assert error[free].sum() == 0 and error[~free].sum(dim=1).max() > 0


def test_constant_repeats_a_frame():
    frame = torch.rand(2, *SHAPE)
    assert torch.equal(constant(frame, 3)[:, 2], frame)
    video = torch.stack([1 - frame, frame], dim=1)
    assert torch.equal(persistence(video, 3), constant(frame, 3))


# The trainer.


def trained(model, x, steps=60, lr=1e-2, **named):
    opt = torch.optim.Adam(model.parameters(), lr=lr)
    trainer = VideoTrainer(model, opt, max_norm=50.0, **named)
    return fit(trainer, [(x,)], steps=steps, progress=False)


@each_model
def test_over_fits_eight_videos(make):
    x, model = videos(frames=4), make()
    still = frame_error(x[:, :-1], x[:, 1:]).mean().item()
    history = trained(model, x, steps=250, lr=3e-2)
    assert history["loss"][-1] < 0.25 * min(still, history["loss"][0])


@pytest.mark.parametrize("teacher", [0.0, 0.5, lambda step: 1 / (1 + step)])
def test_same_seed_same_history(teacher):
    x, runs = videos(4), []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append(trained(MODELS["moving"](), x, steps=5, teacher=teacher))
    assert runs[0].terms == runs[1].terms


def test_probability_one_and_zero_are_teacher_forcing_and_roll_out():
    x, model = torch.rand(3, 6, *SHAPE), MODELS["conv"]()
    opt = torch.optim.SGD(model.parameters(), lr=0.0)
    forced = VideoTrainer(model, opt, given=2).step(x)["loss"]
    torch.testing.assert_close(forced, frame_error(model(x), x[:, 1:]).mean())
    free = VideoTrainer(model, opt, given=2, teacher=0.0).step(x)["loss"]
    ahead = torch.cat([model(x[:, :2]), model.roll_out(x[:, :2], 4)], dim=1)
    torch.testing.assert_close(free, frame_error(ahead, x[:, 1:]).mean())
    half = VideoTrainer(model, opt, given=2, teacher=0.5).truth(torch.rand(999, 6, 1))
    assert half[:, :2].all() and 0.4 < half[:, 2:].float().mean() < 0.6


def test_scheduled_sampling_follows_the_steps_and_clips():
    x, model = videos(4), MODELS["conv"]()
    asked = []
    opt = torch.optim.SGD(model.parameters(), lr=1.0)
    start = [w.detach().clone() for w in model.parameters()]
    trainer = VideoTrainer(
        model, opt, teacher=lambda t: asked.append(t) or 1.0, max_norm=0.1
    )
    norm = trainer.step(x)["norm"]
    change = [(a - b).flatten() for a, b in zip(start, model.parameters(), strict=True)]
    assert norm > 0.1
    assert torch.cat(change).norm().item() == pytest.approx(0.1, rel=1e-3)
    trainer.step(x)
    assert asked == [0, 1]


def test_resumed_equals_uninterrupted(tmp_path):
    x = videos(4)
    plan = {"teacher": lambda step: max(0.0, 1 - step / 4)}

    def start():
        torch.manual_seed(2)
        model = MODELS["conv"]()
        opt = torch.optim.Adam(model.parameters(), lr=1e-2)
        return model, VideoTrainer(model, opt, **plan)

    model, trainer = start()
    fit(trainer, [(x,)], steps=6, progress=False)
    again, trainer = start()
    file = tmp_path / "video.pt"
    fit(trainer, [(x,)], steps=3, checkpoint=file, progress=False)
    again, trainer = start()
    fit(trainer, [(x,)], steps=6, checkpoint=file, resume=True, progress=False)
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


# Errors.

NET = ConvLSTM(SHAPE, hidden=2, kernel_size=1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ConvLSTMCell(0, 2), "1 or more"),
        (lambda: ConvLSTMCell(1, 2, 4), "odd"),
        (lambda: ConvLSTMCell(1, 2)(torch.rand(1, 2, 4, 4)), "one step"),
        (lambda: ConvLSTMCell(1, 2)(torch.rand(1, 4, 4)), "one step"),
        (
            lambda: ConvLSTMCell(1, 2)(
                torch.rand(3, 1, 4, 4), (torch.zeros(2, 2, 4, 4),) * 2
            ),
            "Start each batch",
        ),
        (
            lambda: ConvLSTMCell(1, 2)(
                torch.rand(3, 1, 4, 4), (torch.zeros(3, 2, 8, 8),) * 2
            ),
            "Start each batch",
        ),
        (lambda: VideoPredictor((1, 0, 8), 4), "1 or more"),
        (lambda: VideoPredictor((8, 8), 4), "channels, height, width"),
        (lambda: ConvLSTM((1, 30, 32)), "multiples of 4"),
        (lambda: ConvLSTM(patch=0), "patch is 0"),
        (lambda: ConvLSTM(reach=-1), "reach -1"),
        (lambda: LatentLSTM((1, 28, 28)), "multiples of 8"),
        (lambda: LatentLSTM(latent=0), "latent is 0"),
        (lambda: NET(torch.rand(2, 0, *SHAPE)), "T of 2 or more"),
        (lambda: NET(torch.rand(2, 1, *SHAPE)), "T of 2 or more"),
        (lambda: NET(torch.rand(2, 3, 1, 16, 20)), "takes"),
        (lambda: NET(torch.rand(2, 16, 16)), "takes"),
        (
            lambda: NET(torch.rand(2, 3, *SHAPE), torch.ones(2, 3).bool()),
            "true has shape",
        ),
        (
            lambda: NET(torch.rand(2, 3, *SHAPE), torch.zeros(2, 2).bool()),
            "first frame",
        ),
        (lambda: NET.roll_out(torch.rand(2, 3, *SHAPE), 0), "horizon is 0"),
        (lambda: NET.roll_out(torch.rand(2, 0, *SHAPE), 1), "T of 1 or more"),
        (lambda: moved(torch.rand(1, 1, 8, 8), torch.rand(1, 8, 2, 2)), "give"),
        (lambda: moved(torch.rand(1, 1, 8, 8), torch.rand(1, 4, 2, 2)), "give"),
        (lambda: moved(torch.rand(1, 1, 8, 8), torch.rand(2, 9, 2, 2)), "give"),
        (lambda: moved(torch.rand(1, 1, 8, 8), torch.rand(1, 9, 2, 3)), "give"),
        (lambda: frame_error(torch.rand(1, 2, 1, 4, 4), torch.rand(1, 1)), "one shape"),
        (lambda: frame_error(*torch.rand(2, 1, 0, 1, 4, 4)), "one frame"),
        (lambda: error_by_horizon(*torch.rand(2, 0, 2, 1, 4, 4)), "one video"),
        (lambda: ssim(*torch.rand(2, 1, 2, 1, 6, 9)), "smaller than the window"),
        (lambda: ssim(torch.rand(1, 2, 1, 8, 8), torch.rand(1, 3, 1, 8, 8)), "shape"),
        (lambda: persistence(torch.rand(1, 0, *SHAPE), 2), "one frame"),
        (lambda: persistence(torch.rand(1, 2, *SHAPE), 0), "horizon is 0"),
        (lambda: constant(torch.rand(16, 16), 2), "give"),
        (lambda: VideoTrainer(NET, None, given=0), "given is 0"),
        (lambda: VideoTrainer(NET, None, max_norm=math.nan), "max_norm"),
        (
            lambda: VideoTrainer(NET, None, teacher=1.5).step(torch.rand(1, 2, *SHAPE)),
            "keep to 0..1",
        ),
        (lambda: VideoTrainer(NET, None).step(torch.rand(1, 1, *SHAPE)), "T of 2"),
    ],
)
def test_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_predictor_without_a_step_says_so():
    with pytest.raises(NotImplementedError, match="has no step"):
        VideoPredictor(SHAPE, 4)(torch.rand(1, 2, *SHAPE))
