"""Where and how the code runs: device, seeds, threads, folders, safe files.

The only module that reads environment variables, but for `processes`:

COMPANION_DATA     folder of the full data sets (default: the user's cache)
COMPANION_OFFLINE  "1": never download
COMPANION_DEVICE   "cpu", "cuda" or "mps": insist on a device
COMPANION_THREADS  CPU threads (default: 1 or 2, whichever a short trial finds faster;
                   the pages were made with 1)
COMPANION_RECORDS  folder that receives what the chapters record (tests set it)
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_dir
from torch import nn
from torch.nn import functional as F

TRIAL_ROUNDS, TRIAL_CALLS = 5, 6  # about 20 ms on two free cores


def setup(seed: int = 0) -> torch.device:
    """Seed every generator, set the threads, pick the device and say which.

    The device is CUDA, else MPS, else the CPU.

    Raises: ValueError for a negative seed, an unknown or absent device, or a
        number of threads below 1.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}; give a number from 0 to 2**32 - 1.")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(_threads())
    # Decaying averages of optimisers end in numbers below 1e-38, with which a CPU
    # calculates many times more slowly: take them for zero.
    torch.set_flush_denormal(True)
    device = _device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    threads = torch.get_num_threads()
    print(
        f"PyTorch {torch.__version__} on {name}, "
        f"{threads} CPU thread{'s' * (threads > 1)}, seed {seed}."
    )
    return device


def _threads() -> int:
    """The number that COMPANION_THREADS insists on, else the outcome of a trial."""
    text = os.environ.get("COMPANION_THREADS")
    if text is None:
        return 2 if _two_are_faster() else 1
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(
            f"COMPANION_THREADS is {text!r}; set it to a whole number of 1 or more."
        )
    return int(text)


def _two_are_faster() -> bool:
    """Whether two threads beat one in every round of a short trial.

    Two threads wait for each other after each operation. On free cores they gain a
    third; beside another busy process one waits for its core, again and again, and a
    training can take many times longer than with a single thread.
    """
    if (os.cpu_count() or 1) < 2:
        return False
    x, w = torch.zeros(16, 8, 28, 28), torch.zeros(16, 8, 3, 3)

    def seconds(threads: int) -> float:
        torch.set_num_threads(threads)
        F.conv2d(x, w, padding=1)  # the first call of new threads is slow
        start = time.perf_counter()
        for _ in range(TRIAL_CALLS):
            F.conv2d(x, w, padding=1)
        return time.perf_counter() - start

    seconds(2)
    return all(seconds(2) < 0.9 * seconds(1) for _ in range(TRIAL_ROUNDS))


def _device() -> torch.device:
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    wanted = os.environ.get("COMPANION_DEVICE")
    if wanted is None:
        return torch.device(next(name for name, here in available.items() if here))
    if not available.get(wanted, False):
        here = ", ".join(name for name, is_here in available.items() if is_here)
        raise ValueError(
            f"COMPANION_DEVICE is {wanted!r}, but this machine has: {here}."
        )
    return torch.device(wanted)


def data_dir() -> Path:
    """The folder of the full data sets; it need not exist yet."""
    return Path(
        os.environ.get("COMPANION_DATA") or user_cache_dir("learning-to-draw")
    ).expanduser()


def offline() -> bool:
    """Whether downloading is forbidden (COMPANION_OFFLINE=1)."""
    return os.environ.get("COMPANION_OFFLINE", "0") not in ("", "0")


def records_dir() -> Path | None:
    """Where `record` leaves a copy of its numbers, or None."""
    folder = os.environ.get("COMPANION_RECORDS")
    return Path(folder).expanduser() if folder else None


@contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; each model's former mode comes back."""
    modes = [(module, module.training) for m in models for module in m.modules()]
    for model in models:
        model.eval()
    try:
        # Not inference_mode: what is made here may go into a training later.
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def random_state() -> dict[str, Any]:
    """The state of torch's own generators, on every device."""
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """Put back what `random_state` returned, as far as this machine has the devices."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def same_random_state() -> Iterator[None]:
    """Whatever is drawn within, the numbers afterwards are as if nothing had been."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)


def save_file(path: str | Path, write: Callable[[Path], None]) -> None:
    """Write a file whole or not at all.

    `write(temporary)` fills a temporary file in the same folder, which then takes
    the name `path`; a leading ~ is the home folder. If anything fails, the old file
    stays as it was.

    Raises: OSError if the folder cannot be made or written, naming `path`.
    """
    path = Path(path).expanduser()
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
        write(temporary)
        # A temporary file is private; the finished one has the usual permissions.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save: RuntimeError on a full disk
        raise OSError(
            f"Could not write {path}: {getattr(error, 'strerror', None) or error}. "
            "Choose a writable folder with free space; an older file is unharmed."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
