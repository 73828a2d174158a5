"""Hidden cases of the chapter on translation; results worked out by hand."""

import torch

CASES = {
    "best_guess": [
        (
            (torch.tensor([0.0, 1.0, 0.25]).view(3, 1, 1, 1),),
            torch.full((1, 1, 1), 0.25),
        ),
        # Each value on its own: the answer is none of the three pictures.
        (
            (torch.tensor([[0.0, 0.5], [1.0, 0.0], [0.2, 1.0]]).view(3, 2, 1, 1),),
            torch.tensor([0.2, 0.5]).view(2, 1, 1),
        ),
        ((torch.full((1, 3, 2, 2), 0.7),), torch.full((3, 2, 2), 0.7)),
    ],
    "patch_side": [
        (([],), 1),
        (([(3, 1)],), 3),
        (([(3, 1), (3, 1)],), 5),
        # 4, then 3 steps of 2 more, then 2 steps of 4.
        (([(4, 2), (4, 2), (3, 1)],), 18),
        (([(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)],), 70),
        (([(1, 3), (2, 1)],), 4),
    ],
    "perfect_maps": [
        (([1.0],), 1),
        (([0.5, 0.25, 0.25],), 2),
        (([0.25, 0.25, 0.25, 0.25],), 24),
        (([0.5, 0.3, 0.2],), 1),
        (([0.125, 0.375, 0.125, 0.375],), 4),
    ],
}
