"""The conditional variational autoencoder: a label goes into both halves."""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from companion.data.checks import check_labels
from companion.models.blocks import check_images, check_latent, check_lengths


class ConditionalVAE(nn.Module):
    """An MLP VAE of p(x | y): the label moves the hidden layers of both halves.

    Each label has a vector that is added before the ReLU, which is a linear layer of
    its one-hot. The vectors begin large, with entries of N(0, 9), so that the label
    chooses the units that are at work from the first step; beginning small, it is
    ignored for thousands of steps.

    `given(y)` has the interface of a plain VAE, so that `negative_elbo` and all that
    is built on it serve both.

    Shapes: images (B, *image_shape) in [0, 1]; y (B,) of int64; codes (B, latent);
        the decoder returns logits of the images' shape.
    Raises: ValueError for sizes below 1 or fewer than 2 classes.
    Source: Sohn et al. (2015), section 4.
    Differs: the prior over the code does not depend on the label.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        hidden: int = 400,
        latent: int = 20,
        num_classes: int = 10,
    ):
        super().__init__()
        if min(*image_shape, hidden, latent) < 1 or num_classes < 2:
            raise ValueError(
                f"image_shape {tuple(image_shape)}, hidden {hidden} and latent "
                f"{latent} must be 1 or more, num_classes {num_classes} at least 2."
            )
        self.image_shape = tuple(image_shape)
        self.latent, self.num_classes = latent, num_classes
        pixels = prod(image_shape)
        self.from_image = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden))
        self.label_to_encoder = nn.Embedding(num_classes, hidden)
        self.to_mu = nn.Linear(hidden, latent)
        self.to_log_var = nn.Linear(hidden, latent)
        self.from_code = nn.Linear(latent, hidden)
        self.label_to_decoder = nn.Embedding(num_classes, hidden)
        for labels in (self.label_to_encoder, self.label_to_decoder):
            nn.init.normal_(labels.weight, std=3.0)
        self.to_image = nn.Sequential(
            nn.Linear(hidden, pixels), nn.Unflatten(1, self.image_shape)
        )

    def given(self, y: Tensor) -> "Given":
        """The VAE of p(x | y) for the labels y of a batch.

        Raises: TypeError if y is not int64; ValueError if it is not (B,), is empty,
            or holds a class outside 0..num_classes-1.
        """
        check_labels("y", y, self.num_classes)
        return Given(self, y)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        y: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """n images of the mean of p(x | z, y), z ~ N(0, I): (n, *image_shape).

        Without y, the classes take turns: 0, 1, 2, and so on.

        Raises: ValueError if n is below 1 or y does not hold n classes.
        """
        if n < 1:
            raise ValueError(f"n is {n}; ask for 1 image or more.")
        device = self.to_mu.weight.device
        if y is None:
            y = torch.arange(n, device=device) % self.num_classes
        if len(y) != n:
            raise ValueError(f"y holds {len(y)} classes for {n} images; make equal.")
        z = torch.randn(n, self.latent, generator=generator, device=device)
        return self.given(y).decode(z).sigmoid()


@dataclass(frozen=True)
class Given:
    """A conditional VAE whose labels are settled; see `ConditionalVAE.given`."""

    vae: ConditionalVAE
    y: Tensor

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma^2 of q(z | x, y), each (B, latent).

        Raises: ValueError if x is not a batch of images, one for each label.
        """
        check_images(x, self.vae.image_shape)
        check_lengths("x", x, self.y)
        h = self.vae.from_image(x) + self.vae.label_to_encoder(self.y)
        h = h.relu()
        return self.vae.to_mu(h), self.vae.to_log_var(h)

    def decode(self, z: Tensor) -> Tensor:
        """Logits of p(x | z, y), (B, *image_shape).

        Raises: ValueError if z is not (B, latent), one code for each label.
        """
        check_latent(z, self.vae.latent)
        check_lengths("z", z, self.y)
        h = self.vae.from_code(z) + self.vae.label_to_decoder(self.y)
        return self.vae.to_image(h.relu())
