"""How well an LSTM reads a digit as a sequence of 784 single pixels.

    python -m benchmarks.pixel_classifier [--steps N] [--shuffled]

Trains `RowClassifier` on full MNIST, each image a sequence of 784 rows of one pixel;
with --shuffled all images go through one fixed permutation first. The biases are such
that each unit begins with a memory of its own length, from 1 to 784 steps: with one
large forget bias for all, which takes in every input in full as well, the gradient
explodes. It measures the accuracy on the whole test set. The result goes to
companion/records/pixel_classifier.json, or pixel_classifier_shuffled.json.
"""

import argparse

import torch
from torch import Tensor
from torch.optim import Adam
from torch.optim.lr_scheduler import OneCycleLR

from benchmarks import count, fit_to_end, keep
from companion.data import Batches, digits
from companion.metrics import accuracy, predict
from companion.models.rnn import RowClassifier, spread_memories
from companion.runtime import setup
from companion.trainers.rnn import RowTrainer

PIXELS = 784
BATCH, LR, HIDDEN, MAX_NORM = 128, 4e-3, 64, 1.0


def as_pixels(x: Tensor, order: Tensor | None) -> Tensor:
    """(N, 1, 28, 28) -> (N, 1, 784, 1), in the given order."""
    x = x.flatten(2)
    return (x if order is None else x[:, :, order.to(x.device)])[..., None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=count, default=6000)
    parser.add_argument("--shuffled", action="store_true")
    arguments = parser.parse_args()
    device = setup(0)
    data = digits(source="full").to(device)
    order = None
    if arguments.shuffled:
        order = torch.randperm(PIXELS, generator=torch.Generator().manual_seed(0))
    model = RowClassifier(1, HIDDEN)
    spread_memories(model.rnn, PIXELS)
    model.to(device)
    batches = Batches(as_pixels(data.train.x, order), data.train.y, batch_size=BATCH)
    steps = arguments.steps
    opt = Adam(model.parameters(), lr=LR, fused=True)
    schedule = OneCycleLR(opt, LR, total_steps=steps, pct_start=0.1)
    trainer = RowTrainer(model, opt, max_norm=MAX_NORM, schedule=schedule)
    history = fit_to_end(trainer, batches, steps=steps)

    right = accuracy(predict(model, as_pixels(data.test.x, order)), data.test.y)
    values = {
        "test_accuracy": round(right, 4),
        "test_images": len(data.test.y),
        "training_seconds": round(history.seconds, 1),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    option = " --shuffled" if arguments.shuffled else ""
    keep(
        "pixel_classifier" + ("_shuffled" if arguments.shuffled else ""),
        values,
        command=f"python -m benchmarks.pixel_classifier --steps {steps}" + option,
        device=device,
        data=f"{data.source}; one pixel a step, "
        + ("one fixed random order" if arguments.shuffled else "from the top left"),
        steps=steps,
        seconds=history.seconds,
    )


if __name__ == "__main__":
    main()
