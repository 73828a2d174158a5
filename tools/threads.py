"""One thread a process: with it outputs are stored, and tests run side by side.

Each library has a variable of its own, and reads it when it is loaded.
"""

ONE_THREAD = dict.fromkeys(
    (
        "COMPANION_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
