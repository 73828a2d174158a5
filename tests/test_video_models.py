"""Networks for video: the ConvLSTM cell, shifts and predictors, against oracles."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.models.video import (
    ConvLSTM,
    ConvLSTMCell,
    LatentLSTM,
    VideoPredictor,
    moved,
)

SHAPE = (1, 16, 16)
MODELS = {
    "latent": lambda: LatentLSTM(SHAPE, latent=8, hidden=12, width=4),
    "conv": lambda: ConvLSTM(SHAPE, hidden=6, width=4),
    "moving": lambda: ConvLSTM(SHAPE, hidden=6, width=4, reach=2),
}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


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


def test_shifts_are_probabilities_of_the_last_step():
    model, x = MODELS["moving"](), torch.rand(2, *SHAPE)
    x_hat, state = model.step(x)
    pixels, p = model.say(state)
    assert p.shape == (2, 25, 4, 4)
    torch.testing.assert_close(p.sum(dim=1), torch.ones(2, 4, 4))
    by_hand = (pixels + model.gain * moved(x, p)).sigmoid()
    torch.testing.assert_close(x_hat, by_hand)


def test_color_and_odd_shapes():
    model = ConvLSTM((3, 8, 12), hidden=4, patch=2, reach=1)
    assert model.roll_out(torch.rand(2, 2, 3, 8, 12), 3).shape == (2, 3, 3, 8, 12)
    assert LatentLSTM((3, 8, 24))(torch.rand(1, 2, 3, 8, 24)).shape[1] == 1


# Errors.

NET = ConvLSTM(SHAPE, hidden=2, width=2)


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
        (lambda: ConvLSTM(width=0), "width 0"),
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
    ],
)
def test_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_predictor_without_a_step_says_so():
    with pytest.raises(NotImplementedError, match="has no step"):
        VideoPredictor(SHAPE, 4)(torch.rand(1, 2, *SHAPE))
