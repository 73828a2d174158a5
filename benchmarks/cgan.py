"""How good the conditional DCGAN of the chapter gets in three minutes on two cores.

    python -m benchmarks.cgan [--steps 6000]

Trains the pair of the chapter on conditional GANs on full MNIST, only longer: labels by
conditional batch normalisation and projection, the same widths, rates and penalty. Then
it draws 10,000 samples, without truncation or rejection, with the labels of 10,000
training images chosen by seed 0, and compares them with these images by the shipped
judge, which took no part in the training or in the choice of settings. The result goes
to companion/records/cgan.json.
"""

import argparse

import torch
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from benchmarks import keep
from companion.data import Batches, digits
from companion.metrics import (
    accuracy,
    confident_share,
    predict,
    relative_frechet_distance,
)
from companion.models.cgan import ConditionalDCGANGenerator, ProjectionDiscriminator
from companion.models.judge import load_judge
from companion.runtime import setup
from companion.trainers import ConditionalGANTrainer, WeightAverage, fit

BATCH, LR, BETAS, R1, DECAY = 64, 3e-3, (0.5, 0.99), 0.1, 0.998
SAMPLES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6000)
    steps = parser.parse_args().steps
    device = setup(0)
    data = digits(source="full").to(device)
    G = ConditionalDCGANGenerator(subpixel=True).to(device)
    D = ProjectionDiscriminator(subpixel=True).to(device)
    opts = [Adam(net.parameters(), LR, BETAS, fused=True) for net in (G, D)]
    schedules = [LambdaLR(o, lambda t: min(1, 2 - 2 * t / steps)) for o in opts]
    average = WeightAverage(G, DECAY)
    trainer = ConditionalGANTrainer(
        G,
        D,
        *opts,
        r1=R1,
        average=average,
        schedule_G=schedules[0],
        schedule_D=schedules[1],
    )
    batches = Batches(data.train.x, data.train.y, batch_size=BATCH, drop_last=True)
    history = fit(trainer, batches, steps=steps)

    order = torch.randperm(
        len(data.train.x), generator=torch.Generator().manual_seed(0)
    )
    chosen = order[:SAMPLES].to(device)
    generator = torch.Generator(device).manual_seed(1)
    y = data.train.y[chosen]
    samples = average.G.sample(SAMPLES, y=y, generator=generator)
    judge = load_judge(device)
    real, fake = (
        predict(judge, x, function=judge.features)
        for x in (data.train.x[chosen], samples)
    )
    logits, on_test = (predict(judge, x) for x in (samples, data.test.x))
    shares = logits.argmax(dim=1).bincount(minlength=10) / SAMPLES
    values = {
        "relative_frechet_distance": round(relative_frechet_distance(real, fake), 4),
        "confident_share": round(confident_share(logits) / confident_share(on_test), 3),
        "obedience": round(accuracy(logits, y), 3),
        "smallest_class": round(shares.min().item(), 3),
        "largest_class": round(shares.max().item(), 3),
        "samples": SAMPLES,
        "training_seconds": round(history.seconds, 1),
        "parameters_of_G": sum(p.numel() for p in G.parameters()),
    }
    keep(
        "cgan",
        values,
        command=f"python -m benchmarks.cgan --steps {steps}",
        data=data.source,
        steps=steps,
        seconds=history.seconds,
    )


if __name__ == "__main__":
    main()
