"""What a busy machine costs a training, as `setup` chooses its threads.

    python -m benchmarks.busy

Three trainings of the book, each in a process of its own that begins with `setup()`,
as a notebook does: in turn alone and beside a process that only counts. The table
has the median seconds of a step, the threads that the trial of `setup` chose, and
the ratio. Set COMPANION_THREADS=2 to see what two threads at any price cost.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import torch
from torch.optim import Adam

from benchmarks import count
from companion.models.gan import DCGANDiscriminator, DCGANGenerator
from companion.models.vae import MLPVAE, ConvVAE
from companion.runtime import setup
from companion.trainers import GANTrainer, Trainer, VAETrainer

BATCH = 64
WARM_UP = 5  # steps that are not counted


def vae(kind: type[torch.nn.Module]) -> Trainer:
    network = kind()
    return VAETrainer(network, Adam(network.parameters(), fused=True))


def dcgan() -> Trainer:
    G, D = DCGANGenerator(), DCGANDiscriminator()
    return GANTrainer(G, D, Adam(G.parameters()), Adam(D.parameters()))


TRAININGS: dict[str, Callable[[], Trainer]] = {
    "MLP VAE": lambda: vae(MLPVAE),
    "convolutional VAE": lambda: vae(ConvVAE),
    "DCGAN": dcgan,
}


def timed(name: str, steps: int) -> tuple[float, int]:
    """Seconds a step, mean over `steps` steps, and the threads that ran them."""
    setup()
    trainer = TRAININGS[name]()
    x = torch.rand(BATCH, 1, 28, 28)
    for _ in range(WARM_UP):
        trainer.step(x)
    start = time.perf_counter()
    for _ in range(steps):
        trainer.step(x)
    return (time.perf_counter() - start) / steps, torch.get_num_threads()


@contextmanager
def busy_process() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def in_a_process_of_its_own(name: str, steps: int) -> tuple[float, int]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        return apart.submit(timed, name, steps).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=count, default=3, help="pairs of each training")
    parser.add_argument("--steps", type=count, default=100)
    arguments = parser.parse_args()
    rows = []
    for name in TRAININGS:
        alone, beside = [], []
        for _ in range(arguments.runs):
            alone.append(in_a_process_of_its_own(name, arguments.steps))
            with busy_process():
                beside.append(in_a_process_of_its_own(name, arguments.steps))
        rows.append((name, alone, beside))
    print(f"{'':<20}{'alone':>16}{'beside a busy one':>22}{'ratio':>8}{'worst':>8}")
    for name, alone, beside in rows:
        pairs = [b / a for (a, _), (b, _) in zip(alone, beside, strict=True)]
        print(
            f"{name:<20}{_column(alone):>16}{_column(beside):>22}"
            f"{statistics.median(pairs):>8.2f}{max(pairs):>8.2f}"
        )


def _column(runs: list[tuple[float, int]]) -> str:
    """Milliseconds, and the threads of each run."""
    threads = "".join(str(number) for _, number in runs)
    return f"{1000 * statistics.median(s for s, _ in runs):.1f} ms ({threads})"


if __name__ == "__main__":
    main()
