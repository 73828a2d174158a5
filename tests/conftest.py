import os
import signal

from processes import ONE_THREAD

# Before anything loads NumPy or PyTorch, which then take as many as there are.
os.environ.update(ONE_THREAD)
# A job that a shell starts in the background is deaf to Ctrl-C, which tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest  # noqa: E402
import torch  # noqa: E402


@pytest.fixture(autouse=True)
def same_start():
    """Each test has the same random numbers and one thread, whatever ran before it."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
