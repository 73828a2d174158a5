"""Hidden cases of the chapter on DCGAN; results worked out by hand."""

import math

CASES = {
    "half_life": [
        ((0.5,), 1.0),
        ((0.25,), 0.5),
        ((math.exp(-math.log(2.0) / 300),), 300.0),
    ],
    "mixed_deviation": [
        ((1.0, 1.0, 0.0), 1.0),
        # A collapsed generator at the mean of the data.
        ((2.0, 0.0, 0.0), math.sqrt(2.0)),
        # Two points, two apart: each one away from their mean.
        ((0.0, 0.0, 2.0), 1.0),
        # Variances 9 and 16, their mean 12.5; means 6 apart: 9 more.
        ((3.0, 4.0, 6.0), math.sqrt(21.5)),
    ],
}
