"""Hidden cases of the chapter on the Wasserstein GAN; results worked out by hand."""

import torch

from companion.exercises.instability import bowl, steep

_axes = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
_zeros, _ones = torch.zeros(2, 1, 1, 2), torch.ones(2, 1, 1, 2)
_half = torch.full((2, 1, 1, 1), 0.5)

CASES = {
    "steepest": [
        (([1, 1], 0.5), 0.5),
        # One layer, 4 times 9 entries: 0.1 * 6.
        (([4, 9], 0.1), 0.6),
        # 0.1 * 2, 0.1 * 4 and 0.1 * 2.
        (([1, 4, 4, 1], 0.1), 0.016),
    ],
    "sliced_distance": [
        # Along the axes: 3 and 4; the order of the points does not matter.
        (
            (
                torch.tensor([[0.0, 0.0], [1.0, 2.0]]),
                torch.tensor([[4.0, 6.0], [3.0, 4.0]]),
                _axes,
            ),
            3.5,
        ),
        # Apart in the plane, and alike on each axis.
        (
            (
                torch.tensor([[0.0, 0.0], [1.0, 1.0]]),
                torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
                _axes,
            ),
            0.0,
        ),
        # On the diagonal (0, 2 root 2) and (root 2, root 2).
        (
            (
                torch.tensor([[0.0, 0.0], [2.0, 2.0]]),
                torch.tensor([[0.0, 2.0], [2.0, 0.0]]),
                torch.tensor([[0.5**0.5, 0.5**0.5]]),
            ),
            2**0.5,
        ),
    ],
    "critic_objective": [
        # Distance 7; the penalty is (5 - 1)^2 everywhere.
        ((steep, _ones, _zeros, _half, 10.0), -7 + 160.0),
        # Slopes of length root 2 / 2 in the middle; distance 1.
        ((bowl, _ones, _zeros, _half, 2.0), -1 + 2 * (0.5**0.5 - 1) ** 2),
        # At the real images the slope has length root 2.
        ((bowl, _ones, _zeros, 2 * _half, 1.0), -1 + (2**0.5 - 1) ** 2),
    ],
}
