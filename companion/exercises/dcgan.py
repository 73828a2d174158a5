"""Hidden cases of the chapter on DCGAN; results worked out by hand."""

import math

CASES = {
    "num_doublings": [((28,), 2), ((32,), 5), ((96,), 5), ((7,), 0), ((50,), 1)],
    "half_life": [
        ((0.5,), 1.0),
        ((0.25,), 0.5),
        ((math.exp(-math.log(2.0) / 300),), 300.0),
    ],
}
