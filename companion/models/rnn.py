"""Recurrent cells written from their equations, and a network that reads rows."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

State = Tensor | tuple[Tensor, Tensor]


class Cell(nn.Module):
    """What the three cells share: weights, biases, a first state, and checks.

    Names, layout and first values of the weights are those of torch's cells, so that
    `load_state_dict` takes over the weights of one by the other. There are
    `num_blocks` blocks of `hidden_size` rows, one for each gate or candidate.

    Raises: ValueError for sizes below 1.
    """

    num_blocks: int

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        if min(input_size, hidden_size) < 1:
            raise ValueError(
                f"input_size is {input_size} and hidden_size {hidden_size}; "
                "both are 1 or more."
            )
        self.input_size, self.hidden_size = input_size, hidden_size
        rows = self.num_blocks * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.bias_hh = nn.Parameter(torch.empty(rows))
        for w in self.parameters():
            nn.init.uniform_(w, -(hidden_size**-0.5), hidden_size**-0.5)

    def from_input(self, x: Tensor) -> Tensor:
        """W x + b, all blocks: (B, num_blocks hidden_size)."""
        return F.linear(x, self.weight_ih, self.bias_ih)

    def from_state(self, h: Tensor) -> Tensor:
        """U h + b', all blocks: (B, num_blocks hidden_size)."""
        return F.linear(h, self.weight_hh, self.bias_hh)

    def first(self, x: Tensor) -> Tensor:
        """A state of zeros for a batch of inputs, where the inputs live.

        Shapes: x (B, input_size) -> (B, hidden_size).
        Raises: ValueError if x has another shape.
        """
        if x.dim() != 2 or x.shape[1] != self.input_size:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; this cell takes one step of a "
                f"sequence, (B, {self.input_size})."
            )
        return x.new_zeros(len(x), self.hidden_size)

    def checked(self, x: Tensor, h: Tensor) -> Tensor:
        """h, if it can be the state that goes with the input x.

        Raises: ValueError for another shape or device.
        """
        wanted = self.first(x)
        if h.shape != wanted.shape:
            raise ValueError(
                f"The state has shape {tuple(h.shape)}; a batch of {len(x)} needs "
                f"{tuple(wanted.shape)}. Start each batch with a new state."
            )
        if h.device != x.device:
            raise ValueError(
                f"The state lies on {h.device}, the input on {x.device}; make it by "
                "x.new_zeros(...), or give none."
            )
        return h


class RNNCell(Cell):
    """The plain recurrent cell: h' = tanh(W x + b + U h + b').

    Shapes: x (B, input_size), h (B, hidden_size) -> (B, hidden_size). Without h the
        state is zero.
    Raises: ValueError for other shapes or a state on another device.
    Source: Elman (1990).
    """

    num_blocks = 1

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        h = self.first(x) if h is None else self.checked(x, h)
        return (self.from_input(x) + self.from_state(h)).tanh()


class LSTMCell(Cell):
    """Long short-term memory: a cell state behind an input, forget and output gate.

    Shapes: x (B, input_size), state (h, c), each (B, hidden_size) -> (h', c').
        Without a state both are zero.
    Raises: ValueError for other shapes or a state on another device.
    Source: Hochreiter and Schmidhuber (1997); the forget gate: Gers et al. (2000).
    """

    num_blocks = 4

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        h, c = (self.first(x), self.first(x)) if state is None else state
        h, c = self.checked(x, h), self.checked(x, c)
        i, f, g, o = (self.from_input(x) + self.from_state(h)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class GRUCell(Cell):
    """The gated recurrent unit: a reset and an update gate, no cell state.

    Shapes: x (B, input_size), h (B, hidden_size) -> (B, hidden_size). Without h the
        state is zero.
    Raises: ValueError for other shapes or a state on another device.
    Source: Cho et al. (2014).
    Differs: as in torch, r multiplies U h + b', where the paper has U (r * h).
    """

    num_blocks = 3

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        h = self.first(x) if h is None else self.checked(x, h)
        r_x, z_x, n_x = self.from_input(x).chunk(3, dim=1)
        r_h, z_h, n_h = self.from_state(h).chunk(3, dim=1)
        r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
        n = (n_x + r * n_h).tanh()
        return (1 - z) * n + z * h


def unroll(cell: nn.Module, x: Tensor, state: State | None = None) -> list[State]:
    """The states of a cell after each step of a sequence.

    Shapes: x (B, T, input_size) -> T states, each as the cell returns it.
    Raises: ValueError if x is no batch of sequences of one step or more; as the cell.
    """
    if x.dim() != 3 or x.shape[1] == 0:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; give sequences (B, T, input_size) of "
            "one step or more."
        )
    states = []
    for x_t in x.unbind(dim=1):
        state = cell(x_t, state)
        states.append(state)
    return states


