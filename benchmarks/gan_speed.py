"""How fast a step of the chapter's DCGAN is, beside the usual way to write it.

    python -m benchmarks.gan_speed

The same widths (64 and 32 channels), batches of 64 grey images of 28 x 28 pixels in
memory, one update of each network a step:

- ours: `GANTrainer` with the layers at the pixels as sub-pixel convolutions, fused
  Adam, no batch normalisation in D; once as plain as the example, and once with R1 at
  every eighth step and an average of weights, as the chapter trains;
- the well-known example script of PyTorch (github.com/pytorch/examples, folder
  dcgan), written anew here with its layers and updates: transposed convolutions only,
  batch normalisation in both networks, probabilities and `BCELoss`, three backward
  passes, Adam in its default form.

Interleaved rounds of runs; the median of the ratios of seconds counts. Then the time
of sampling. The result goes to companion/records/gan_speed.json.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Adam

from benchmarks import count, keep
from companion.data import digits
from companion.models.gan import DCGANDiscriminator, DCGANGenerator, init_dcgan
from companion.runtime import setup
from companion.trainers import GANTrainer, WeightAverage

BATCH, LATENT, SAMPLES = 64, 64, 1000


def our_trainer(device: torch.device, plain: bool) -> GANTrainer:
    G = DCGANGenerator(widths=(64, 32), latent=LATENT, subpixel=True).to(device)
    D = DCGANDiscriminator(widths=(32, 64), subpixel=True).to(device)
    opts = [Adam(net.parameters(), 2e-3, (0.5, 0.99), fused=True) for net in (G, D)]
    extras = {} if plain else {"r1": 0.02, "average": WeightAverage(G)}
    return GANTrainer(G, D, *opts, **extras)


def example_step(device: torch.device) -> Callable[[Tensor], object]:
    G = nn.Sequential(
        nn.ConvTranspose2d(LATENT, 64, 7, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1, bias=False),
        nn.Tanh(),
    )
    D = nn.Sequential(
        nn.Conv2d(1, 32, 4, stride=2, padding=1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(32, 64, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(64, 1, 7, bias=False),
        nn.Sigmoid(),
    )
    for network in (G, D):
        init_dcgan(network.to(device))
    opt_G, opt_D = (Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (G, D))
    criterion = nn.BCELoss()
    ones, zeros = (torch.full((BATCH,), v, device=device) for v in (1.0, 0.0))

    def step(x: Tensor) -> object:
        D.zero_grad()
        loss_real = criterion(D(2 * x - 1).flatten(), ones)
        loss_real.backward()
        x_fake = G(torch.randn(BATCH, LATENT, 1, 1, device=device))
        loss_fake = criterion(D(x_fake.detach()).flatten(), zeros)
        loss_fake.backward()
        opt_D.step()
        G.zero_grad()
        loss_G = criterion(D(x_fake).flatten(), ones)
        loss_G.backward()
        opt_G.step()
        return loss_real.item() + loss_fake.item(), loss_G.item()

    return step


def seconds(run: Callable[..., object], inputs: Iterable[object]) -> float:
    """Of `run` on each input, until the device has done its work."""
    start = time.perf_counter()
    for x in inputs:
        run(x)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=count, default=9)
    parser.add_argument("--steps", type=count, default=160, help="of each run")
    arguments = parser.parse_args()
    begin = time.perf_counter()
    device = setup(0)
    data = digits(source="full").to(device)
    batches = data.train.x[: BATCH * arguments.steps].split(BATCH)
    if len(batches[-1]) < BATCH or len(batches) < arguments.steps:
        parser.error(f"--steps is above the {len(data.train.x) // BATCH} full batches")
    ours = our_trainer(device, plain=False)
    steps = {
        "ours": ours.step,
        "plain": our_trainer(device, plain=True).step,
        "example": example_step(device),
    }
    for step in steps.values():  # warm up
        seconds(step, batches[:20])
    timed: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(arguments.rounds):
        order = list(steps)[:: 1 if turn % 2 else -1]
        for name in order:
            timed[name].append(seconds(steps[name], batches))
        last = ", ".join(f"{name} {timed[name][-1]:.2f} s" for name in steps)
        print(f"round {turn + 1}: {last}")

    sampling = min(seconds(ours.G.sample, (SAMPLES,)) for _ in range(5))
    values = {}
    for name, runs in timed.items():
        ms = 1000 * statistics.median(runs) / len(batches)
        values[f"{name}_ms_a_step"] = round(ms, 2)
    for name in ("ours", "plain"):
        ratios = [b / a for a, b in zip(timed[name], timed["example"], strict=True)]
        values[f"{name}_speed_up"] = round(statistics.median(ratios), 2)
    values["samples_a_second"] = round(SAMPLES / sampling)
    keep(
        "gan_speed",
        values,
        command=f"python -m benchmarks.gan_speed --rounds {arguments.rounds} "
        f"--steps {arguments.steps}",
        device=device,
        data=data.source,
        steps=arguments.rounds * len(batches),
        seconds=time.perf_counter() - begin,
    )


if __name__ == "__main__":
    main()
