"""Hidden cases of the chapter on steering; results worked out by hand."""

import torch

_AXIS = torch.tensor([0.0, 2.0])
_CODES = torch.tensor([[3.0, 4.0], [1.0, -1.0]])
_CORNERS = torch.tensor([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0]])

CASES = {
    "area": [
        ((torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])), 1.0),
        ((torch.tensor([3.0, 4.0]), torch.tensor([1.0, 2.0])), 0.0),
        ((torch.tensor([1.0, 3.0]), torch.tensor([2.0])), 0.5),
        ((torch.tensor([1.0, 2.0]), torch.tensor([2.0, 5.0])), 0.875),
    ],
    "project_out": [
        ((_CODES, _AXIS), torch.tensor([[3.0, 0.0], [1.0, 0.0]])),
        ((_CODES, torch.tensor([1.0, 1.0])), torch.tensor([[-0.5, 0.5], [1.0, -1.0]])),
        ((_CODES, torch.tensor([-5.0, 0.0])), torch.tensor([[0.0, 4.0], [0.0, -1.0]])),
    ],
    "sheet_of_codes": [
        ((_CORNERS, 2), _CORNERS),
        (
            (_CORNERS, 3),
            torch.tensor([[a, b] for a in (0.0, 2.0, 4.0) for b in (0.0, 1.0, 2.0)]),
        ),
    ],
}
