"""Hidden cases of the chapter on video; results worked out by hand."""

import torch

CASES = {
    "convlstm_weights": [
        ((1, 1, 1), 12),  # four blocks: input, state, bias
        ((2, 3, 3), 4 * 3 * (9 * 5 + 1)),
        ((16, 32, 5), 153_728),
    ],
    "bounce": [
        ((0.0, 2.0, 10.0, 3), 6.0),
        ((0.0, 2.0, 10.0, 7), 6.0),  # 14 is 4 behind the wall
        ((3.0, -2.0, 10.0, 2), 1.0),
        ((5.0, 3.0, 10.0, 2000), 5.0),  # 6000 is 300 times there and back
        ((1.0, 25.0, 10.0, 1), 6.0),  # 26: beyond both walls
    ],
    "least_error": [
        ((torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0.5, 0.5])), 0.5),
        ((torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([1.0, 0.0])), 0.0),
        # Mean 0.75; 3/4 of 1/16 and 1/4 of 9/16.
        ((torch.tensor([[1.0], [0.0]]), torch.tensor([0.75, 0.25])), 3 / 16),
        (
            (
                torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]]),
                torch.tensor([1 / 3, 1 / 3, 1 / 3]),
            ),
            4.0,
        ),
    ],
    "field_error": [
        ((255.0**2, 4096), 4096.0),
        ((650.25, 4096), 40.96),
        ((0.0, 4096), 0.0),
    ],
}
