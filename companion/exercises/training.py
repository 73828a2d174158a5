"""Hidden cases of the chapter on training a classifier; results worked out by hand."""

import math

import torch

CASES = {
    "warmup_cosine": [
        ((0, 10, 100, 0.5), 0.0),
        ((5, 10, 100, 0.5), 0.25),
        ((10, 10, 100, 0.5), 0.5),
        ((55, 10, 100, 0.5), 0.25),
        ((40, 10, 100, 0.4), 0.3),  # a third of the way: cos 60 degrees = 1/2
        ((100, 10, 100, 0.5), 0.0),
        ((0, 0, 4, 1.0), 1.0),
        ((1, 0, 4, 1.0), 0.5 + 0.25 * math.sqrt(2)),
    ],
    "nesterov": [
        # One step from v = 0: w - lr * (1 + mu) * g.
        (
            (torch.tensor([1.0, 2.0]), torch.tensor([[1.0, -1.0]]), 0.1, 0.5),
            torch.tensor([0.85, 2.15]),
        ),
        # v = 1, then 1.5: steps of 1.5 and 1.75.
        (
            (torch.tensor([0.0]), torch.tensor([[1.0], [1.0]]), 1.0, 0.5),
            torch.tensor([-3.25]),
        ),
        # Without momentum: plain SGD.
        (
            (torch.tensor([0.0]), torch.tensor([[1.0], [2.0], [3.0]]), 0.5, 0.0),
            torch.tensor([-3.0]),
        ),
    ],
    "running_mean": [
        (([], 0.1), 0.0),
        (([3.0, 8.0], 1.0), 8.0),
        (([4.0, 2.0], 0.5), 2.0),
        # Ten equal batches: all but 0.9 to the tenth of the mean.
        (([1.0] * 10, 0.1), 1 - 0.9**10),
    ],
}
