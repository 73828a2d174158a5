"""Hidden cases of the chapter on the game of forgers; results worked out by hand."""

import math

import torch

_LOG2 = math.log(2.0)
_LOG3 = math.log(3.0)

CASES = {
    "js_divergence": [
        ((torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.5])), 0.0),
        ((torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])), _LOG2),
        # m = (3/4, 1/4): half of log 4/3 and of (log 2/3 + log 2) / 2.
        (
            (torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])),
            0.5 * math.log(4 / 3) + 0.25 * (math.log(2 / 3) + _LOG2),
        ),
        # Half of the mass in common.
        (
            (torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.5, 0.0, 0.5])),
            0.5 * _LOG2,
        ),
    ],
    "density_ratio": [
        ((torch.tensor([0.0]),), torch.tensor([1.0])),
        ((torch.tensor([_LOG3, -_LOG2]),), torch.tensor([3.0, 0.5])),
    ],
    "smoothed_optimum": [
        (
            (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]), 1.0),
            torch.full((2,), 0.5),
        ),
        ((torch.tensor([1.0]), torch.tensor([0.0]), 0.9), torch.tensor([0.9])),
        ((torch.tensor([0.0]), torch.tensor([1.0]), 0.9), torch.tensor([0.0])),
        ((torch.tensor([3.0]), torch.tensor([1.0]), 0.8), torch.tensor([0.6])),
    ],
    "leaky_slope": [
        ((torch.tensor([0.0]),), torch.tensor([0.0])),
        # s(log 3) = 3/4 and s(-log 3) = 1/4.
        ((torch.tensor([_LOG3, -_LOG3]),), torch.tensor([0.5, -0.5])),
    ],
}
