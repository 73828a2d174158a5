"""How good the convolutional VAE gets in three minutes on two cores.

    python -m benchmarks.vae [--steps N]

Trains `FullCovarianceVAE` on full MNIST, each batch binarised anew, in the way of the
chapter on the VAE, only longer, on all 60,000 images that are not for testing, and with
a little weight decay, for after so many steps the network over-fits. Then it measures
on the whole test set, binarised once with seed 0: the negative ELBO, and the
importance-weighted negative log-likelihood with 500 samples for each image (this takes
longer than the training). The result goes to companion/records/vae.json.
"""

import argparse

import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from benchmarks import count, fit_to_end, keep
from companion.data import Batches, binarize, digits
from companion.losses.full_covariance import (
    full_importance_weighted_nll,
    full_path_negative_elbo,
)
from companion.models.full_covariance import FullCovarianceVAE
from companion.runtime import evaluating, setup
from companion.trainers import VAETrainer

BATCH, LR, DECAY, SAMPLES = 100, 5e-3, 0.05, 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=count, default=6000)
    steps = parser.parse_args().steps
    device = setup(0)
    data = digits(source="full").to(device)
    images = torch.cat([data.train.x, data.validation.x])
    vae = FullCovarianceVAE(latent=32).to(device)
    opt = AdamW(vae.parameters(), LR, betas=(0.9, 0.99), weight_decay=DECAY, fused=True)
    schedule = OneCycleLR(
        opt, LR, total_steps=steps, pct_start=0.1, anneal_strategy="linear"
    )
    history = fit_to_end(
        VAETrainer(vae, opt, objective=full_path_negative_elbo, schedule=schedule),
        Batches(images, batch_size=BATCH, augment=binarize),
        steps=steps,
    )
    print(f"{history.seconds:.0f} s of training")

    generator = torch.Generator(device).manual_seed(0)
    bits = binarize(data.test.x, generator=generator)
    with evaluating(vae):
        elbo = torch.stack(
            [full_path_negative_elbo(vae, x)["loss"] for x in bits.split(1000)]
        )
        nll = []
        for done, x in enumerate(bits.split(500)):
            nll.append(
                full_importance_weighted_nll(vae, x, SAMPLES, generator=generator)
            )
            print(f"{500 * (done + 1)} images: {torch.cat(nll).mean():.3f}", flush=True)
    nll = torch.cat(nll)
    values = {
        "negative_elbo": round(elbo.mean().item(), 2),
        "importance_weighted_nll": round(nll.mean().item(), 2),
        "standard_error": round((nll.std() / len(nll) ** 0.5).item(), 2),
        "samples": SAMPLES,
        "test_images": len(bits),
        "training_seconds": round(history.seconds, 1),
        "parameters": sum(p.numel() for p in vae.parameters()),
    }
    keep(
        "vae",
        values,
        command=f"python -m benchmarks.vae --steps {steps}",
        device=device,
        data=f"{data.source}; training binarised anew each step, test once (seed 0)",
        steps=steps,
        seconds=history.seconds,
    )


if __name__ == "__main__":
    main()
