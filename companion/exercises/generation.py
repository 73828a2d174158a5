"""Hidden cases for the exercises of the chapter on what image generation is."""

import math

import torch


def _wave(size: int, f: int, g: int, phase: float) -> torch.Tensor:
    """One wave, as in equation 1 of the chapter; (size, size)."""
    turn = (f * torch.arange(size)[:, None] + g * torch.arange(size)) / size
    return 0.5 + 0.5 * torch.sin(2 * math.pi * turn + phase)


CASES = {
    "find_wave": [
        ((_wave(8, 2, 3, 0.4),), torch.tensor([2, 3])),
        ((_wave(8, 0, 1, 1.9),), torch.tensor([0, 1])),
        ((_wave(10, 4, 0, -0.7),), torch.tensor([4, 0])),
        ((_wave(12, 5, 5, 0.0),), torch.tensor([5, 5])),
    ],
    "best_bell": [
        ((torch.tensor([1.0, 3.0]),), torch.tensor([2.0, 1.0])),
        ((torch.tensor([0.0, 0.0, 3.0]),), torch.tensor([1.0, math.sqrt(2)])),
        ((torch.tensor([-2.0, 2.0, -2.0, 2.0]),), torch.tensor([0.0, 2.0])),
    ],
    "kl_of_tables": [
        ((torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.5])), 0.0),
        ((torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])), math.log(2)),
        ((torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])), math.inf),
        ((torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0])), 0.0),
        (
            (torch.tensor([0.25, 0.75]), torch.tensor([0.75, 0.25])),
            0.5 * math.log(3),
        ),
    ],
}
