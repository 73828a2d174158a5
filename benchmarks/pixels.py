"""How good a model that draws pixel by pixel gets in five minutes on two cores.

    python -m benchmarks.pixels [--model transformer|rnn|cnn] [--steps N]

Trains `CausalTransformer`, `PixelRNN` or `PixelCNN` on full MNIST, each batch binarised
anew, and measures the exact negative log-likelihood of the whole test set, binarised
once with seed 0. The result goes to companion/records/pixels_transformer.json, and so
on.
"""

import argparse

import torch
from torch.optim import Adam
from torch.optim.lr_scheduler import OneCycleLR

from benchmarks import count, fit_to_end, keep
from companion.data import Batches, binarize, digits
from companion.losses import bernoulli_nll
from companion.metrics import predict
from companion.models.attention import CausalTransformer
from companion.models.pixelcnn import PixelCNN
from companion.models.pixelrnn import PixelRNN
from companion.runtime import setup
from companion.trainers.pixelcnn import LikelihoodTrainer

BATCH = 16
# The network and its highest rate, as in the chapter on drawing.
MODELS = {
    "transformer": (CausalTransformer, 6e-3),
    "rnn": (PixelRNN, 8e-3),
    "cnn": (PixelCNN, 8e-3),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="transformer")
    parser.add_argument("--steps", type=count, default=7500)
    arguments = parser.parse_args()
    name, steps = arguments.model, arguments.steps
    device = setup(0)
    data = digits(source="full").to(device)
    network, lr = MODELS[name]
    model = network().to(device)
    opt = Adam(model.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
    schedule = OneCycleLR(opt, lr, total_steps=steps, pct_start=0.1)
    history = fit_to_end(
        LikelihoodTrainer(model, opt, max_norm=10.0, schedule=schedule),
        Batches(data.train.x, batch_size=BATCH, augment=binarize),
        steps=steps,
    )
    generator = torch.Generator(device).manual_seed(0)
    bits = binarize(data.test.x, generator=generator)
    nll = bernoulli_nll(predict(model, bits, batch_size=250), bits)
    values = {
        "nll": round(nll.mean().item(), 2),
        "standard_error": round((nll.std() / len(nll) ** 0.5).item(), 2),
        "test_images": len(bits),
        "training_seconds": round(history.seconds, 1),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    keep(
        f"pixels_{name}",
        values,
        command=f"python -m benchmarks.pixels --model {name} --steps {steps}",
        device=device,
        data=f"{data.source}; training binarised anew each step, test once (seed 0)",
        steps=steps,
        seconds=history.seconds,
    )


if __name__ == "__main__":
    main()
