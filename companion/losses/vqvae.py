"""Equations of the vector-quantised autoencoder."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from companion.losses.autoencoder import squared_error


class VectorQuantised(Protocol):
    """What the loss needs of a model."""

    codebook: Tensor

    def encode(self, x: Tensor) -> Tensor: ...

    def decode(self, z: Tensor) -> Tensor: ...


def nearest_codes(z_e: Tensor, codebook: Tensor) -> Tensor:
    """The number of the codebook's vector that is nearest to each vector.

    Shapes: z_e (B, D, h, w), codebook (K, D) -> (B, h, w) of int64.
    Raises: ValueError if z_e is no batch of maps of D channels.
    Source: van den Oord et al. (2017), equation 1.
    """
    if z_e.dim() != 4 or codebook.dim() != 2 or z_e.shape[1] != codebook.shape[1]:
        raise ValueError(
            f"z_e has shape {tuple(z_e.shape)} and the codebook "
            f"{tuple(codebook.shape)}; give (B, D, h, w) and (K, D)."
        )
    vectors = z_e.detach().permute(0, 2, 3, 1)  # (B, h, w, D)
    # |z - e|^2 = |z|^2 - 2 z.e + |e|^2, and |z|^2 is the same for all e.
    book = codebook.detach()
    distance = book.square().sum(dim=1) - 2 * vectors @ book.T  # (B, h, w, K)
    return distance.argmin(dim=3)


def straight_through(z_e: Tensor, z_q: Tensor) -> Tensor:
    """The value of z_q, with a gradient that goes to z_e as if nothing had happened.

    Shapes: both of one shape, which is the result's.
    Raises: ValueError if the shapes differ.
    Source: Bengio et al. (2013); van den Oord et al. (2017), section 3.2.
    """
    if z_e.shape != z_q.shape:
        raise ValueError(
            f"z_e has shape {tuple(z_e.shape)} and z_q {tuple(z_q.shape)}; "
            "both must be of one shape."
        )
    return z_e + (z_q - z_e).detach()


def vq_loss(
    vqvae: VectorQuantised, x: Tensor, commitment: float = 0.25
) -> dict[str, Tensor]:
    """Reconstruction, codebook and commitment terms, means over the batch.

    Every term is a squared distance summed over an image. "codes" are the code
    numbers that were used.

    Shapes: x (B, C, H, W) -> scalars "loss", "distortion", "codebook",
        and "codes" (B, h, w).
    Raises: ValueError if commitment is negative.
    Source: van den Oord et al. (2017), equation 3.
    """
    if commitment < 0:
        raise ValueError(f"commitment is {commitment}; a weight is 0 or more.")
    z_e = vqvae.encode(x)
    codes = nearest_codes(z_e, vqvae.codebook)
    z_q = F.embedding(codes, vqvae.codebook).permute(0, 3, 1, 2)
    x_hat = vqvae.decode(straight_through(z_e, z_q))
    distortion = squared_error(x_hat, x).mean()
    codebook = squared_error(z_q, z_e.detach()).mean()  # moves the codebook
    commit = squared_error(z_e, z_q.detach()).mean()  # moves the encoder
    loss = distortion + codebook + commitment * commit
    return {
        "loss": loss,
        "distortion": distortion,
        "codebook": codebook,
        "codes": codes,
    }


def perplexity(codes: Tensor, num_codes: int) -> float:
    """How many codes are in use: exp of the entropy of their frequencies.

    num_codes if all are used alike, 1 if a single one is used.

    Shapes: codes of any shape, int64.
    Raises: ValueError if there are no codes or one is outside 0..num_codes-1.
    """
    check_codes(codes, num_codes)
    p = torch.bincount(codes.flatten().cpu(), minlength=num_codes).double()
    p /= p.sum()
    return torch.special.entr(p).sum().exp().item()


def check_codes(codes: Tensor, num_codes: int) -> None:
    """Raises: TypeError unless codes hold int64; ValueError unless there is at least
    one and all are from 0 to num_codes - 1."""
    if not isinstance(codes, Tensor) or codes.dtype != torch.int64:
        kind = getattr(codes, "dtype", type(codes).__name__)
        raise TypeError(f"codes are {kind}; give a tensor of torch.int64.")
    if codes.numel() == 0:
        raise ValueError(f"codes have shape {tuple(codes.shape)}: there are none.")
    low, high = (value.item() for value in codes.aminmax())
    if low < 0 or high >= num_codes:
        raise ValueError(
            f"codes run from {low} to {high}; with {num_codes} codes the numbers are "
            f"0 to {num_codes - 1}."
        )
