"""Hidden cases of the chapter on compression; results worked out by hand."""

import math

import torch

_HALVES = torch.tensor([0.5, 0.25, 0.125, 0.125])
_EVEN = torch.full((8,), 0.125)
_SURE = torch.tensor([0.0, 1.0, 0.0])
_SKEW = torch.tensor([0.9, 0.05, 0.05])
_ENTROPY_SKEW = -(0.9 * math.log2(0.9) + 0.1 * math.log2(0.05))

CASES = {
    "entropy_bits": [
        ((_HALVES,), 1.75),
        ((_EVEN,), 3.0),
        ((_SURE,), 0.0),
        ((_SKEW,), _ENTROPY_SKEW),
    ],
    "huffman_bits": [
        ((_HALVES,), 1.75),
        ((_EVEN,), 3.0),
        ((_SKEW,), 0.9 + 2 * 0.1),
        ((torch.tensor([0.4, 0.3, 0.3, 0.0]),), 0.4 + 2 * 0.6),
    ],
    "coding_bits": [
        ((_HALVES, _HALVES), 1.75),
        ((_HALVES, torch.full((4,), 0.25)), 2.0),
        ((_SURE, torch.tensor([0.25, 0.5, 0.25])), 1.0),
        (
            (torch.tensor([0.5, 0.5]), torch.tensor([0.125, 0.875])),
            0.5 * (3 + math.log2(8 / 7)),
        ),
    ],
}
