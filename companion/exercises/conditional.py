"""Hidden cases of the chapter on conditional GANs; results worked out by hand."""

import math
from statistics import NormalDist

import torch


def fits(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A discriminator that reads its logit off the pixel of the label's number."""
    return x.flatten(1).gather(1, y[:, None])[:, 0]


def _pictures(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows)[:, None, None, :]


def _softplus(a: float) -> float:
    return math.log1p(math.exp(a))


CASES = {
    "share_within": [
        ((1.0, 1), 2 * NormalDist().cdf(1.0) - 1),
        # The middle half of each number: one noise in 2 to the 10.
        ((NormalDist().inv_cdf(0.75), 10), 2.0**-10),
        ((0.0, 3), 0.0),
    ],
    "label_loss": [
        # Logits 3 and 1 for the real pictures, 0 and -2 for the forged ones.
        (
            (
                fits,
                _pictures([3.0, 9.0], [9.0, 1.0]),
                torch.tensor([0, 1]),
                _pictures([0.0, 9.0], [9.0, -2.0]),
            ),
            (_softplus(-3) + _softplus(0) + _softplus(-1) + _softplus(-2)) / 2,
        ),
        # The labels may be of another order: logits 2 and 0, then 0 and 0.
        (
            (
                fits,
                _pictures([0.0, 2.0], [0.0, 5.0]),
                torch.tensor([1, 0]),
                _pictures([7.0, 0.0], [0.0, 7.0]),
            ),
            (_softplus(-2) + 3 * _softplus(0)) / 2,
        ),
    ],
}
