"""Hidden cases of the chapter on flow matching; results worked out by hand."""

import torch

MATRIX = torch.tensor([[2.0, 5.0], [-1.0, 3.0]])

CASES = {
    "normal_velocity": [
        # All noise: eps - m for x_t = eps.
        ((torch.tensor([0.5, -1.0]), 1.0, 2.0, 0.7), torch.tensor([-1.5, -3.0])),
        # The picture itself is known: the noise has mean 0.
        ((torch.tensor([0.5, -1.0]), 0.0, 2.0, 0.7), torch.tensor([-0.5, 1.0])),
        # Standard normal data half way: the covariance is 0.
        ((torch.tensor([0.3]), 0.5, 0.0, 1.0), torch.tensor([0.0])),
        # Variance 0.25 (4 + 1) and covariance 0.5 - 2, so the slope is -1.2; off by 1.
        ((torch.tensor([1.5]), 0.5, 1.0, 2.0), torch.tensor([-2.2])),
        # Points: the velocity leads straight to them, slope 1 / t.
        ((torch.tensor([1.0]), 0.25, 1.0, 0.0), torch.tensor([0.0])),
    ],
    "probed_divergence": [
        # v M v for a linear velocity: 2 + 5 - 1 + 3, then 2 - 5 + 1 + 3.
        (
            (lambda x: MATRIX @ x, torch.zeros(2), torch.tensor([1.0, 1.0])),
            torch.tensor(9.0),
        ),
        (
            (lambda x: MATRIX @ x, torch.ones(2), torch.tensor([1.0, -1.0])),
            torch.tensor(1.0),
        ),
        # Each component by itself: the signs do not matter, and the sum is 3 x^2.
        (
            (lambda x: x**3, torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 1.0])),
            torch.tensor(15.0),
        ),
    ],
}
