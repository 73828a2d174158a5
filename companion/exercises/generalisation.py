"""Hidden cases of the chapter on generalisation; results worked out by hand."""

import math

import torch

CASES = {
    "macro_f1": [
        ((torch.tensor([[3, 0], [0, 5]]),), 1.0),
        # Class 0: 2 * 2 / (4 + 3) = 4/7; class 1: 2 * 3 / (4 + 5) = 2/3.
        ((torch.tensor([[2, 2], [1, 3]]),), (4 / 7 + 2 / 3) / 2),
        # Always the first of two classes.
        ((torch.tensor([[6, 0], [4, 0]]),), 0.375),
        # The last class is neither there nor predicted.
        ((torch.tensor([[1, 1, 0], [0, 2, 0], [0, 0, 0]]),), (2 / 3 + 4 / 5) / 2),
    ],
    "stop_at": [
        (([3.0, 2.0, 1.0], 2), 2),
        (([3.0, 2.0, 2.5, 2.4, 1.0], 2), 1),
        (([3.0, 2.0, 2.5, 2.4, 1.0], 3), 4),
        (([1.0, 1.0, 1.0], 5), 0),
        (([1.0, 2.0, 0.5], 1), 0),
    ],
    "paired_error": [
        # Each picture its own base: differences 1, 0, 0, 0 with variance 1/4.
        (
            (
                torch.tensor([1.0, 1.0, 0.0, 0.0]),
                torch.tensor([0.0, 1.0, 0.0, 0.0]),
                torch.tensor([0, 1, 2, 3]),
            ),
            0.25,
        ),
        # Bases of three pictures and of one: means 2/3 and -1 of the differences.
        (
            (
                torch.tensor([1.0, 1.0, 0.0, 0.0]),
                torch.tensor([0.0, 0.0, 0.0, 1.0]),
                torch.tensor([0, 0, 0, 1]),
            ),
            5 / 6,
        ),
        # The same hits: no difference, whatever the bases; the order is mixed.
        (
            (
                torch.tensor([1.0, 0.0, 1.0]),
                torch.tensor([1.0, 0.0, 1.0]),
                torch.tensor([1, 0, 1]),
            ),
            0.0,
        ),
        # Means 1, 0 and -1/2: deviation sqrt(7/12), over the root of three.
        (
            (
                torch.tensor([0.0, 1.0, 0.0, 1.0]),
                torch.tensor([1.0, 0.0, 0.0, 1.0]),
                torch.tensor([2, 0, 2, 1]),
            ),
            math.sqrt(7 / 36),
        ),
    ],
    "calibration_error": [
        # One bin: mean probability 0.75, accuracy 0.5.
        (
            (
                torch.tensor([0.6, 0.9]),
                torch.tensor([0.0, 1.0]),
                torch.tensor([0.0, 1.0]),
            ),
            0.25,
        ),
        # Two bins: |0.6 - 0| and |0.9 - 1|, each half of the answers.
        (
            (
                torch.tensor([0.6, 0.9]),
                torch.tensor([0.0, 1.0]),
                torch.tensor([0.0, 0.7, 1.0]),
            ),
            0.35,
        ),
        # 0.5 belongs to the upper bin, 1 to the last; the lowest bin is empty.
        (
            (
                torch.tensor([0.5, 1.0, 0.6]),
                torch.tensor([1.0, 0.0, 1.0]),
                torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]),
            ),
            (0.9 + 1.0) / 3,
        ),
    ],
}
