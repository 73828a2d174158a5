"""From codes to bytes and back, by an entropy coder and a prior over the codes."""

import math
import struct
import zlib
from math import prod
from typing import Protocol

import constriction
import numpy as np
import torch
from torch import Tensor

from companion.losses.vqvae import check_codes, nearest_codes
from companion.models.vqvae import VQVAE
from companion.runtime import evaluating

MAGIC = b"LD"
HEADER = struct.Struct("<2sII")  # magic, number of code rows, checksum
_FAMILY = constriction.stream.model.Categorical(perfect=False)


class Prior(Protocol):
    """What the coder needs: rows of `length` codes from 0 to num_codes - 1."""

    length: int
    num_codes: int

    def probabilities(self, codes: Tensor, t: int) -> Tensor: ...


class TablePrior:
    """p(codes) as a product of one table of frequencies for each place.

    Every code counts once more than it was seen, so that none is impossible.

    Shapes: codes (N, length) of int64, the sample that is counted.
    Raises: TypeError if codes are not int64; ValueError for another shape, no codes,
        or a code outside 0..num_codes-1.
    """

    def __init__(self, codes: Tensor, num_codes: int):
        _check_rows(codes, num_codes)
        self.length, self.num_codes = codes.shape[1], num_codes
        places = torch.arange(self.length, device=codes.device)
        flat = torch.bincount(
            (places * num_codes + codes).flatten(), minlength=self.length * num_codes
        )
        counts = flat.cpu().view(self.length, num_codes).double() + 1
        self.table = counts / counts.sum(dim=1, keepdim=True)

    def probabilities(self, codes: Tensor, t: int) -> Tensor:
        """p(code at place t), the same for all rows: (N, num_codes), on the CPU."""
        return self.table[t].expand(len(codes), -1)


class Rounding:
    """Real numbers as codes: each of the Z dimensions has a step of its own.

    A number becomes the nearest multiple of its step, at most `radius` steps from 0.

    Shapes: step (Z,).
    Raises: ValueError if a step is not above 0 or radius is below 1.
    """

    def __init__(self, step: Tensor, radius: int):
        if step.dim() != 1 or not (step > 0).all() or radius < 1:
            raise ValueError(
                f"step has shape {tuple(step.shape)} and radius is {radius}; give "
                "steps (Z,) above 0 and a radius of 1 or more."
            )
        self.step, self.radius = step, radius
        self.num_codes = 2 * radius + 1

    def codes(self, z: Tensor) -> Tensor:
        """(N, Z) -> (N, Z) of int64, from 0 to num_codes - 1."""
        steps = (z / self.step).round().clamp(-self.radius, self.radius)
        return steps.long() + self.radius

    def values(self, codes: Tensor) -> Tensor:
        """The numbers that the codes stand for, (N, Z).

        Raises: ValueError if a code is outside 0..num_codes-1.
        """
        check_codes(codes, self.num_codes)
        return (codes - self.radius) * self.step


def image_codes(vqvae: VQVAE, x: Tensor, batch_size: int = 250) -> Tensor:
    """The codes of many images, batch by batch.

    Shapes: x (N, C, H, W) -> (N, h, w) of int64.
    """
    with evaluating(vqvae):
        parts = x.split(batch_size)
        codes = [nearest_codes(vqvae.encode(p), vqvae.codebook) for p in parts]
    return torch.cat(codes)


def code_images(vqvae: VQVAE, codes: Tensor, batch_size: int = 250) -> Tensor:
    """The images that codes stand for, in [0, 1], batch by batch.

    Shapes: codes (N, h, w) or (N, h w) of int64 -> (N, C, H, W).
    Raises: ValueError for rows of another length; as `VQVAE.lookup`.
    """
    if codes.dim() == 2:
        if codes.shape[1] != prod(vqvae.grid):
            raise ValueError(
                f"Rows have {codes.shape[1]} codes; this network takes "
                f"{prod(vqvae.grid)}."
            )
        codes = codes.unflatten(1, vqvae.grid)
    with evaluating(vqvae):
        images = [
            vqvae.decode(vqvae.lookup(part)).clamp(0, 1)
            for part in codes.split(batch_size)
        ]
    return torch.cat(images)


