"""Hidden cases for the exercises of the chapter on what image generation is."""

import math

import torch

_HALF_PI = math.pi / 2
_F64 = torch.float64  # log-likelihoods near -5,000 need its digits

CASES = {
    "wave": [
        ((2, 0, 0, 0.0), torch.full((2, 2), 0.5)),
        ((2, 0, 1, _HALF_PI), torch.tensor([[1.0, 0.0], [1.0, 0.0]])),
        ((2, 1, 0, _HALF_PI), torch.tensor([[1.0, 1.0], [0.0, 0.0]])),
        (
            (4, 1, 1, 0.0),
            torch.tensor(
                [
                    [0.5, 1.0, 0.5, 0.0],
                    [1.0, 0.5, 0.0, 0.5],
                    [0.5, 0.0, 0.5, 1.0],
                    [0.0, 0.5, 1.0, 0.5],
                ]
            ),
        ),
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
    "class_posterior": [
        (
            (torch.zeros(1, 2).double(), torch.tensor([0.25, 0.75], dtype=_F64)),
            torch.tensor([[0.25, 0.75]], dtype=_F64),
        ),
        (
            (
                torch.tensor([[-5000.0, -5000.0]], dtype=_F64),
                torch.tensor([0.5, 0.5], dtype=_F64),
            ),
            torch.tensor([[0.5, 0.5]], dtype=_F64),
        ),
        (
            (
                torch.tensor(
                    [[-5000.0, -5000.0 + math.log(3)], [0.0, -200.0]], dtype=_F64
                ),
                torch.tensor([0.5, 0.5], dtype=_F64),
            ),
            torch.tensor([[0.25, 0.75], [1.0, 0.0]], dtype=_F64),
        ),
    ],
}
