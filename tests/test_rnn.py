"""Recurrent cells, the row classifier and its trainer: torch's, gradients, errors."""

import math

import pytest
import torch
from torch import nn

from companion.losses import cross_entropy
from companion.losses.rnn import nll_through_time
from companion.models.rnn import (
    GRUCell,
    LSTMCell,
    RNNCell,
    RowClassifier,
    set_forget_bias,
    spread_memories,
    unroll,
)
from companion.trainers import fit
from companion.trainers.rnn import RowTrainer

CELLS = {RNNCell: nn.RNNCell, GRUCell: nn.GRUCell, LSTMCell: nn.LSTMCell}
LAYERS = {RNNCell: nn.RNN, GRUCell: nn.GRU, LSTMCell: nn.LSTM}


def hidden(state):
    return state[0] if isinstance(state, tuple) else state


# Cells.


@pytest.mark.parametrize("ours", CELLS)
def test_cell_and_its_gradients_equal_torchs(ours):
    cell, theirs = ours(3, 5).double(), CELLS[ours](3, 5).double()
    cell.load_state_dict(theirs.state_dict())
    x = torch.randn(4, 3, dtype=torch.float64)
    h, c = torch.randn(2, 4, 5, dtype=torch.float64)
    state = (h, c) if ours is LSTMCell else h
    weight = torch.randn(4, 5, dtype=torch.float64)
    for a, b in zip(cell.parameters(), theirs.parameters(), strict=True):
        for network in (cell, theirs):
            network.zero_grad()
            (weight * hidden(network(x, state))).sum().backward()
        torch.testing.assert_close(a.grad, b.grad)
    torch.testing.assert_close(cell(x, state), theirs(x, state))
    torch.testing.assert_close(cell(x), theirs(x))  # without a state: zeros


@pytest.mark.parametrize("ours", CELLS)
def test_same_seed_gives_the_weights_of_torchs_cell(ours):
    torch.manual_seed(3)
    cell = ours(3, 5)
    torch.manual_seed(3)
    for a, b in zip(cell.parameters(), CELLS[ours](3, 5).parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("ours", CELLS)
@pytest.mark.parametrize("steps", [1, 7])
def test_unrolled_cell_equals_torchs_layer(ours, steps):
    cell, layer = ours(3, 5), LAYERS[ours](3, 5, batch_first=True)
    for name, w in cell.named_parameters():
        w.data = getattr(layer, f"{name}_l0").data
    x = torch.randn(4, steps, 3)
    states = unroll(cell, x)
    torch.testing.assert_close(torch.stack(list(map(hidden, states)), 1), layer(x)[0])
    # In two parts, handing on the state, it is the same.
    if steps > 1:
        rest = unroll(cell, x[:, 3:], states[2])
        torch.testing.assert_close(hidden(rest[-1]), hidden(states[-1]))


@pytest.mark.parametrize("ours", CELLS)
def test_gradient_through_time_by_finite_differences(ours):
    cell = ours(2, 3).double()
    x = torch.randn(2, 5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: hidden(unroll(cell, x)[-1]), x)


def test_an_open_forget_gate_and_a_closed_input_gate_keep_the_cell_state():
    cell = LSTMCell(2, 4)
    with torch.no_grad():
        cell.bias_ih[:4] = -50.0  # input gate shut
    set_forget_bias(cell, 50.0)  # forget gate open
    c = torch.randn(3, 4)
    state = unroll(cell, torch.randn(3, 60, 2), (torch.zeros(3, 4), c))[-1]
    torch.testing.assert_close(state[1], c)


@pytest.mark.parametrize(
    "lstm", [LSTMCell(2, 3), nn.LSTMCell(2, 3), nn.LSTM(2, 3, 2)], ids=lambda m: str(m)
)
def test_forget_bias_changes_the_forget_gates_only(lstm):
    before = {name: w.clone() for name, w in lstm.named_parameters()}
    set_forget_bias(lstm, 1.5)
    for name, w in lstm.named_parameters():
        if name.startswith("bias"):
            wanted = 1.5 if name.startswith("bias_ih") else 0.0
            assert (w[3:6] == wanted).all()
            w, before[name] = (torch.cat([b[:3], b[6:]]) for b in (w, before[name]))
        assert torch.equal(w, before[name])


def test_spread_memories_keep_between_a_half_and_1_over_e_for_t_steps():
    lstm = nn.LSTM(1, 50)
    spread_memories(lstm, 300)
    t = lstm.bias_ih_l0.detach()[50:100].exp()  # i, f, g, o
    assert 1 <= t.min() < 30 and 270 < t.max() <= 300
    nn.init.zeros_(lstm.weight_ih_l0)
    nn.init.zeros_(lstm.weight_hh_l0)
    state = torch.zeros(1, 1, 50), torch.ones(1, 1, 50)
    _, (_, c) = lstm(torch.zeros(7, 1, 1), state)  # nothing enters: tanh(0) = 0
    torch.testing.assert_close(c[0, 0], (t / (t + 1)) ** 7)
    left = (t / (t + 1)) ** t
    assert (left > math.exp(-1)).all() and (left <= 0.5).all()


def test_spread_memories_take_in_as_much_as_is_forgotten():
    lstm = nn.LSTM(2, 6)
    spread_memories(lstm, 40)
    enters, keeps = (lstm.bias_ih_l0 + lstm.bias_hh_l0)[:12].sigmoid().split(6)
    torch.testing.assert_close(enters + keeps, torch.ones(6))
    for gate in lstm.weight_hh_l0.split(6):
        torch.testing.assert_close(gate @ gate.T, torch.eye(6))


# The row classifier.


@pytest.mark.parametrize("rnn", LAYERS.values())
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 5, 4), (2, 1, 6)])
def test_row_classifier_shapes(rnn, shape):
    model = RowClassifier(shape[0] * shape[2], hidden=6, layers=2, rnn=rnn)
    x = torch.rand(4, *shape)
    assert model(x).shape == (4, 10)
    assert model.each_row(x).shape == (4, shape[1], 10)
    torch.testing.assert_close(model.each_row(x)[:, -1], model(x))


