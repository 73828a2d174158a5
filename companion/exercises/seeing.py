"""Hidden cases of the chapter on seeing and drawing; results worked out by hand."""

import torch

_ONES = torch.ones(2, 2)
_CORNER = torch.tensor([[1.0, 2.0], [3.0, 4.0]])

CASES = {
    "transposed_size": [
        ((4, 4, 2, 1), 8),
        ((1, 4, 1, 0), 4),
        ((7, 3, 2, 0), 15),
        ((8, 5, 3, 1), 24),
        ((5, 3, 1, 1), 5),
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
    "map_means": [
        ((_CORNER[None, None],), torch.tensor([[2.5]])),
        ((torch.zeros(2, 3, 4, 5),), torch.zeros(2, 3)),
        (
            (torch.tensor([0.0, 2.0, -4.0, 4.0]).view(1, 2, 1, 2),),
            torch.tensor([[1.0, 0.0]]),
        ),
    ],
}
