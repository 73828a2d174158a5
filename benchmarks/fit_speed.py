"""What the loop costs, and what tensors in memory save.

    python -m benchmarks.fit_speed

Two comparisons on full MNIST with the MLP VAE 784-400-20, batches of 128, Adam
at 1e-3, the grey-level loss:

1. `fit` against a bare loop over the same batches: five interleaved pairs of three
   epochs each, the median of the ratios of seconds.
2. `fit`, as the book uses it, against the way of the well-known example script of
   PyTorch (github.com/pytorch/examples, folder vae): a DataLoader that turns one
   image after the other into a tensor, Adam in its default, unfused form, denormal
   numbers kept (so in a process of its own). Written anew here with the same
   network, loss and number of steps; ten epochs each. As in the script, an epoch
   ends with the test loss.
"""

import argparse
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from benchmarks import count, keep
from companion.data import Batches, digits
from companion.losses import negative_elbo
from companion.models.vae import MLPVAE
from companion.runtime import data_dir, evaluating, setup
from companion.trainers import VAETrainer, fit

BATCH = 128
PAIR_EPOCHS = 3


def new_trainer(*, fused: bool = True) -> VAETrainer:
    torch.manual_seed(0)
    vae = MLPVAE()
    opt = torch.optim.Adam(vae.parameters(), lr=1e-3, fused=fused)
    return VAETrainer(vae, opt)


def seconds_of_fit(x: torch.Tensor, epochs: int) -> float:
    trainer, batches = new_trainer(), Batches(x, batch_size=BATCH)
    start = time.perf_counter()
    fit(trainer, batches, epochs=epochs, progress=False)
    return time.perf_counter() - start


def seconds_of_bare_loop(x: torch.Tensor, epochs: int) -> float:
    """The same network, batches and updates, with nothing kept but the last loss."""
    trainer, batches = new_trainer(), Batches(x, batch_size=BATCH)
    vae, opt = trainer.vae, trainer.opt
    vae.train()
    start = time.perf_counter()
    for _ in range(epochs):
        for (batch,) in batches:
            loss = negative_elbo(vae, batch)["loss"]
            opt.zero_grad()
            loss.backward()
            opt.step()
    return time.perf_counter() - start


def example_loader(*, train: bool) -> DataLoader:
    images = MNIST(data_dir(), train=train, transform=ToTensor())
    return DataLoader(images, batch_size=BATCH, shuffle=train)


def run_example(epochs: int, threads: int) -> tuple[float, float]:
    """Seconds and the last test loss."""
    torch.set_num_threads(threads)
    train, test = example_loader(train=True), example_loader(train=False)
    trainer = new_trainer(fused=False)
    start = time.perf_counter()
    for _ in range(epochs):
        for x, _ in train:
            trainer.step(x)
        total = sum(len(x) * mean_loss(trainer, x) for x, _ in test)
    return time.perf_counter() - start, total / len(test.dataset)


def run_ours(x: torch.Tensor, test_x: torch.Tensor, epochs: int) -> tuple[float, float]:
    """Seconds and the last test loss."""
    trainer, batches = new_trainer(), Batches(x, batch_size=BATCH)
    history = fit(
        trainer,
        batches,
        epochs=epochs,
        validate=lambda: {"test_loss": mean_loss(trainer, test_x)},
        progress=False,
    )
    return history.seconds, history["test_loss"][-1]


def mean_loss(trainer: VAETrainer, x: torch.Tensor) -> float:
    with evaluating(trainer.vae):
        return negative_elbo(trainer.vae, x)["loss"].item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=count, default=5)
    parser.add_argument("--epochs", type=count, default=10)
    arguments = parser.parse_args()
    begin = time.perf_counter()
    setup()
    data = digits(source="full")
    # All 60,000, as in the example script.
    x = torch.cat([data.train.x, data.validation.x])

    seconds_of_bare_loop(x, 1)  # warm up
    ratios = []
    for pair in range(arguments.pairs):
        runs = [seconds_of_fit, seconds_of_bare_loop]
        timed = {run: run(x, PAIR_EPOCHS) for run in (runs if pair % 2 else runs[::-1])}
        ratios.append(timed[seconds_of_fit] / timed[seconds_of_bare_loop])
        print(
            f"pair {pair + 1}: fit {timed[seconds_of_fit]:.2f} s, "
            f"bare {timed[seconds_of_bare_loop]:.2f} s, ratio {ratios[-1]:.3f}"
        )

    ours, test_loss = run_ours(x, data.test.x, arguments.epochs)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        run = apart.submit(run_example, arguments.epochs, torch.get_num_threads())
        theirs, example_test_loss = run.result()
    values = {
        "overhead_percent": round(100 * (statistics.median(ratios) - 1), 2),
        "seconds_per_epoch": round(ours / arguments.epochs, 3),
        "example_seconds_per_epoch": round(theirs / arguments.epochs, 3),
        "speed_up": round(theirs / ours, 2),
        "test_loss": round(test_loss, 2),
        "example_test_loss": round(example_test_loss, 2),
    }
    keep(
        "fit_speed",
        values,
        command=f"python -m benchmarks.fit_speed --pairs {arguments.pairs} "
        f"--epochs {arguments.epochs}",
        device=torch.device("cpu"),
        data=data.source,
        steps=arguments.epochs * len(Batches(x, batch_size=BATCH)),
        seconds=time.perf_counter() - begin,
    )


if __name__ == "__main__":
    main()
