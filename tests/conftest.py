import os

from processes import ONE_THREAD

# Before anything loads NumPy or PyTorch, which then take as many as there are.
os.environ.update(ONE_THREAD)

import pytest  # noqa: E402
import torch  # noqa: E402


@pytest.fixture(autouse=True)
def same_start():
    """Each test has the same random numbers and one thread, whatever ran before it."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
