"""JPEG, WebP and PNG as marks for comparison: their pixels, and their bytes."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from companion.data.checks import check_unit_range


@dataclass(frozen=True)
class Coded:
    """What a file format made of a batch of images.

    Shapes: x_hat (N, C, H, W) in [0, 1], decoded back from the bytes; whole and
        stripped (N,), bytes of each file with and without its headers; all on the
        device of the images.
    """

    x_hat: Tensor
    whole: Tensor
    stripped: Tensor


def jpeg(x: Tensor, quality: int) -> Coded:
    """Baseline or progressive JPEG, the smaller one, with optimised Huffman tables.

    Stripped are all segments but the coded pixels: marks, sizes, and also the tables
    of quantisation and of Huffman's code.

    Shapes: x (N, C, H, W) in [0, 1], C 1 or 3.
    Raises: ValueError for another shape, values outside [0, 1], or a quality that is
        not a whole number from 0 to 100.
    """
    _check_quality(quality)
    files = [
        min(
            (
                _save(p, "JPEG", quality=quality, optimize=True, progressive=way)
                for way in (False, True)
            ),
            key=len,
        )
        for p in _pictures(x)
    ]
    return _coded(x, files, [_jpeg_body(f) for f in files])


def webp(x: Tensor, quality: int) -> Coded:
    """Lossy WebP by its slowest, best method.

    Stripped are the container (RIFF) and the frame header of 10 bytes.

    Shapes, Raises: as `jpeg`.
    """
    _check_quality(quality)
    files = [_save(p, "WEBP", quality=quality, method=6) for p in _pictures(x)]
    return _coded(x, files, [_webp_body(f) for f in files])


def png(x: Tensor) -> Coded:
    """PNG with its slowest, best compression: lossless for pixels of 8 bits.

    Stripped is all but the compressed pixels.

    Shapes, Raises: as `jpeg`.
    """
    files = [_save(p, "PNG", optimize=True) for p in _pictures(x)]
    return _coded(x, files, [_png_body(f) for f in files])


def _pictures(x: Tensor) -> list[Image.Image]:
    if x.dim() != 4 or x.shape[1] not in (1, 3) or x.numel() == 0:
        raise ValueError(
            f"Images have shape {tuple(x.shape)}; give (N, C, H, W) with N above 0 "
            "and C 1 or 3."
        )
    check_unit_range("x", x)
    pixels = (x * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(p[..., 0] if p.shape[2] == 1 else p) for p in pixels]


def _save(picture: Image.Image, kind: str, **settings: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **settings)
    return buffer.getvalue()


def _coded(x: Tensor, files: list[bytes], bodies: list[int]) -> Coded:
    mode = "L" if x.shape[1] == 1 else "RGB"
    pixels = [np.asarray(Image.open(io.BytesIO(f)).convert(mode)) for f in files]
    x_hat = torch.from_numpy(np.stack(pixels)).float() / 255
    x_hat = x_hat[:, None] if mode == "L" else x_hat.permute(0, 3, 1, 2)
    sizes = [len(f) for f in files]
    return Coded(*(torch.as_tensor(v).to(x.device) for v in (x_hat, sizes, bodies)))


def _jpeg_body(data: bytes) -> int:
    """Bytes of coded pixels: what follows each start of scan, up to the next mark."""
    at, total = 2, 0  # after the mark of the beginning
    while data[at + 1] != 0xD9:  # the mark of the end
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        scan = data[at + 1] == 0xDA
        at += 2 + length
        if scan:
            begin = at
            # Inside the scan, 0xFF is followed by 0 or a restart mark.
            while data[at] != 0xFF or data[at + 1] in (0, *range(0xD0, 0xD8)):
                at += 1
            total += at - begin
    return total


def _webp_body(data: bytes) -> int:
    """Bytes of the chunk "VP8 " after its frame header."""
    at = 12
    while data[at : at + 4] != b"VP8 ":
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return int.from_bytes(data[at + 4 : at + 8], "little") - 10


def _png_body(data: bytes) -> int:
    """Bytes in the chunks "IDAT"."""
    at, total = 8, 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        total += length if data[at + 4 : at + 8] == b"IDAT" else 0
        at += 12 + length
    return total


def _check_quality(quality: int) -> None:
    if not isinstance(quality, int) or not 0 <= quality <= 100:
        raise ValueError(f"quality is {quality!r}; give a whole number from 0 to 100.")
