"""Hidden cases of the chapter on the VAE; results worked out by hand."""

import math

import torch

_E = math.e

CASES = {
    "kl_normals": [
        (
            tuple(map(torch.tensor, ([0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 1.0]))),
            torch.tensor([0.0, 0.5]),
        ),
        # var_q / var_p = e: (e - 1 - 1) / 2; and a distance of 2 at var_p = 4.
        (
            tuple(map(torch.tensor, ([0.0, 3.0], [_E, 4.0], [0.0, 1.0], [1.0, 4.0]))),
            torch.tensor([(_E - 2) / 2, 0.5]),
        ),
        # It is not symmetric: with the roles exchanged, (1/e - 1 + 1) / 2.
        (
            tuple(map(torch.tensor, ([0.0], [1.0], [0.0], [_E]))),
            torch.tensor([1 / (2 * _E)]),
        ),
    ],
    "log_mean_exp": [
        ((torch.tensor([0.0, 0.0, 0.0]),), torch.tensor(0.0)),
        ((torch.tensor([math.log(1.0), math.log(3.0)]),), torch.tensor(math.log(2.0))),
        ((torch.tensor([-1000.0, -1000.0]),), torch.tensor(-1000.0)),
        (
            (torch.tensor([[-900.0, -5000.0], [7.0, 7.0]]),),
            torch.tensor([-900.0 - math.log(2.0), 7.0]),
        ),
    ],
    "bits_per_dimension": [
        ((784 * math.log(2.0), (1, 28, 28)), 1.0),
        ((100.0, (1, 10, 10)), 1.4426950),
        ((3072 * math.log(2.0) / 4, (3, 32, 32)), 0.25),
    ],
    "linear_kl": [
        ((torch.tensor([1.0, 0.5]), 1.0), 0.0),
        ((torch.tensor([_E**2, 0.5]), 1.0), 1.0),
        ((torch.tensor([4 * _E, 4.0, 1.0]), 2.0), 0.5),
        ((torch.tensor([_E**2, _E**4]), 1.0), 3.0),
    ],
}
