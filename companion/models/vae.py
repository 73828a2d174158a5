"""Variational autoencoders."""

from math import prod

import torch
from torch import Tensor, nn

from companion.models.blocks import check_images, check_latent


class VAE(nn.Module):
    """What every VAE of the book can do: encode, decode, sample.

    A subclass sets four parts: `encoder`, images to hidden values; `to_mu` and
    `to_log_var`, hidden values to codes; `decoder`, codes to logits.

    Shapes: images (B, *image_shape) in [0, 1]; codes (B, latent); the decoder
        returns logits of the images' shape.
    Raises: ValueError for sizes below 1.
    Source: Kingma and Welling (2013), appendix C.
    """

    encoder: nn.Module
    to_mu: nn.Module
    to_log_var: nn.Module
    decoder: nn.Module

    def __init__(self, image_shape: tuple[int, int, int], latent: int):
        super().__init__()
        if len(image_shape) != 3 or min(*image_shape, latent) < 1:
            raise ValueError(
                f"image_shape is {tuple(image_shape)} and latent {latent}; give "
                "(channels, height, width) and a size of the code, all 1 or more."
            )
        self.image_shape = tuple(image_shape)
        self.latent = latent

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma^2 of q(z|x), each (B, latent).

        Raises: ValueError if x is not a batch of images of `image_shape`.
        """
        check_images(x, self.image_shape)
        h = self.encoder(x)
        return self.to_mu(h), self.to_log_var(h)

    def decode(self, z: Tensor) -> Tensor:
        """Logits of p(x|z), (B, *image_shape).

        Raises: ValueError if z is not (B, latent).
        """
        check_latent(z, self.latent)
        return self.decoder(z)

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """n images of the mean of p(x|z), z ~ N(0, I): (n, *image_shape) in [0, 1].

        Raises: ValueError if n is below 1.
        """
        if n < 1:
            raise ValueError(f"n is {n}; ask for 1 image or more.")
        device = next(self.parameters()).device
        z = torch.randn(n, self.latent, generator=generator, device=device)
        return self.decode(z).sigmoid()


class MLPVAE(VAE):
    """A VAE of fully connected layers with a Bernoulli decoder.

    Shapes and sizes: as `VAE`.
    Raises: ValueError for sizes below 1.
    Source: Kingma and Welling (2013), appendix C; the usual sizes are 784-400-20.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        hidden: int = 400,
        latent: int = 20,
    ):
        super().__init__(image_shape, latent)
        if hidden < 1:
            raise ValueError(f"hidden is {hidden}; give 1 or more.")
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


def enlarging(in_channels: int, out_channels: int) -> nn.Sequential:
    """A convolution that doubles height and width: four channels for four pixels.

    Shapes: (B, in_channels, H, W) -> (B, out_channels, 2 H, 2 W).
    Source: Shi et al. (2016), section 3.2.
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, 4 * out_channels, kernel_size=3, padding=1),
        nn.PixelShuffle(2),
    )


class ConvVAE(VAE):
    """A convolutional VAE with a Bernoulli decoder.

    Two convolutions (kernel 4, stride 2) halve height and width, two more with
    `nn.PixelShuffle` double them. Between the maps and the code stands a fully
    connected layer of `hidden` units on either side. SiLU, x sigmoid(x), for ReLU:
    it trains in far fewer steps here.

    Shapes: as `VAE`; height and width are multiples of 4.
    Raises: ValueError for sizes below 1, or sides that are no multiple of 4.
    Source: Kingma and Welling (2013); SiLU: Elfwing et al. (2018).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        widths: tuple[int, int] = (16, 32),
        latent: int = 32,
        hidden: int = 256,
    ):
        super().__init__(image_shape, latent)
        if len(widths) != 2 or min(*widths, hidden) < 1:
            raise ValueError(
                f"widths are {tuple(widths)} and hidden {hidden}; give two widths "
                "and a number of hidden units, all 1 or more."
            )
        channels, height, width = self.image_shape
        if height % 4 or width % 4:
            raise ValueError(
                f"image_shape is {self.image_shape}; two strides of 2 need a height "
                "and width that are multiples of 4: pad the images."
            )
        a, b = widths
        maps = (b, height // 4, width // 4)
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, a, kernel_size=4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(a, b, kernel_size=4, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(prod(maps), hidden),
            nn.SiLU(),
        )
        self.to_mu = nn.Linear(hidden, latent)
        self.to_log_var = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.SiLU(),
            nn.Linear(hidden, prod(maps)),
            nn.SiLU(),
            nn.Unflatten(1, maps),
            enlarging(b, a),
            nn.SiLU(),
            enlarging(a, channels),
        )
        # The layout in memory that a CPU convolves fastest; the values are the same.
        self.to(memory_format=torch.channels_last)
