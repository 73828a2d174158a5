"""Hidden cases of the chapter on measures; results worked out by hand."""

import math

import torch

_SURE = 30.0 * torch.eye(4)

CASES = {
    "inception_score": [
        # Sure of each image, all classes alike often: the number of classes.
        ((_SURE,), 4.0),
        ((_SURE.repeat(3, 1),), 4.0),
        # Always the same answer, sure or not: 1.
        ((_SURE[:1].repeat(5, 1),), 1.0),
        ((torch.zeros(6, 4),), 1.0),
        # A class that no image can have.
        ((torch.tensor([[0.0, -200.0], [0.0, -300.0]]),), 1.0),
        # Each image is one of two classes, the middle one in both: the entropy of all
        # answers is 1.5 log 2, that of each one log 2.
        (
            (torch.tensor([[0.0, 0.0, -60.0], [-60.0, 0.0, 0.0]]),),
            math.sqrt(2.0),
        ),
    ],
    "expected_coverage": [
        ((10, 10, 1), 1 - 9 / 19),
        ((3, 1, 2), 1 - (2 / 3) * (1 / 2)),
        ((1000, 1000, 5), 0.9689841),
        ((100, 0, 3), 0.0),
    ],
    "pictures_needed": [
        # 4 (0.09 + 0.1131) / 0.0009 = 902.7
        ((0.9, 0.87), 903),
        ((0.95, 0.98), 299),
        ((0.2, 0.5), 19),
        ((0.5, 0.2), 19),
        ((1.0, 0.0), 1),
    ],
    "copied_share": [
        # Seen are 0 and 10; the new pictures are 5, 2 and 4 away.
        (
            (
                torch.tensor([0.0, 1.0, 2.0, 9.9]).view(4, 1, 1, 1),
                torch.tensor([0.0, 10.0]).view(2, 1, 1, 1),
                torch.tensor([5.0, 2.0, 4.0]).view(3, 1, 1, 1),
            ),
            0.75,
        ),
        (
            (
                torch.tensor([3.0, 7.0]).view(2, 1, 1, 1),
                torch.tensor([0.0, 10.0]).view(2, 1, 1, 1),
                torch.tensor([2.0, 5.0]).view(2, 1, 1, 1),
            ),
            0.0,
        ),
    ],
}
