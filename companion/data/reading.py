"""One picture file as numbers: upright, on a ground, of one size, in [0, 1]."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from companion.data.checks import range_remedy

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp")
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as `grey` everywhere
BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # of TIFF


class UnreadableError(ValueError):
    """A file that does not become a picture in [0, 1]; the message says why."""


def read_picture(
    path: Path,
    shape: tuple[int, int, int],
    fit: str,
    ground: Sequence[float],
) -> np.ndarray:
    """The first frame of a file, as `picture_folder` describes.

    Shapes: `ground` 3 numbers; -> `shape`, (1, H, W) or (3, H, W), float32.
    Raises: UnreadableError if the file is damaged, too large, or its range unknown.
    """
    channels, *size = shape
    bands, alpha, white = _decoded(path)
    h, w = bands.shape[:2]
    inner = size
    if fit == "cut":
        top, left, h, w = _centre(h, w, *size)
        bands = bands[top : top + h, left : left + w]
        alpha = None if alpha is None else alpha[top : top + h, left : left + w]
    else:
        scale = min(size[0] / h, size[1] / w)
        inner = [max(1, round(h * scale)), max(1, round(w * scale))]
    colors = np.empty((3, *size))
    colors[:] = np.reshape(ground, (3, 1, 1))
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    place = colors[:, top : top + inner[0], left : left + inner[1]]
    for c, color in enumerate(ground):
        band = bands[..., min(c, bands.shape[2] - 1)]
        if alpha is not None:
            band = alpha * band + (1 - alpha) * (color * white)
        place[c] = _resized(band, *inner) / white
    if channels == 1:
        colors = np.tensordot(LUMINANCE, colors, 1)[None]
    return colors.clip(0, 1).astype(np.float32)


def _decoded(path: Path) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Bands (H, W, 1 or 3), opacity (H, W) in [0, 1] or None, the value of white."""
    if not path.is_file():
        raise UnreadableError("it is no file, or a link to none")
    try:
        # By an open file, not its name: given that, Pillow 13 garbles some TIFFs that
        # are to be turned.
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file, formats=FORMATS)
            stored = image.tile[0][3] if image.tile else None
            image.load()
        _scale_transparent(image, stored)
        tags = getattr(image, "tag_v2", {})
        image = ImageOps.exif_transpose(image)
        if image.mode[0] in "IF":
            return _deep(image, tags)
        clear = image.has_transparency_data
        array = np.asarray(image.convert("RGBA" if clear else "RGB"))
        return array[..., :3], array[..., 3] / 255 if clear else None, 255
    except (UnreadableError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise UnreadableError("it is damaged, or no picture of a known kind") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnreadableError(
            f"{error} Shrink it, or if you trust it raise PIL.Image.MAX_IMAGE_PIXELS"
        ) from error
    except Exception as error:  # Pillow's decoders raise nearly every kind
        if isinstance(error, OSError) and error.errno:
            raise  # the disk is at fault, not the picture
        raise UnreadableError(str(error) or type(error).__name__) from error


def _scale_transparent(image: Image.Image, stored: object) -> None:
    """Bring a PNG's transparent value to 8 bits; Pillow does so with pixels only."""
    clear = image.info.get("transparency")
    if stored == "RGB;16B" and isinstance(clear, tuple) and max(clear) > 255:
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    elif stored == "L;4" and clear is not None and clear < 16:
        image.info["transparency"] = clear * 17
    elif stored == "L;2" and clear is not None and clear < 4:
        image.info["transparency"] = clear * 85


def _deep(
    image: Image.Image, tags: dict
) -> tuple[np.ndarray, np.ndarray | None, float]:
    """As `_decoded`, of grey pictures with more than 8 bits.

    Pillow's `convert` would cut their values off at 255.
    """
    values = np.asarray(image).astype(float)
    bits = tags.get(BITS_PER_SAMPLE, (16,))[0]  # a PNG has 16, whatever its mode
    white = 1 if image.mode == "F" else 2**bits - 1
    low, high = values.min(), values.max()
    if image.mode == "F" and not (low >= 0 and high <= 1):  # also true for nan
        raise UnreadableError(
            f"its floats run from {low:.4g} to {high:.4g}, not from 0 to 1: "
            f"{range_remedy(low, high)}"
        )
    if image.mode == "I" and tags:  # 32 bits, or 16 with a sign
        raise UnreadableError(
            f"its {bits}-bit numbers run from {low:.0f} to {high:.0f}, and what is "
            "white among them is not said: save it with 16 bits, or as floats in [0, 1]"
        )
    clear = image.info.get("transparency")
    alpha = None if clear is None else (values != clear).astype(float)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        values = white - values
    return values[..., None], alpha, white


def _centre(h: int, w: int, height: int, width: int) -> tuple[int, int, int, int]:
    """The largest part of h x w of the shape height : width: top, left, h, w."""
    tall = min(h, max(1, round(w * height / width)))
    wide = min(w, max(1, round(h * width / height)))
    return (h - tall) // 2, (w - wide) // 2, tall, wide


def _resized(x: np.ndarray, height: int, width: int) -> np.ndarray:
    return _resampled(_resampled(x, height).T, width).T


def _resampled(x: np.ndarray, target: int) -> np.ndarray:
    """Rows made `target` rows: means over equal parts, or linear between their middles.

    A part may begin and end within a row. Without matrix products, whose threads get
    in each other's way on a busy machine.

    Shapes: x (H, W) -> (target, W) float64.
    """
    source = len(x)
    if target > source:
        middle = ((np.arange(target) + 0.5) * source / target - 0.5).clip(0, source - 1)
        low = middle.astype(int)
        high = np.minimum(low + 1, source - 1)
        t = (middle - low)[:, None]
        return (1 - t) * x[low] + t * x[high]
    sums = np.zeros((source + 1, x.shape[1]))  # of the first 0, 1, ... rows
    np.cumsum(x, axis=0, dtype=float, out=sums[1:])
    edge = np.arange(target + 1) * source / target
    low = np.minimum(edge.astype(int), source - 1)
    at_edge = sums[low] + (edge - low)[:, None] * x[low]
    return np.diff(at_edge, axis=0) * (target / source)