def compress(codes: Tensor, prior: Prior) -> bytes:
    """Rows of codes as bytes: a header of 10 bytes, then a range coder's words.

    The order is place by place, all rows of a place together, and each code costs
    -log2 of the probability that the prior gives it.

    Shapes: codes (N, length) of int64.
    Raises: TypeError if codes are not int64; ValueError for another shape, no codes,
        or a code outside 0..num_codes-1.
    Source: Martin (1979), by the library constriction (Bamler 2022).
    """
    _check_rows(codes, prior.num_codes, prior.length)
    encoder = constriction.stream.queue.RangeEncoder()
    for t in range(prior.length):
        p = _table(prior, codes, t)
        encoder.encode(codes[:, t].cpu().numpy().astype(np.int32), _FAMILY, p)
    body = encoder.get_compressed().astype("<u4").tobytes()
    return HEADER.pack(MAGIC, len(codes), _checksum(len(codes), body)) + body


def decompress(data: bytes, prior: Prior, device: torch.device | str = "cpu") -> Tensor:
    """The codes that `compress` wrote; give the same prior, on the same machine.

    A prior that is a network must compute the very same probabilities as it did when
    the bytes were written: the same weights, on the same kind of device.

    Shapes: -> (N, length) of int64.
    Raises: TypeError if data are not bytes; ValueError if they were not written by
        `compress`, are truncated or were changed.
    """
    if not isinstance(data, bytes):
        raise TypeError(f"data are {type(data).__name__}; give bytes.")
    if len(data) < HEADER.size or data[:2] != MAGIC:
        raise ValueError(
            f"These {len(data)} bytes do not begin with the header of `compress`; "
            "give what it returned, whole."
        )
    _, n, checksum = HEADER.unpack_from(data)
    body = data[HEADER.size :]
    if len(body) % 4 or checksum != _checksum(n, body):
        raise ValueError(
            f"The checksum of these {len(data)} bytes is wrong: they were truncated "
            "or changed; fetch them again."
        )
    decoder = constriction.stream.queue.RangeDecoder(
        np.frombuffer(body, dtype="<u4").astype(np.uint32)
    )
    codes = torch.zeros(n, prior.length, dtype=torch.int64, device=device)
    for t in range(prior.length):
        symbols = decoder.decode(_FAMILY, _table(prior, codes, t))
        codes[:, t] = torch.from_numpy(symbols).long()
    return codes


def code_length(codes: Tensor, prior: Prior) -> Tensor:
    """-log2 p(codes), one value a row: what an ideal coder needs.

    Shapes: codes (N, length) of int64 -> (N,), on the CPU.
    Units: bits.
    Raises: as `compress`.
    """
    _check_rows(codes, prior.num_codes, prior.length)
    bits = torch.zeros(len(codes), dtype=torch.float64)
    for t in range(prior.length):
        p = prior.probabilities(codes, t).gather(1, codes[:, t : t + 1].cpu())
        bits -= p[:, 0].log2()
    return bits


def psnr(x: Tensor, x_hat: Tensor) -> float:
    """Peak signal-to-noise ratio, -10 log10 of the mean squared error of all pixels.

    Shapes: x, x_hat of one shape, in [0, 1].
    Units: decibels; inf for equal images.
    Raises: ValueError if the shapes differ or there are no pixels.
    """
    if x.shape != x_hat.shape or x.numel() == 0:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and x_hat {tuple(x_hat.shape)}; "
            "give two batches of the same shape."
        )
    x, x_hat = x.cpu().double(), x_hat.cpu().double()  # Apple's GPU has no float64
    mse = (x - x_hat).square().mean().item()
    return -10 * math.log10(mse) if mse > 0 else math.inf


def _table(prior: Prior, codes: Tensor, t: int) -> np.ndarray:
    p = prior.probabilities(codes, t)
    return np.ascontiguousarray(p.cpu().double().numpy())


def _checksum(n: int, body: bytes) -> int:
    return zlib.crc32(struct.pack("<I", n) + body)


def _check_rows(codes: Tensor, num_codes: int, length: int | None = None) -> None:
    check_codes(codes, num_codes)
    if codes.dim() != 2 or (length is not None and codes.shape[1] != length):
        wanted = "length" if length is None else length
        raise ValueError(
            f"codes have shape {tuple(codes.shape)}; give rows, (N, {wanted}), for "
            "instance codes.flatten(1)."
        )
