"""Hidden cases for the exercises of the chapter on data."""

import torch

CASES = {
    "by_group": [
        (([1, 0], ["a", "b"]), torch.tensor([0.5, 0.5])),
        (([1, 1, 0, 0, 1], "aabbb"), torch.tensor([2 / 3, 1 / 3])),
        (([0, 1, 1, 1, 1, 1], "abcccc"), torch.tensor([2 / 3, 1 / 3])),
        (([0.5, 0.5, 0.5], "xyz"), torch.tensor([0.5, 0.0])),
        (([3, 1, 2], "bab"), torch.tensor([1.75, 0.75])),
    ],
    "in_training": [
        ((["a", "b", "a", "c"], 0.5), [True, False, True, False]),
        ((["a", "b", "c", "b"], 0.5), [True, True, False, True]),
        ((["x", "x", "x", "y"], 0.25), [True, True, True, False]),
        ((["a", "b"], 1.0), [True, True]),
        ((["a", "b"], 0.0), [False, False]),
    ],
}
