"""Hidden cases of the chapter on instability; results worked out by hand."""

import torch

CASES = {
    "heaps_of_earth": [
        ((torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])), 0.0),
        ((torch.tensor([0.0, 1.0, 3.0]), torch.tensor([5.0, 6.0, 8.0])), 5.0),
        # 0 to 1, 2 to 2 and 10 to 4: costs 1, 0 and 6.
        ((torch.tensor([10.0, 0.0, 2.0]), torch.tensor([4.0, 1.0, 2.0])), 7 / 3),
        ((torch.tensor([-1.5]), torch.tensor([1.0])), 2.5),
    ],
    "penalty_of": [
        # Lengths 5, 0 and 1.
        (
            (torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, -1.0]]).view(3, 1, 1, 2),),
            torch.tensor([16.0, 1.0, 0.0]),
        ),
        # Twelve slopes of 1/2: length root 3.
        ((torch.full((1, 3, 2, 2), 0.5),), torch.tensor([(3**0.5 - 1) ** 2])),
    ],
    "slowest_friction": [
        ((0.0,), 0.0),
        ((0.5,), -0.25),
        ((1.0,), -0.5),
        # Roots of mu^2 + 1.25 mu + 1/4: -1 and -1/4.
        ((1.25,), -0.25),
        # Roots of mu^2 + 2.6 mu + 1/4: -2.5 and -0.1.
        ((2.6,), -0.1),
    ],
    "stretch": [
        ((torch.tensor([[3.0, 0.0], [0.0, 1.0]]),), 3.0),
        ((torch.tensor([[0.0, 2.0], [0.5, 0.0]]),), 2.0),
        # Of rank one: the product of the lengths, 5 and 3.
        ((torch.outer(torch.tensor([3.0, 4.0]), torch.tensor([1.0, 2.0, 2.0])),), 15.0),
    ],
}
