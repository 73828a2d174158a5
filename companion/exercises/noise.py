"""Hidden cases of the chapter on diffusion; results worked out by hand."""

import math

import torch

CASES = {
    "way_back": [
        # No signal is left: x_t does not count.
        ((0.8, 0.6, 0.0, 1.0), torch.tensor([0.0, 0.8, 0.36])),
        # Half the way to noise and then half of the rest: a = 1/2, r^2 = 1/2.
        ((0.5, 0.5, 0.25, 0.75), torch.tensor([2 / 9, 4 / 9, 2 / 9])),
        # No noise is left at s = 0: the picture itself.
        ((1.0, 0.0, 0.6, 0.8), torch.tensor([0.0, 1.0, 0.0])),
    ],
    "velocity_from_noise": [
        ((2.0, 5.0, 0.0), math.pi),
        ((1.0, 1.0, 0.5), math.pi / 2 * (math.sqrt(2.0) - 1)),
        # The cosine of 30 degrees, and 2 - 1/2.
        ((2.0, 1.0, 1 / 3), math.pi / math.sqrt(3.0) * 1.5),
    ],
    "alpha_of": [
        ((0.5, 7.0), math.sqrt(0.5)),
        ((0.0, math.log(9.0)), math.sqrt(0.9)),
        ((1.0, math.log(9.0)), math.sqrt(0.1)),
    ],
}
