"""Hidden cases of the chapter on memory; results worked out by hand."""

import math

import torch

CASES = {
    "cell_weights": [
        ((1, 3, 4), 4 * 3 + 4 * 4 + 4 + 4),
        ((3, 1, 1), 12),
        ((4, 28, 128), 512 * 28 + 512 * 128 + 512 + 512),
    ],
    "lstm_step": [
        # All gates half open, nothing to write: half of c stays.
        (
            (torch.zeros(1, 4), torch.tensor([[2.0]])),
            torch.tensor([[math.tanh(1.0) / 2, 1.0]]),
        ),
        # Input gate open, forget gate shut, candidate 1, output gate open.
        (
            (torch.tensor([[50.0, -50.0, 50.0, 50.0]]), torch.tensor([[7.0]])),
            torch.tensor([[math.tanh(1.0), 1.0]]),
        ),
        # Forget gate open, input gate shut, output gate shut; two units.
        (
            (
                torch.tensor([[-50.0, -50.0, 50.0, 50.0, 1.0, 2.0, -50.0, -50.0]]),
                torch.tensor([[3.0, -4.0]]),
            ),
            torch.tensor([[0.0, 0.0, 3.0, -4.0]]),
        ),
    ],
    "clip_length": [
        ((torch.tensor([3.0, 4.0]), 1.0), torch.tensor([0.6, 0.8])),
        ((torch.tensor([3.0, -4.0]), 6.0), torch.tensor([3.0, -4.0])),
        ((torch.zeros(3), 1.0), torch.zeros(3)),
    ],
    "needed_bias": [
        ((1, 0.5), 0.0),
        ((2, 0.25), 0.0),
        ((10, 0.5), -math.log(2**0.1 - 1)),
        ((1, 0.1), -math.log(9.0)),
    ],
}
