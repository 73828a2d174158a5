"""Hidden cases of the chapter on instability; results worked out by hand."""

import torch


def steep(x: torch.Tensor) -> torch.Tensor:
    """Slope (3, 4) at every image of two pixels: length 5."""
    return 3 * x[:, 0, 0, 0] + 4 * x[:, 0, 0, 1]


def bowl(x: torch.Tensor) -> torch.Tensor:
    """Slope x at the image x."""
    return x.square().flatten(1).sum(dim=1) / 2


CASES = {
    "slowest_friction": [
        ((0.0,), 0.0),
        ((0.5,), -0.25),
        ((1.0,), -0.5),
        # Roots of mu^2 + 1.25 mu + 1/4: -1 and -1/4.
        ((1.25,), -0.25),
        # Roots of mu^2 + 2.6 mu + 1/4: -2.5 and -0.1.
        ((2.6,), -0.1),
    ],
    "effective_modes": [
        ((torch.tensor([5.0, 5.0, 5.0, 5.0]),), 4.0),
        ((torch.tensor([0.0, 7.0, 0.0]),), 1.0),
        # Entropy log(2) / 2 + 2 log(4) / 4: three halves of log 2.
        ((torch.tensor([2.0, 1.0, 0.0, 1.0]),), 2**1.5),
    ],
    "r1_term": [
        # Squared length 25 at each image.
        ((steep, torch.zeros(4, 1, 1, 2), 0.2, 1), 2.5),
        ((steep, torch.ones(3, 1, 1, 2), 0.2, 8), 20.0),
        # Squared lengths 12 and 0: their mean is 6.
        (
            (bowl, torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).repeat(1, 3, 2, 2), 1, 2),
            6.0,
        ),
    ],
}
