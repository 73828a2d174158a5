"""Hidden cases of the chapter on StyleGAN; results worked out by hand."""

import torch

CASES = {
    "best_hinge_loss": [
        ((torch.tensor([0.25, 0.75]), torch.tensor([0.25, 0.75])), 2.0),
        ((torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])), 0.0),
        # 2 (0.1 + 0.2 + 0.3).
        ((torch.tensor([0.5, 0.2, 0.3]), torch.tensor([0.1, 0.5, 0.4])), 1.2),
    ],
    "lengths": [
        # One channel: weights 3 and 4, scale 2.
        (
            (torch.tensor([[[[3.0, 4.0]]]]), torch.tensor([[2.0]])),
            torch.tensor([[10.0]]),
        ),
        # Two outputs of two inputs: (3, 4) and (6, 8), for two pictures; the second
        # turns the second channel off.
        (
            (
                torch.tensor([[[[3.0]], [[4.0]]], [[[6.0]], [[8.0]]]]),
                torch.tensor([[1.0, 1.0], [-2.0, 0.0]]),
            ),
            torch.tensor([[5.0, 10.0], [6.0, 12.0]]),
        ),
    ],
    "mirrored": [((0.0,), 1.0), ((0.25,), 0.5), ((0.5,), 0.0), ((1.0,), 1.0)],
    "turned": [((0.0,), 1.0), ((0.25,), 0.75), ((1.0,), 0.0)],
}
