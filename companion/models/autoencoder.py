"""Autoencoders: an image in, a small code, the image again."""

from math import prod

import torch
from torch import Tensor, nn

from companion.models.blocks import check_images, check_latent


class Autoencoder(nn.Module):
    """A fully connected autoencoder; no noise, no distribution over codes.

    `hidden` gives the sizes of the encoder's hidden layers; the decoder has them in
    reverse order and ends in a sigmoid. Without hidden layers both are linear, the
    sigmoid is left out, and the best such network is PCA.

    Shapes: images (B, *image_shape) in [0, 1]; codes (B, latent).
    Raises: ValueError for sizes below 1.
    Source: Hinton and Salakhutdinov (2006); linear: Baldi and Hornik (1989).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        hidden: tuple[int, ...] = (400,),
        latent: int = 20,
    ):
        super().__init__()
        if len(image_shape) != 3 or min(*image_shape, *hidden, latent) < 1:
            raise ValueError(
                f"image_shape is {tuple(image_shape)}, hidden {tuple(hidden)} and "
                f"latent {latent}; all sizes are 1 or more, and an image has three."
            )
        self.image_shape, self.latent = tuple(image_shape), latent
        self.unit_range = bool(hidden)  # trainers then refuse another range
        sizes = [prod(image_shape), *hidden, latent]
        self.encoder = nn.Sequential(nn.Flatten(), *_layers(sizes))
        self.decoder = nn.Sequential(
            *_layers(sizes[::-1]),
            nn.Sigmoid() if hidden else nn.Identity(),
            nn.Unflatten(1, self.image_shape),
        )

    def encode(self, x: Tensor) -> Tensor:
        """The code z, (B, latent).

        Raises: ValueError if x is not a batch of images of `image_shape`.
        """
        check_images(x, self.image_shape)
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """The image that belongs to a code, (B, *image_shape).

        Raises: ValueError if z is not (B, latent).
        """
        check_latent(z, self.latent)
        return self.decoder(z)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


def pca(x: Tensor, num_components: int) -> tuple[Tensor, Tensor]:
    """The mean of the images and their first principal components.

    Shapes: x (N, ...), of D values each -> mean (D,), components (D, num_components),
        orthonormal columns, the direction of largest variance first.
    Raises: ValueError unless 1 <= num_components <= D and N is 2 or more.
    Source: Hotelling (1933), computed from the eigenvectors of the covariance.
    """
    flat = x.flatten(1)
    if len(flat) < 2 or not 1 <= num_components <= flat.shape[1]:
        raise ValueError(
            f"num_components is {num_components} for x of shape {tuple(x.shape)}; "
            f"give 1 to {flat.shape[1]}, and two or more images."
        )
    mean = flat.mean(dim=0)
    covariance = torch.atleast_2d(torch.cov(flat.T))
    _, vectors = torch.linalg.eigh(covariance)  # smallest first
    return mean, vectors.flip(1)[:, :num_components]


def principal_angles(A: Tensor, B: Tensor) -> Tensor:
    """The angles between two subspaces, given by the columns of A and B.

    All are zero if the subspaces are the same, whatever bases span them.

    Shapes: A, B (D, K), of rank K -> (K,), smallest first.
    Units: radians, from 0 to pi / 2.
    Raises: ValueError if the shapes differ or K exceeds D.
    Source: Bjorck and Golub (1973), with sines, which keep small angles exact.
    """
    if A.dim() != 2 or A.shape != B.shape or A.shape[1] > A.shape[0]:
        raise ValueError(
            f"A has shape {tuple(A.shape)} and B {tuple(B.shape)}; give two bases "
            "(D, K) with K at most D."
        )
    P, Q = (torch.linalg.qr(M.double()).Q for M in (A, B))
    sines = torch.linalg.svdvals(Q - P @ (P.T @ Q))  # what of B lies outside A
    return sines.clamp(max=1).asin().flip(0)


def _layers(sizes: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return layers[:-1]