def test_row_classifier_reads_rows_from_the_top():
    model, x = RowClassifier(6, hidden=5), torch.rand(2, 3, 7, 2)
    other = x.clone()
    other[:, :, 4] += 1
    same = (model.each_row(x) == model.each_row(other)).all(dim=2).all(dim=0)
    assert same.tolist() == [True] * 4 + [False] * 3
    # One step by hand: the row's channels and pixels are the cell's input.
    cell = nn.LSTMCell(6, 5)
    for name, w in cell.named_parameters():
        w.data = getattr(model.rnn, f"{name}_l0").data
    h, _ = cell(x[:, :, 0].flatten(1))
    torch.testing.assert_close(model.each_row(x)[:, 0], model.output(h))


def test_nll_through_time_is_the_cross_entropy_of_each_step():
    logits, y = torch.randn(4, 3, 5), torch.tensor([0, 4, 2, 2])
    nll = nll_through_time(logits, y)
    for t in range(3):
        torch.testing.assert_close(nll[:, t], cross_entropy(logits[:, t], y))


# The trainer.


def batch_and_model(rnn=nn.LSTM):
    x, y = torch.rand(8, 1, 6, 5), torch.arange(8)
    return x, y, RowClassifier(5, hidden=24, num_classes=8, rnn=rnn)


@pytest.mark.parametrize("rnn", LAYERS.values())
def test_over_fits_eight_images(rnn):
    x, y, model = batch_and_model(rnn)
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    trainer = RowTrainer(model, opt, max_norm=1.0)
    history = fit(trainer, [(x, y)], steps=250, progress=False)
    assert history["accuracy"][-1] == 1.0
    assert history["loss"][-1] < 0.1


@pytest.mark.parametrize("max_norm", [0.01, math.inf])
def test_step_clips_the_gradient_and_reports_its_length(max_norm):
    x, y, model = batch_and_model()
    start = [w.detach().clone() for w in model.parameters()]
    loss = (
        cross_entropy(model(x), y).mean()
        + 0.5
        * torch.stack(
            [cross_entropy(model.each_row(x)[:, t], y).mean() for t in range(6)]
        ).mean()
    )
    gradient = torch.autograd.grad(loss, list(model.parameters()))
    length = torch.cat([g.flatten() for g in gradient]).norm()
    opt = torch.optim.SGD(model.parameters(), lr=1.0)
    terms = RowTrainer(model, opt, max_norm=max_norm, early=0.5).step(x, y)
    torch.testing.assert_close(terms["loss"], loss)
    torch.testing.assert_close(terms["norm"], length)
    factor = min(1.0, max_norm / length.item())
    for w, before, g in zip(model.parameters(), start, gradient, strict=True):
        torch.testing.assert_close(before - w, factor * g, rtol=1e-3, atol=1e-6)


