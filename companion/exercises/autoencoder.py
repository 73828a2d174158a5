"""Hidden cases of the chapter on autoencoders; results worked out by hand."""

import math

import torch

# Four points on a cross: variances 8/3 and 2/3 (divided by 3), no covariance.
_CROSS = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
_WIDE = math.sqrt(3 / 2)  # 2 / sqrt(8/3)

CASES = {
    "linear_best": [
        ((torch.tensor([4.0, 2.0, 1.0]), 1), 3.0),
        ((torch.tensor([1.0, 4.0, 2.0]), 1), 3.0),
        ((torch.tensor([0.5, 0.25, 3.0, 1.0]), 2), 0.75),
        ((torch.tensor([1.0, 2.0]), 2), 0.0),
        ((torch.tensor([1.0, 2.0]), 0), 3.0),
    ],
    "autoencoder_parameters": [
        ((784, 400, 20), 784 * 400 * 2 + 400 * 20 * 2 + 400 + 20 + 400 + 784),
        ((2, 3, 1), 27),
        ((10, 1, 1), 35),
    ],
    "whitened_codes": [
        ((_CROSS, 1), torch.tensor([[_WIDE], [-_WIDE], [0.0], [0.0]])),
        # Moved and stretched: the code stays.
        ((3 * _CROSS + 5, 1), torch.tensor([[_WIDE], [-_WIDE], [0.0], [0.0]])),
        (
            (torch.tensor([[1.0, 1.0], [-1.0, -1.0], [0.0, 0.0]]), 1),
            torch.tensor([[1.0], [-1.0], [0.0]]),
        ),
    ],
}
