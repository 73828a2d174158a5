"""Hidden cases of the chapter on drawing; results worked out by hand."""

import math

import torch

CASES = {
    "chain_nll": [
        ((torch.tensor([[0.0, 0.0, 0.0]]), 0.5), torch.tensor([3 * math.log(2)])),
        (
            (torch.tensor([[1.0, 1.0, 1.0], [0.0, 1.0, 0.0]]), 0.9),
            torch.tensor([-math.log(0.5 * 0.81), -math.log(0.5 * 0.01)]),
        ),
        (
            (torch.tensor([[1.0, 0.0, 0.0, 0.0]]), 0.75),
            torch.tensor([-math.log(0.5 * 0.25 * 0.75 * 0.75)]),
        ),
    ],
    "causal_kernel": [
        ((1, False), torch.tensor([[0.0]])),
        ((1, True), torch.tensor([[1.0]])),
        ((3, False), torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]])),
        (
            (5, True),
            torch.tensor(
                [[1.0] * 5, [1.0] * 5, [1.0, 1, 1, 0, 0], [0.0] * 5, [0.0] * 5]
            ),
        ),
    ],
    "warmed": [
        ((0.5, 3.0), 0.5),
        ((0.8, 1.0), 0.8),
        ((0.8, 0.5), 16 / 17),  # odds 4, squared
        ((0.9, 2.0), 0.75),  # odds 9, their root is 3
    ],
    "look_up": [
        # Equal keys: the mean of the values.
        (
            (torch.ones(1, 2), torch.ones(2, 2), torch.tensor([[1.0], [3.0]])),
            torch.tensor([[2.0]]),
        ),
        # d = 4, scores 2 log 3 and 0, halved by the root: weights 3/4 and 1/4.
        (
            (
                torch.tensor([[2 * math.log(3.0), 0.0, 0.0, 0.0]]),
                torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]),
                torch.tensor([[4.0, 0.0], [0.0, 8.0]]),
            ),
            torch.tensor([[3.0, 2.0]]),
        ),
        # So far apart that the exponentials overflow if nothing is subtracted.
        (
            (
                torch.tensor([[1000.0], [-1000.0]]),
                torch.tensor([[1.0], [-1.0]]),
                torch.tensor([[5.0], [7.0]]),
            ),
            torch.tensor([[5.0], [7.0]]),
        ),
    ],
}
