"""What processes have in their environment that store outputs or test side by side."""

# Each library has a variable of its own, and reads it when it is loaded.
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
# The C library of Linux gives large pieces of memory back when they are freed, and a
# training asks for them again at every step; kept, they save a tenth of its time.
KEPT_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
}
SIDE_BY_SIDE = ONE_THREAD | KEPT_MEMORY
