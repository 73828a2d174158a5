"""Hidden cases of the self-test in "Before you begin"; results worked out by hand."""

import torch

_PAIR = torch.tensor(
    [
        [[[0.0, 1.0], [1.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]],
        [[[0.2, 0.2], [0.4, 0.4]], [[0.0, 0.0], [0.0, 1.0]]],
    ]
)  # (B=2, C=2, H=2, W=2)
_WIDE = torch.tensor([[[[1.0, 2.0, 3.0]]], [[[4.0, 5.0, 6.0]]]])  # (2, 1, 1, 3)

CASES = {
    "channel_means": [
        ((_PAIR,), torch.tensor([[0.5, 1.0], [0.3, 0.25]])),
        ((_WIDE,), torch.tensor([[2.0], [5.0]])),
    ],
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
    ],
    "descend": [
        ((0.0, 0.5, 1), 3.0),
        ((0.0, 0.25, 2), 2.25),
        ((5.0, 0.1, 3), 4.024),
        ((7.0, 0.1, 0), 7.0),
    ],
    "variance_of": [
        ((torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5])), 0.25),
        ((torch.tensor([2.0, 2.0, 2.0]), torch.tensor([0.2, 0.3, 0.5])), 0.0),
        ((torch.tensor([-1.0, 0.0, 3.0]), torch.tensor([0.5, 0.25, 0.25])), 2.6875),
    ],
    "laplace_log_density": [
        ((0.0, 0.0, 0.5), 0.0),
        ((1.0, 0.0, 1.0), -1.6931472),
        ((-1.0, 2.0, 1.5), -3.0986123),
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
    ],
}
