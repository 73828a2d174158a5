"""Hidden cases of the chapter on conditional GANs; results worked out by hand."""

import math

import torch

LOG2 = math.log(2.0)

CASES = {
    "conditional_value": [
        # Equal: -log 4, whatever the shares.
        (
            (torch.eye(2), torch.eye(2), torch.tensor([0.3, 0.7])),
            -2 * LOG2,
        ),
        # Label 0 right, label 1 nothing in common.
        (
            (
                torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]),
                torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]),
                torch.tensor([0.75, 0.25]),
            ),
            -1.5 * LOG2,
        ),
        # D* = 1/3, 1: the value is 1/2 log 1/3 + 1/2 log 1 + log 2/3.
        (
            (
                torch.tensor([[0.5, 0.5]]),
                torch.tensor([[1.0, 0.0]]),
                torch.tensor([1.0]),
            ),
            0.5 * math.log(1 / 3) + math.log(2 / 3),
        ),
    ],
    "class_rows": [
        (
            (
                torch.tensor([1.0, 2.0]),
                torch.tensor([[0.0, 3.0, 5.0], [1.0, 0.0, -2.0]]),
            ),
            torch.tensor([[1.0, 3.0], [4.0, 2.0], [6.0, 0.0]]),
        ),
        ((torch.zeros(3), torch.eye(3)), torch.eye(3)),
    ],
}
