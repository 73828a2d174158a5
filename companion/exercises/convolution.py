"""Hidden cases of the chapter on convolution; results worked out by hand."""

import torch

_RAMP = torch.arange(25.0).view(5, 5)
_SIDE = torch.tensor([[-1.0, 0.0, 1.0]] * 3)  # right column minus left column
_CORNERS = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # a pixel and its lower right

CASES = {
    "products": [
        (([1, 8, 16, 32], 28), 508032),
        (([3, 16], 32), 442368),
        (([1, 1, 1], 5), 261),
        (([2, 3, 5, 7], 9), 7794),
        (([4], 10), 0),
    ],
    "field_of": [
        (([],), 1),
        (([(3, 1)],), 3),
        (([(3, 1)] * 5,), 11),
        (([(3, 2), (3, 2), (3, 2)],), 15),
        (([(5, 1), (2, 2), (5, 1), (2, 2)],), 16),
        (([(1, 4), (3, 1)],), 9),
    ],
    "separable_saving": [
        ((1, 1, 3), 0.9),
        ((32, 64, 3), 8 * 72 / 73),
        ((16, 16, 1), 16 / 17),
        ((128, 128, 5), 3200 / 153),
    ],
    "dilated": [
        ((_RAMP, _CORNERS, 1), 2 * _RAMP[:4, :4] + 6),
        ((_RAMP, _CORNERS, 3), 2 * _RAMP[:2, :2] + 18),
        ((_RAMP, _SIDE, 1), torch.full((3, 3), 6.0)),
        ((_RAMP, _SIDE, 2), torch.full((1, 1), 12.0)),
    ],
}
