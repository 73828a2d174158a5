"""Hidden cases of the self-test in "Before you begin"; results worked out by hand."""

import math

import torch

_PAIR = torch.tensor(
    [
        [[[0.0, 1.0], [1.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]],
        [[[0.2, 0.2], [0.4, 0.4]], [[0.0, 0.0], [0.0, 1.0]]],
    ]
)  # (B=2, C=2, H=2, W=2)
_WIDE = torch.tensor([[[[1.0, 2.0, 3.0]]], [[[4.0, 5.0, 6.0]]]])  # (2, 1, 1, 3)


def _row(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers)


CASES = {
    "strip": [
        ((_WIDE,), torch.tensor([[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]])),
        (
            (_PAIR,),
            torch.tensor(
                [
                    [[0.0, 1.0, 0.2, 0.2], [1.0, 0.0, 0.4, 0.4]],
                    [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 1.0]],
                ]
            ),
        ),
    ],
    "softplus_slope": [
        ((0.0,), 0.5),
        ((1.0,), 0.7310586),
        ((-2.0,), 0.1192029),
        ((800.0,), 1.0),  # e^800 is too large for a float
        ((-800.0,), 0.0),
    ],
    "descend": [
        ((0.0, 0.5, 1), 3.0),
        ((0.0, 0.25, 2), 2.25),
        ((5.0, 0.1, 3), 4.024),
        ((7.0, 0.1, 0), 7.0),
        ((3.5, 1.5, 3), -1.0),  # too large a step: the distance doubles
    ],
    "main_axis": [  # the variance, then the direction
        ((torch.tensor([[-1.0, -1.0], [1.0, 1.0]]),), _row(2.0, 0.5**0.5, 0.5**0.5)),
        (
            (torch.tensor([[3.0, 0.0], [7.0, -2.0]]),),  # the mean is not zero
            _row(5.0, 0.8944272, -0.4472136),
        ),
        (
            (torch.tensor([[0.0, 4.0], [0.0, -4.0], [1.0, 0.0], [-1.0, 0.0]]),),
            _row(8.0, 0.0, 1.0),
        ),
        (
            (torch.tensor([[0.0, 0, 3], [0, 0, -3], [0, 1, 0], [0, -1, 0]]),),
            _row(4.5, 0.0, 0.0, 1.0),
        ),
    ],
    "one_layer": [  # weights, then the bias
        (
            (
                torch.tensor([[1.0, 0.0], [0.0, -1.0], [1.0, 1.0]]),
                torch.tensor([0.0, 0.0, -1.0]),
                torch.tensor([[1.0, 5.0, 2.0], [0.0, 1.0, -1.0]]),
                torch.tensor([0.5, 0.0]),
            ),
            torch.tensor([[3.0, -3.0, -1.5], [-1.0, -2.0, 1.0]]),
        ),
        (  # the order of the two matters
            (
                torch.tensor([[0.0, 1.0], [0.0, 0.0]]),
                torch.tensor([1.0, 2.0]),
                torch.tensor([[0.0, 0.0], [1.0, 0.0]]),
                torch.tensor([0.0, 0.0]),
            ),
            torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 1.0]]),
        ),
    ],
    "posterior": [
        (
            (torch.tensor([0.5, 0.5]), torch.tensor([0.2, 0.6])),
            torch.tensor([0.25, 0.75]),
        ),
        (
            (torch.tensor([0.9, 0.1]), torch.tensor([0.1, 0.9])),
            torch.tensor([0.5, 0.5]),
        ),
        (
            (torch.tensor([0.2, 0.3, 0.5]), torch.tensor([1.0, 0.0, 0.2])),
            torch.tensor([0.6666667, 0.0, 0.3333333]),
        ),
    ],
    "log_probability": [
        (
            (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]])),
            -1.3862944,
        ),
        (
            (
                torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
                torch.tensor([[0.9, 0.1], [0.2, 0.8]]),
            ),
            -0.6570081,
        ),
        (  # a border that is never white: 0 log 0 counts 0
            (torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 0.5]])),
            -0.6931472,
        ),
        ((torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.25]])), -0.2876821),
        ((torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 0.5]])), -math.inf),
        # 1,600 pixels: a product of so many probabilities is 0 for the computer
        ((torch.ones(40, 40), torch.full((40, 40), 0.5)), -1600 * math.log(2)),
    ],
}
