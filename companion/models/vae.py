"""Variational autoencoders."""

from math import prod

import torch
from torch import Tensor, nn


class MLPVAE(nn.Module):
    """A VAE of fully connected layers with a Bernoulli decoder.

    Shapes: images (B, *image_shape) in [0, 1]; codes (B, latent); the decoder
        returns logits of the images' shape.
    Raises: ValueError for sizes below 1.
    Source: Kingma and Welling (2013), appendix C; the usual sizes are 784-400-20.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        hidden: int = 400,
        latent: int = 20,
    ):
        super().__init__()
        if min(*image_shape, hidden, latent) < 1:
            raise ValueError(
                f"image_shape {image_shape}, hidden {hidden} and latent {latent} "
                "must all be 1 or more."
            )
        self.image_shape = tuple(image_shape)
        self.latent = latent
        pixels = prod(image_shape)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU())
        self.to_mu = nn.Linear(hidden, latent)
        self.to_log_var = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.ReLU(),
            nn.Linear(hidden, pixels),
            nn.Unflatten(1, self.image_shape),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma^2 of q(z|x), each (B, latent).

        Raises: ValueError if x is not a batch of images of `image_shape`.
        """
        if x.shape[1:] != self.image_shape:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; this network takes "
                f"(B, {', '.join(map(str, self.image_shape))})."
            )
        h = self.encoder(x)
        return self.to_mu(h), self.to_log_var(h)

    def decode(self, z: Tensor) -> Tensor:
        """Logits of p(x|z), (B, *image_shape).

        Raises: ValueError if z is not (B, latent).
        """
        if z.dim() != 2 or z.shape[1] != self.latent:
            raise ValueError(
                f"z has shape {tuple(z.shape)}; this network takes (B, {self.latent})."
            )
        return self.decoder(z)

    @torch.inference_mode()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """n images of the mean of p(x|z), z ~ N(0, I): (n, *image_shape) in [0, 1].

        Raises: ValueError if n is below 1.
        """
        if n < 1:
            raise ValueError(f"n is {n}; ask for 1 image or more.")
        device = self.to_mu.weight.device
        z = torch.randn(n, self.latent, generator=generator, device=device)
        return self.decode(z).sigmoid()
