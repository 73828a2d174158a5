"""Hidden cases for the exercises of the chapter on data."""

import torch

_X = torch.arange(12.0).view(1, 3, 2, 2)

CASES = {
    "standardise": [
        ((_X, torch.zeros(3), torch.ones(3)), _X),
        (
            (_X, torch.tensor([0.0, 4.0, 8.0]), torch.tensor([1.0, 2.0, 4.0])),
            torch.tensor(
                [[[[0, 1], [2, 3]], [[0, 0.5], [1, 1.5]], [[0, 0.25], [0.5, 0.75]]]]
            ),
        ),
        (
            (torch.full((2, 1, 1, 1), 0.5), torch.tensor([0.1]), torch.tensor([0.2])),
            torch.full((2, 1, 1, 1), 2.0),
        ),
    ],
    "in_training": [
        ((["a", "b", "a", "c"], 0.5), [True, False, True, False]),
        ((["a", "b", "c", "b"], 0.5), [True, True, False, True]),
        ((["x", "x", "x", "y"], 0.25), [True, True, True, False]),
        ((["a", "b"], 1.0), [True, True]),
        ((["a", "b"], 0.0), [False, False]),
    ],
    "num_copies": [
        ((torch.eye(4).view(4, 1, 2, 2),), 0),
        ((torch.zeros(5, 1, 2, 2),), 4),
        ((torch.tensor([1.0, 2.0, 1.0, 2.0, 3.0]).view(5, 1, 1, 1),), 2),
    ],
}
