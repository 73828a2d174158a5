"""Hidden cases of the chapter on the game of forgers; results worked out by hand."""

import math

import torch

_LOG3 = math.log(3.0)

CASES = {
    "smoothed_optimum": [
        (
            (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]), 1.0),
            torch.full((2,), 0.5),
        ),
        ((torch.tensor([1.0]), torch.tensor([0.0]), 0.9), torch.tensor([0.9])),
        ((torch.tensor([0.0]), torch.tensor([1.0]), 0.9), torch.tensor([0.0])),
        ((torch.tensor([3.0]), torch.tensor([1.0]), 0.8), torch.tensor([0.6])),
    ],
    # D can say at best 1 for real images and 0 for others, as logits of a sigmoid.
    "lowest_loss_D": [((), math.log(2 * (1 + math.exp(-1.0))))],
    "slow_slope": [
        # s(0) = 1/2, and s(-1/2) = 1 / (1 + e^(1/2)).
        ((torch.tensor([0.0]),), torch.tensor([-0.25 / (1 + math.exp(0.5))])),
        # s(log 3) = 3/4 and s(-log 3) = 1/4, each with s (1 - s) = 3/16.
        (
            (torch.tensor([_LOG3, -_LOG3]),),
            torch.tensor([-3 / (1 + math.exp(0.75)), -3 / (1 + math.exp(0.25))]) / 16,
        ),
    ],
}