@torch.no_grad()
def set_forget_bias(lstm: nn.Module, value: float) -> None:
    """Give every forget gate of an LSTM, in all layers, the bias `value`.

    torch adds two biases; the first takes the value, the second becomes zero.

    Raises: TypeError if the module is no LSTM or LSTM cell; ValueError if it has no
        biases.
    Source: Gers et al. (2000), section 4; Jozefowicz et al. (2015).
    """
    if not isinstance(lstm, nn.LSTM | nn.LSTMCell | LSTMCell):
        raise TypeError(
            f"{type(lstm).__name__} has no forget gate; give an LSTM or LSTMCell."
        )
    if not any(name.startswith("bias") for name, _ in lstm.named_parameters()):
        raise ValueError("The LSTM has no biases; make it with bias=True.")
    forget = slice(lstm.hidden_size, 2 * lstm.hidden_size)  # i, f, g, o
    for name, bias in lstm.named_parameters():
        if name.startswith("bias_ih"):
            bias[forget] = value
        elif name.startswith("bias_hh"):
            bias[forget] = 0.0


@torch.no_grad()
def spread_memories(lstm: nn.LSTM, longest: int) -> None:
    """Initial weights with which the units remember for 1 to `longest` steps.

    A forget gate with the bias log t keeps t / (t + 1) of its cell at each step; t is
    drawn uniformly. The input gate gets the negative bias, so that it takes in only as
    much as is forgotten. Recurrent weights are orthogonal; those of the input are
    N(0, 1), for inputs of few numbers.

    Raises: TypeError if the module is no nn.LSTM; ValueError if it has more than one
        layer, reads both ways or has no biases, or longest is below 1.
    Source: Tallec and Ollivier (2018), section 2.
    """
    if not isinstance(lstm, nn.LSTM):
        raise TypeError(f"{type(lstm).__name__} is no nn.LSTM; give one.")
    if lstm.num_layers != 1 or lstm.bidirectional or not lstm.bias or longest < 1:
        raise ValueError(
            f"The network is {lstm} and longest is {longest}; give one layer with "
            "biases that reads one way, and 1 step or more."
        )
    n = lstm.hidden_size
    log_t = torch.empty(n).uniform_(1, longest).log()
    nn.init.zeros_(lstm.bias_hh_l0)
    nn.init.zeros_(lstm.bias_ih_l0)
    lstm.bias_ih_l0[:n], lstm.bias_ih_l0[n : 2 * n] = -log_t, log_t  # i, f, g, o
    nn.init.normal_(lstm.weight_ih_l0)
    for gate in lstm.weight_hh_l0.split(n):
        nn.init.orthogonal_(gate)


class RowClassifier(nn.Module):
    """Reads an image from top to bottom, a row a step, and names its class.

    `rnn` is nn.LSTM, nn.GRU or nn.RNN, torch's fast layers. A linear layer turns the
    last layer's state into logits; the same one may be asked after any row.

    Shapes: x (B, C, H, W) with C W = input_size and any H -> (B, num_classes).
    Raises: ValueError for sizes below 1, or fewer than 2 classes.
    """

    def __init__(
        self,
        input_size: int = 28,
        hidden: int = 128,
        layers: int = 1,
        num_classes: int = 10,
        rnn: type[nn.RNNBase] = nn.LSTM,
    ):
        super().__init__()
        if min(input_size, hidden, layers) < 1 or num_classes < 2:
            raise ValueError(
                f"input_size {input_size}, hidden {hidden} and layers {layers} must be "
                f"1 or more, num_classes {num_classes} at least 2."
            )
        self.input_size = input_size
        self.rnn = rnn(input_size, hidden, layers)
        self.output = nn.Linear(hidden, num_classes)

    def states(self, x: Tensor) -> Tensor:
        """The last layer's state after each row, (H, B, hidden).

        Raises: ValueError if x is no batch of images with rows of `input_size`
            values, one row or more.
        """
        fits = x.dim() == 4 and x.shape[1] * x.shape[3] == self.input_size
        if not fits or x.shape[2] == 0:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; this network takes (B, C, H, W) with "
                f"C W = {self.input_size} and one row or more."
            )
        rows = x.permute(2, 0, 1, 3).flatten(2)  # (H, B, C W): torch's order
        return self.rnn(rows.contiguous())[0]

    def each_row(self, x: Tensor) -> Tensor:
        """Logits after each row, (B, H, num_classes)."""
        return self.output(self.states(x)).transpose(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.states(x)[-1])
