"""A VAE whose posterior lets the numbers of the code depend on each other."""

import torch
from torch import Tensor, nn

from companion.models.blocks import check_images
from companion.models.vae import ConvVAE


class FullCovarianceVAE(ConvVAE):
    """A convolutional VAE with q(z|x) = N(mu, L L^T), L lower triangular.

    L has sigma on its diagonal. One more linear layer gives what is below; it begins
    at zero, so training begins with an independent posterior, and its output is divided
    by the size of the code, for each z_i sums up to so many terms.

    Shapes and errors: as `ConvVAE`.
    Source: Kingma and Welling (2019), section 2.5.1.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        widths: tuple[int, int] = (16, 32),
        latent: int = 32,
        hidden: int = 256,
    ):
        super().__init__(image_shape, widths, latent, hidden)
        self.to_lower = nn.Linear(hidden, latent * (latent - 1) // 2)
        nn.init.zeros_(self.to_lower.weight)
        nn.init.zeros_(self.to_lower.bias)

    def encode_full(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu (B, latent) and L (B, latent, latent) of q(z|x) = N(mu, L L^T).

        Raises: ValueError if x is not a batch of images of `image_shape`.
        """
        check_images(x, self.image_shape)
        h = self.encoder(x)
        L = torch.diag_embed((0.5 * self.to_log_var(h)).exp())
        rows, columns = torch.tril_indices(self.latent, self.latent, -1)
        L[:, rows, columns] = self.to_lower(h) / self.latent
        return self.to_mu(h), L

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma^2 of each number of the code alone, each (B, latent)."""
        mu, L = self.encode_full(x)
        return mu, L.square().sum(dim=2).log()
