import os
import signal

from processes import ONE_THREAD

# Before anything loads NumPy or PyTorch, which then take as many as there are.
os.environ.update(ONE_THREAD)
# A job that a shell starts in the background is deaf to Ctrl-C, which tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402


@pytest.fixture(autouse=True)
def same_start():
    """Each test has the same random numbers and one thread, whatever ran before it."""
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Forty small pictures in two classes."""
    folder = tmp_path_factory.mktemp("pictures")
    draw = np.random.RandomState(0)
    for name in ("dark", "light"):
        (folder / name).mkdir()
        for i in range(20):
            low = 0 if name == "dark" else 128
            x = draw.randint(low, low + 100, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(x).save(folder / name / f"{i}.png")
    return folder
