"""Hidden cases of the chapter on enlarging; results worked out by hand."""

import torch

_ONES = torch.ones(2, 2)
_CORNER = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
_TENT = torch.tensor([0.25, 0.75, 0.75, 0.25])
_HILL = torch.tensor([1.0, 2.0, 1.0])

CASES = {
    "exact_padding": [
        ((4, 2), (1, 0)),
        ((3, 2), (1, 1)),
        ((2, 2), (0, 0)),
        ((5, 2), (2, 1)),
        ((3, 1), (1, 0)),
        ((7, 4), (2, 1)),
        ((6, 3), (2, 1)),
    ],
    "stamps": [
        ((1, 3, 2), [1, 1, 1]),
        ((3, 3, 2), [1, 1, 2, 1, 2, 1, 1]),
        ((3, 4, 2), [1, 1, 2, 2, 2, 2, 1, 1]),
        ((2, 2, 3), [1, 1, 0, 1, 1]),
        ((4, 2, 1), [1, 2, 2, 2, 1]),
    ],
    "stamp": [
        ((torch.tensor([[2.0]]), _CORNER, 1), 2 * _CORNER),
        (
            (_ONES, _ONES, 1),
            torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]),
        ),
        (
            (torch.tensor([[1.0, -1.0]]), _CORNER, 2),
            torch.tensor([[1.0, 2.0, -1.0, -2.0], [3.0, 4.0, -3.0, -4.0]]),
        ),
        (
            (torch.tensor([[1.0], [10.0]]), torch.tensor([[1.0, 0.0, 5.0]]), 2),
            torch.tensor([[1.0, 0.0, 5.0], [0.0, 0.0, 0.0], [10.0, 0.0, 50.0]]),
        ),
    ],
    "stays_flat": [
        ((torch.ones(2, 2), 2), True),
        ((torch.ones(3, 3), 2), False),
        ((torch.ones(4, 4), 2), True),
        ((torch.outer(_TENT, _TENT), 2), True),
        ((torch.outer(_HILL, _HILL), 2), True),
        ((_CORNER, 2), False),
        ((_CORNER, 1), True),
        ((torch.ones(3, 3), 3), True),
        ((torch.ones(4, 4), 3), False),
    ],
}
