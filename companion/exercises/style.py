"""Hidden cases of the chapter on texture and style; results worked out by hand."""

import torch

_CORNER = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def _maps(*rows: list[float]) -> torch.Tensor:
    """One picture of a single row; each argument is a map."""
    return torch.tensor(rows)[None, :, None]


CASES = {
    "adain": [
        # Mean 2 and deviation 1 become mean 10 and deviation 5.
        ((_maps([1.0, 3.0]), _maps([5.0, 15.0])), _maps([5.0, 15.0])),
        # The style may have another size, and each map its own numbers.
        (
            (_maps([1.0, 3.0], [-4.0, 4.0]), _maps([0.0, 4.0, 2.0, 2.0], [7.0] * 4)),
            _maps([2 - 2**0.5, 2 + 2**0.5], [7.0, 7.0]),
        ),
        # A flat map takes the mean, and divides by nothing.
        ((_maps([6.0, 6.0]), _maps([0.0, 2.0])), _maps([1.0, 1.0])),
        ((_maps([0.0, 0.0, 3.0, 3.0]), _maps([1.0, 1.0])), _maps([1.0] * 4)),
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
