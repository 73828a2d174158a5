"""Digits by label in pixels and in the latent space of a VQ-VAE: cost and quality.

In the latent space a flow learns the vectors of the codebook for the training digits, a
map of 7 x 7, each channel with mean 0 and deviation 1. Samples are moved to the nearest
vectors of the codebook and decoded. The flow in pixels has as many steps as take about
as long as the VQ-VAE and the flow in its latent space together. What passes through the
VQ-VAE alone shows how good decoded pictures can be.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.lr_scheduler import OneCycleLR

from companion.compression import code_images, image_codes
from companion.data import Batches, ImageData, digits
from companion.losses.vqvae import nearest_codes
from companion.models.diffusion import VelocityDenoiser
from companion.models.unet import TimeUNet, UNetFlow
from companion.models.vqvae import VQVAE
from companion.recipes.flow_digits import flow_training
from companion.recipes.game import compared_with, whole
from companion.trainers.vqvae import VQVAETrainer
from companion.workshop.recipe import Found, Study, num_classes, setting

Sample = Callable[..., Tensor]


@dataclass(frozen=True, kw_only=True)
class Latents(Study):
    source = "MNIST"

    steps: int = setting(2000, "optimiser steps of the flow in the latent space")
    pixel_steps: int = setting(2000, "optimiser steps of the flow in pixels")
    code_steps: int = setting(1500, "optimiser steps of the VQ-VAE", least=2)
    seeds: int = setting(3, "trainings of each")
    batch_size: int = setting(32, "images a step of a flow")
    code_batch: int = setting(64, "images a step of the VQ-VAE")
    lr: float = setting(4e-3, "highest learning rate of a flow")
    code_lr: float = setting(6e-3, "highest learning rate of the VQ-VAE")
    num_codes: int = setting(512, "vectors of the codebook", least=2)
    maps: tuple[int, ...] = setting((64,), "channels in the latent space")
    pixel_maps: tuple[int, ...] = setting((24, 48), "channels in pixels")
    drop: float = setting(0.1, "share of dropped labels", below=1)
    decay: float = setting(0.998, "of the average of the weights", least=0, below=1)
    weight_decay: float = setting(0.01, "decay of the weights", least=0)
    num_images: int = setting(2000, "images that the judge compares", least=100)
    draw_steps: int = setting(10, "steps of Heun from noise to a picture")

    def find_out(self, device: torch.device) -> Found:
        return self.from_data(digits().to(device))

    def from_data(self, data: ImageData) -> Found:
        """For pixels, latent space and VQ-VAE alone the scores of each seed.

        Also the seconds of the training and those of drawing as many images.
        """
        begun = time.perf_counter()
        test = data.test.x[: self.num_images]
        measure = compared_with(test)
        runs: dict[str, list[dict[str, float]]] = defaultdict(list)
        for seed in range(self.seed, self.seed + self.seeds):
            torch.manual_seed(seed)
            for name, (sample, seconds) in {
                "pixels": self.in_pixels(data, seed),
                **self.in_latent_space(data, test, seed),
            }.items():
                generator = torch.Generator(test.device).manual_seed(1)
                before = time.perf_counter()
                x = sample(len(test), generator=generator)
                drawing = time.perf_counter() - before
                scores = measure(x) | {"seconds": seconds, "drawing": drawing}
                runs[name].append({key: round(v, 4) for key, v in scores.items()})
                print(seed, name, runs[name][-1], flush=True)
        steps = self.seeds * (self.steps + self.pixel_steps + self.code_steps)
        values = {"images": self.num_images, "runs": dict(runs)}
        return Found(values, steps, time.perf_counter() - begun)

    def in_pixels(self, data: ImageData, seed: int) -> tuple[Sample, float]:
        """How a flow of pixels draws, and the seconds of its training."""
        x, y = data.train.x, data.train.y
        flow = UNetFlow(
            tuple(x.shape[1:]),
            widths=self.pixel_maps,
            num_classes=num_classes(data),
            untold=True,
        )
        flow, seconds = self.trained(flow.to(x.device), x, y, self.pixel_steps, seed)
        return partial(flow.sample, steps=self.draw_steps), seconds

    def in_latent_space(
        self, data: ImageData, test: Tensor, seed: int
    ) -> dict[str, tuple[Sample, float]]:
        """The same for a flow of the codebook's vectors, and test images passed on."""
        x, y = data.train.x, data.train.y
        vqvae, before = self.codes(x, seed)
        z = vqvae.lookup(image_codes(vqvae, x)).detach()
        std, mean = torch.std_mean(z, dim=(0, 2, 3), keepdim=True)
        network = TimeUNet(
            tuple(z.shape[1:]),
            self.maps,
            patch=1,
            num_classes=num_classes(data),
            untold=True,
        )
        flow = VelocityDenoiser(network.to(x.device), unit_range=False)
        flow, seconds = self.trained(flow, (z - mean) / std, y, self.steps, seed)

        def decoded(n: int, *, generator: torch.Generator) -> Tensor:
            drawn = flow.sample(n, steps=self.draw_steps, generator=generator)
            codes = nearest_codes(mean + std * drawn, vqvae.codebook)
            return code_images(vqvae, codes)

        def passed(n: int, *, generator: torch.Generator) -> Tensor:
            return code_images(vqvae, image_codes(vqvae, test[:n]))

        return {
            "latent space": (decoded, before + seconds),
            "VQ-VAE alone": (passed, before),
        }

    def trained(
        self, flow: nn.Module, x: Tensor, y: Tensor, steps: int, seed: int
    ) -> tuple[nn.Module, float]:
        """The average of a flow's weights after its training, and the seconds."""
        training = flow_training(replace(self, steps=steps, seed=seed), flow, x, y)
        history = whole(training.trainer, training.batches, steps=steps)
        return training.network, history.seconds

    def codes(self, x: Tensor, seed: int) -> tuple[VQVAE, float]:
        """A trained VQ-VAE, and the seconds."""
        vqvae = VQVAE(tuple(x.shape[1:]), num_codes=self.num_codes).to(x.device)
        opt = Adam(vqvae.parameters(), self.code_lr, fused=True)
        schedule = OneCycleLR(opt, self.code_lr, total_steps=self.code_steps)
        trainer = VQVAETrainer(vqvae, opt, schedule=schedule, revive_every=10)
        batches = Batches(x, batch_size=self.code_batch, seed=seed, drop_last=True)
        history = whole(trainer, batches, steps=self.code_steps)
        return vqvae, history.seconds
