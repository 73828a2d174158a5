"""Hidden cases of the chapter from words to pictures; results worked out by hand."""

import torch

COLOURS = ("red", "green", "blue")

CASES = {
    "guided_picture": [
        # No guidance: (1 + 0.25) / 0.5 and (0 + 0.5) / 0.5.
        (
            (
                torch.tensor([1.0, 0.0]),
                0.5,
                torch.zeros(2),
                torch.tensor([1.0, 2.0]),
                1.0,
            ),
            torch.tensor([2.5, 1.0]),
        ),
        # The label is ignored: (1 - 0.25) / 0.5.
        (
            (torch.tensor([1.0]), 0.5, torch.tensor([-1.0]), torch.tensor([7.0]), 0.0),
            torch.tensor([1.5]),
        ),
        # The guided score is 1 + 3 (2 - 1) = 4: (0 + 0.64 * 4) / 0.2.
        (
            (torch.tensor([0.0]), 0.8, torch.tensor([1.0]), torch.tensor([2.0]), 3.0),
            torch.tensor([12.8]),
        ),
        # Without noise nothing is to be removed.
        (
            (torch.tensor([0.3]), 0.0, torch.tensor([5.0]), torch.tensor([9.0]), 2.0),
            torch.tensor([0.3]),
        ),
    ],
    "caption_numbers": [
        (("blue red", COLOURS, 4), [3, 1, 0, 0]),
        (("Red", COLOURS, 1), [1]),
        (("a green thing", COLOURS, 3), [2, 0, 0]),
        (("red red blue green", COLOURS, 3), [1, 1, 3]),
        (("", COLOURS, 2), [0, 0]),
    ],
}
