"""Hidden cases of the chapter on looking into a CNN; results worked out by hand."""

import torch

_WEIGHT = torch.tensor(
    [[1.0, -2.0, 0.0, 4.0], [3.0, 0.5, -6.0, 0.25]]
)  # two classes, four pixels
_W, _X = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 0.5])
_G = torch.tensor([[3.0, -4.0], [0.0, 0.0]])

CASES = {
    "linear_saliency": [
        ((_WEIGHT, 0, (1, 2, 2)), torch.tensor([[1.0, 2.0], [0.0, 4.0]])),
        ((_WEIGHT, 1, (1, 1, 4)), torch.tensor([[3.0, 0.5, 6.0, 0.25]])),
        # Two channels of two pixels: the larger counts.
        ((_WEIGHT, 0, (2, 1, 2)), torch.tensor([[1.0, 4.0]])),
        ((_WEIGHT, 1, (2, 2, 1)), torch.tensor([[6.0], [0.5]])),
    ],
    "occluded_pixel": [
        ((_W, _X, 0.0), torch.tensor([1.0, -0.5])),
        ((_W, _X, 1.0), torch.tensor([-1.0, 0.5])),
        ((_W, torch.tensor([1.0, 0.0]), 1.0), torch.tensor([0.0, 1.0])),
    ],
    "largest_rise": [
        ((_G, 1.0, "max"), 7.0),
        ((_G, 1.0, "length"), 5.0),
        ((_G, 0.5, "max"), 3.5),
        ((_G, 2.0, "length"), 10.0),
        ((torch.zeros(3), 1.0, "max"), 0.0),
    ],
    "stay_near": [
        (
            (torch.tensor([0.5, 0.9, 0.2]), torch.tensor([0.4, 0.4, 0.4]), 0.125),
            torch.tensor([0.5, 0.525, 0.275]),
        ),
        # Never outside [0, 1].
        (
            (torch.tensor([1.5, -1.0]), torch.tensor([0.9375, 0.0]), 0.25),
            torch.tensor([1.0, 0.0]),
        ),
        ((torch.tensor([0.75]), torch.tensor([0.5]), 0.0), torch.tensor([0.5])),
    ],
}
