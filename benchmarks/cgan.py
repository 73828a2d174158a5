"""How good the conditional GAN gets in three minutes, and how beautiful in ten.

    python -m benchmarks.cgan [--data digits|clothes] [--steps N]

Trains the pair of the chapter on conditional GANs, only longer: labels by conditional
batch normalisation and projection, the same widths, rates and penalty.

- digits: on full MNIST. 10,000 samples, without truncation or rejection, with the
  labels of 10,000 training images chosen by seed 0, are compared with these images by
  the shipped judge, which took no part in the training or in the choice of settings.
  The numbers go to companion/records/cgan_digits.json.
- clothes: on Fashion-MNIST. The first twelve samples of each class become
  companion/records/cgan_clothes.png. No judge of clothes ships with the book, so 2,000
  samples are compared with their nearest training pictures, beside 2,000 test images.
"""

import argparse
from pathlib import Path

import torch
from PIL import Image
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from benchmarks import count, fit_to_end, keep
from companion import records
from companion.data import Batches, ImageData, digits, fashion
from companion.metrics import (
    accuracy,
    confident_share,
    predict,
    relative_frechet_distance,
)
from companion.models.cgan import ConditionalDCGANGenerator, ProjectionDiscriminator
from companion.models.judge import load_judge
from companion.runtime import evaluating, save_file, setup
from companion.trainers import GANTrainer, History, WeightAverage

BATCH, LR, BETAS, R1, DECAY = 64, 3e-3, (0.5, 0.99), 0.1, 0.998
STEPS = {"digits": 2000, "clothes": 10_000}
COLUMNS = 12  # of the sheet of clothes


def train(data: ImageData, steps: int) -> tuple[ConditionalDCGANGenerator, History]:
    """The averaged generator after `steps` batches, and how the training went."""
    device = data.train.x.device
    G = ConditionalDCGANGenerator(subpixel=True).to(device)
    D = ProjectionDiscriminator(subpixel=True).to(device)
    opts = [Adam(net.parameters(), LR, BETAS, fused=True) for net in (G, D)]
    schedules = [LambdaLR(o, lambda t: min(1, 2 - 2 * t / steps)) for o in opts]
    average = WeightAverage(G, DECAY)
    trainer = GANTrainer(
        G,
        D,
        *opts,
        r1=R1,
        average=average,
        schedule_G=schedules[0],
        schedule_D=schedules[1],
    )
    batches = Batches(data.train.x, data.train.y, batch_size=BATCH, drop_last=True)
    return average.G, fit_to_end(trainer, batches, steps=steps)


def judged(G: ConditionalDCGANGenerator, data: ImageData) -> dict[str, float]:
    """Samples for the labels of 10,000 training images, beside these images."""
    device = data.train.x.device
    order = torch.randperm(
        len(data.train.x), generator=torch.Generator().manual_seed(0)
    )
    chosen = order[:10_000].to(device)
    y = data.train.y[chosen]
    generator = torch.Generator(device).manual_seed(1)
    samples = G.sample(len(y), y=y, generator=generator)
    judge = load_judge(device)
    real, fake = (
        predict(judge, x, function=judge.features)
        for x in (data.train.x[chosen], samples)
    )
    logits, on_test = (predict(judge, x) for x in (samples, data.test.x))
    shares = logits.argmax(dim=1).bincount(minlength=10) / len(y)
    return {
        "relative_frechet_distance": round(relative_frechet_distance(real, fake), 4),
        "confident_share": round(confident_share(logits) / confident_share(on_test), 3),
        "obedience": round(accuracy(logits, y), 3),
        "smallest_class": round(shares.min().item(), 3),
        "largest_class": round(shares.max().item(), 3),
        "samples": len(y),
    }


def beside_neighbours(
    G: ConditionalDCGANGenerator, data: ImageData
) -> dict[str, float]:
    """Samples and test images: label and distance of the nearest training picture.

    A generator that copies comes nearer to the training pictures than new pictures do.
    """
    device = data.train.x.device
    x_test, y = data.test.x[:2000], data.test.y[:2000]
    generator = torch.Generator(device).manual_seed(1)
    samples = G.sample(len(y), y=y, generator=generator)

    values = {}
    for name, x in (("samples", samples), ("test_images", x_test)):
        apart = torch.cdist(x.flatten(1), data.train.x.flatten(1))
        distance, nearest = apart.min(dim=1)
        agrees = (data.train.y[nearest] == y).double().mean().item()
        values[f"{name}_neighbour_agrees"] = round(agrees, 3)
        values[f"{name}_neighbour_distance"] = round(distance.median().item(), 2)
    return values


def save_sheet(G: ConditionalDCGANGenerator, target: Path) -> None:
    """A row for each class, a noise for each column."""
    device = next(G.parameters()).device
    generator = torch.Generator(device).manual_seed(0)
    y = torch.arange(10, device=device).repeat_interleave(COLUMNS)
    z = G.noise(COLUMNS, generator=generator).repeat(10, 1)
    with evaluating(G):
        x = G(z, y).unflatten(0, (10, COLUMNS))[:, :, 0]
    pixels = x.permute(0, 2, 1, 3).flatten(0, 1).flatten(1)
    image = Image.fromarray((pixels * 255).round().byte().cpu().numpy())
    save_file(target, lambda temporary: image.save(temporary, "PNG", optimize=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=STEPS, default="digits")
    parser.add_argument("--steps", type=count)
    arguments = parser.parse_args()
    name = arguments.data
    steps = arguments.steps or STEPS[name]
    device = setup(0)
    data = (digits(source="full") if name == "digits" else fashion()).to(device)
    G, history = train(data, steps)
    if name == "digits":
        values = judged(G, data)
    else:
        values = beside_neighbours(G, data)
        save_sheet(G, Path(records.__file__).parent / "cgan_clothes.png")
    values |= {
        "training_seconds": round(history.seconds, 1),
        "parameters_of_G": sum(p.numel() for p in G.parameters()),
    }
    keep(
        f"cgan_{name}",
        values,
        command=f"python -m benchmarks.cgan --data {name} --steps {steps}",
        device=device,
        data=data.source,
        steps=steps,
        seconds=history.seconds,
    )


if __name__ == "__main__":
    main()
