"""Hidden cases of the chapter on deep networks; results worked out by hand."""

import math

import torch

_RAMP = torch.tensor([1.0, 3.0, 5.0, 7.0]).view(1, 4, 1, 1)

CASES = {
    "leaky_variance": [
        # ReLU, a linear layer, and between.
        ((50, 0.0), 0.04),
        ((50, 1.0), 0.02),
        ((8, 0.5), 0.2),
        ((27, 0.1), 2 / (27 * 1.01)),
    ],
    "folded": [
        (
            (
                torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
                torch.tensor([2.0, 1.0]),
                torch.tensor([0.5, -1.0]),
                torch.tensor([3.0, 0.0]),
                torch.tensor([4.0, 0.25]) - 1e-5,
            ),
            torch.tensor([[1.0, 2.0, -2.5], [6.0, 8.0, -1.0]]),
        ),
        # A channel that is switched off keeps its shift.
        (
            (
                torch.ones(1, 3),
                torch.zeros(1),
                torch.tensor([0.7]),
                torch.tensor([5.0]),
                torch.ones(1),
            ),
            torch.tensor([[0.0, 0.0, 0.0, 0.7]]),
        ),
    ],
    "in_groups": [
        # Pairs 1, 3 and 5, 7: mean 2 and 6, variance 1.
        ((_RAMP, 2), torch.tensor([-1.0, 1.0, -1.0, 1.0]).view(1, 4, 1, 1)),
        ((_RAMP, 1), (_RAMP - 4) / math.sqrt(5.0)),
        ((_RAMP, 4), torch.zeros(1, 4, 1, 1)),
        # Positions belong to their channel's group, pictures are apart.
        (
            (torch.cat([_RAMP, 10 * _RAMP]).view(2, 2, 1, 2), 2),
            torch.tensor([-1.0, 1.0]).repeat(4).view(2, 2, 1, 2),
        ),
    ],
    "branch_scale": [
        ((1, 2.0), 1.0),
        ((2, 4.0), 1.0),
        ((3, 1.331), math.sqrt(0.1)),
        ((7, 1.0), 0.0),
    ],
    "bottleneck_work": [
        ((256, 64, 1), 69_632),
        ((4, 2, 3), (16 + 36) * 9),
        ((1, 1, 2), 44),
    ],
}