def test_trainer_follows_its_schedule_and_trains_in_training_mode():
    x, y, model = batch_and_model()
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.StepLR(opt, 10, gamma=0.5)
    model.eval()
    fit(RowTrainer(model, opt, schedule=schedule), [(x, y)], steps=30, progress=False)
    assert model.training and opt.param_groups[0]["lr"] == pytest.approx(1e-2 / 8)


# Errors.


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: RNNCell(0, 3), ValueError, "1 or more"),
        (lambda: GRUCell(2, 3)(torch.zeros(4, 5)), ValueError, "one step"),
        (lambda: GRUCell(2, 3)(torch.zeros(2)), ValueError, "one step"),
        (
            lambda: RNNCell(2, 3)(torch.zeros(4, 2), torch.zeros(5, 3)),
            ValueError,
            "batch of 4",
        ),
        (
            lambda: GRUCell(2, 3)(torch.zeros(4, 2), torch.zeros(4, 2)),
            ValueError,
            "batch of 4",
        ),
        (
            lambda: LSTMCell(2, 3)(
                torch.zeros(4, 2), (torch.zeros(4, 3), torch.zeros(1, 3))
            ),
            ValueError,
            "batch of 4",
        ),
        (
            lambda: RNNCell(2, 3)(torch.zeros(4, 2), torch.zeros(4, 3, device="meta")),
            ValueError,
            "lies on meta",
        ),
        (lambda: unroll(RNNCell(2, 3), torch.zeros(4, 0, 2)), ValueError, "one step"),
        (lambda: unroll(RNNCell(2, 3), torch.zeros(4, 2)), ValueError, "sequences"),
        (lambda: set_forget_bias(nn.GRU(2, 3), 1.0), TypeError, "no forget gate"),
        (lambda: spread_memories(nn.GRU(2, 3), 9), TypeError, "no nn.LSTM"),
        (lambda: spread_memories(nn.LSTM(2, 3, 2), 9), ValueError, "give one layer"),
        (lambda: spread_memories(nn.LSTM(2, 3), 0), ValueError, "longest is 0"),
        (
            lambda: spread_memories(nn.LSTM(2, 3, bidirectional=True), 9),
            ValueError,
            "reads one way",
        ),
        (
            lambda: spread_memories(nn.LSTM(2, 3, bias=False), 9),
            ValueError,
            "with biases",
        ),
        (
            lambda: set_forget_bias(nn.LSTM(2, 3, bias=False), 1.0),
            ValueError,
            "no biases",
        ),
        (lambda: RowClassifier(hidden=0), ValueError, "1 or more"),
        (lambda: RowClassifier(layers=0), ValueError, "1 or more"),
        (lambda: RowClassifier(num_classes=1), ValueError, "at least 2"),
        (lambda: RowClassifier()(torch.zeros(2, 1, 0, 28)), ValueError, "one row"),
        (lambda: RowClassifier()(torch.zeros(2, 1, 28, 27)), ValueError, "C W = 28"),
        (lambda: RowClassifier()(torch.zeros(2, 28, 28)), ValueError, "C W = 28"),
        (
            lambda: nll_through_time(torch.zeros(2, 0, 3), torch.tensor([0, 1])),
            ValueError,
            "one step",
        ),
        (
            lambda: nll_through_time(torch.zeros(2, 4, 3), torch.tensor([0])),
            ValueError,
            "one step",
        ),
        (
            lambda: nll_through_time(torch.zeros(2, 4, 3), torch.zeros(2)),
            TypeError,
            "long",
        ),
        (lambda: RowTrainer(RowClassifier(), None, max_norm=0), ValueError, "max_norm"),
        (lambda: RowTrainer(RowClassifier(), None, early=-1), ValueError, "early"),
        (
            lambda: RowTrainer(RowClassifier(), None, max_norm=math.nan),
            ValueError,
            "max_norm",
        ),
    ],
)
def test_refuses(call, error, words):
    with pytest.raises(error, match=words):
        call()
