"""Images as figures, as animations, and as files."""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Image, display
from matplotlib.axes import Axes
from PIL import Image as PILImage
from torch import Tensor

import companion.plotting.style  # noqa: F401, for matplotlib's defaults
from companion.data.checks import check_unit_range
from companion.runtime import save_file

STILL = {".png": "PNG", ".webp": "WEBP"}
MOVING = {".gif": "GIF", ".webp": "WEBP"}


def show_images(
    x: Tensor,
    *,
    columns: int | None = None,
    titles: Sequence[str] | None = None,
    scale: float = 1.0,
) -> None:
    """A grid of images, each pixel shown as it is (0 black, 1 white).

    Shapes: x (N, C, H, W) with C 1 or 3, in [0, 1].
    `columns` defaults to at most 10; `scale` is the width of an image in inches.
    Raises: TypeError for something other than a tensor, and for bytes; ValueError
        for another shape, an empty batch, values outside [0, 1], or a number of
        titles that is not N.
    """
    pictures = _to_pictures(x)
    n = len(pictures)
    if titles is not None and len(titles) != n:
        raise ValueError(f"There are {len(titles)} titles for {n} images.")
    rows, columns = _grid(n, columns)
    height = scale * x.shape[2] / x.shape[3] + (0.25 if titles is not None else 0)
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * scale, rows * height), squeeze=False
    )
    for ax in axes.flat:
        ax.axis("off")
    for i, (ax, picture) in enumerate(zip(axes.flat, pictures, strict=False)):
        _draw(ax, picture)
        if titles is not None:
            ax.set_title(titles[i], fontsize=9)
    _tighten(figure)


def show_rows(rows: Mapping[str, Tensor], *, scale: float = 1.0) -> None:
    """One labelled row of images for each entry, all of the same length.

    Shapes: each value (N, C, H, W) with C 1 or 3, in [0, 1].
    Raises: as `show_images`; ValueError for no rows or rows of different lengths.
    """
    lengths = {len(x) for x in rows.values()}
    if len(lengths) != 1:
        raise ValueError(
            f"The rows have lengths {sorted(lengths)}; give rows, all of one length."
        )
    pictures = {label: _to_pictures(x, f"row {label!r}") for label, x in rows.items()}
    columns = lengths.pop()
    ratios = [x.shape[2] / x.shape[3] for x in rows.values()]
    margin = 0.085 * max(map(len, rows)) + 0.1  # inches that the labels need
    figure, axes = plt.subplots(
        len(rows),
        columns,
        figsize=(columns * scale + margin, scale * sum(ratios)),
        squeeze=False,
        gridspec_kw={"height_ratios": ratios},
    )
    for row, (label, images) in zip(axes, pictures.items(), strict=True):
        for ax, picture in zip(row, images, strict=True):
            _draw(ax, picture)
            ax.axis("off")
        row[0].text(
            -0.12, 0.5, label, transform=row[0].transAxes, ha="right", va="center"
        )
    _tighten(figure)


def animate(
    frames: Tensor | Iterable[Tensor], fps: float = 8, *, width: int = 320
) -> None:
    """An animated GIF, played for ever; several images a frame stand in a grid.

    Shapes: frames (T, C, H, W), or (T, N, C, H, W) for N images side by side.
    Pixels are enlarged without smoothing to about `width` pixels. Grey images keep
    their values; colours are reduced to 256 a frame, as GIF demands.
    Raises: TypeError for something other than tensors, and for bytes; ValueError for
        other shapes, values outside [0, 1], fewer than 2 frames, or fps not above 0.
    """
    display(Image(_animation(frames, fps, width, "GIF"), format="gif"))


def save_images(
    path: str | Path, x: Tensor, *, columns: int | None = None, scale: int = 1
) -> None:
    """Write a grid of images to a PNG or WebP file, whole or not at all.

    Each pixel becomes scale x scale pixels of its value in 255ths; one image alone
    has no lines around it.

    Shapes: x (N, C, H, W) with C 1 or 3, in [0, 1].
    `columns` defaults to at most 10.
    Raises: as `show_images`; ValueError for another suffix or a scale below 1;
        OSError if the file cannot be written.
    """
    path, kind = _target(path, STILL)
    if not isinstance(scale, int) or scale < 1:
        raise ValueError(f"scale is {scale}; give a whole number of 1 or more.")
    pictures = _to_pictures(x)
    sheet = _enlarged(_sheet(pictures, columns), scale)
    # WebP is lossless on demand only; PNG ignores the word.
    save_file(path, lambda file: sheet.save(file, format=kind, lossless=True))


def save_animation(
    path: str | Path,
    frames: Tensor | Iterable[Tensor],
    fps: float = 8,
    *,
    width: int = 320,
) -> None:
    """Write what `animate` shows to a GIF or WebP file, whole or not at all.

    WebP keeps all colours.

    Shapes: frames (T, C, H, W), or (T, N, C, H, W) for N images side by side.
    Raises: as `animate`; ValueError for another suffix; OSError if the file cannot be
        written.
    """
    path, kind = _target(path, MOVING)
    data = _animation(frames, fps, width, kind)
    save_file(path, lambda file: file.write_bytes(data))


def _target(path: str | Path, kinds: Mapping[str, str]) -> tuple[Path, str]:
    """The path, and the format that its suffix names."""
    path = Path(path).expanduser()
    if path.suffix.lower() not in kinds:
        raise ValueError(f"{path.name} must end in {' or '.join(kinds)}; rename it.")
    return path, kinds[path.suffix.lower()]


def _to_pictures(x: Tensor, name: str = "x") -> np.ndarray:
    """(N, C, H, W) in [0, 1] -> (N, H, W, 3) for drawing."""
    if isinstance(x, Tensor) and x.dtype != torch.uint8:
        x = x.detach().float()  # bits may be whole numbers, or true and false
    check_unit_range(name, x, slack=1e-4)
    if x.dim() != 4 or x.shape[1] not in (1, 3) or x.numel() == 0:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; give (N, C, H, W) with N above 0 "
            "and C 1 or 3."
        )
    x = x.cpu().clamp(0, 1)
    return x.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()


def _grid(n: int, columns: int | None) -> tuple[int, int]:
    """Rows and columns for n images, at most 10 columns if nobody says how many."""
    columns = min(n, 10) if columns is None else columns
    if columns < 1:
        raise ValueError(f"columns is {columns}; give 1 or more.")
    return math.ceil(n / columns), columns


def _sheet(pictures: np.ndarray, columns: int | None = None) -> PILImage.Image:
    """(N, H, W, 3) -> one grey or RGB image, with white lines between several."""
    rows, columns = _grid(len(pictures), columns)
    gap = 1 if len(pictures) > 1 else 0
    h, w = pictures.shape[1] + gap, pictures.shape[2] + gap
    sheet = np.ones((rows * h - gap, columns * w - gap, 3), dtype=pictures.dtype)
    for i, picture in enumerate(pictures):
        top, left = i // columns * h, i % columns * w
        sheet[top : top + h - gap, left : left + w - gap] = picture
    image = PILImage.fromarray(np.uint8(np.round(sheet * 255)))
    return image.convert("L") if (sheet == sheet[..., :1]).all() else image


def _animation(
    frames: Tensor | Iterable[Tensor], fps: float, width: int, kind: str
) -> bytes:
    """The file of an animation; frames of several images are about square."""
    frames = list(frames)
    if len(frames) < 2 or fps <= 0:
        raise ValueError(
            f"{len(frames)} frames at {fps} frames a second: give 2 or more frames "
            "and fps above 0."
        )
    images = []
    for frame in frames:
        one = isinstance(frame, Tensor) and frame.dim() == 3
        pictures = _to_pictures(frame[None] if one else frame, "a frame")
        images.append(_sheet(pictures, math.ceil(math.sqrt(len(pictures)))))
    if kind == "GIF":
        images = [_with_palette(image) for image in images]
    factor = max(1, round(width / images[0].width))
    first, *others = (_enlarged(image, factor) for image in images)
    buffer = io.BytesIO()
    first.save(
        buffer,
        format=kind,
        save_all=True,
        append_images=others,
        duration=round(1000 / fps),
        loop=0,
        lossless=True,  # of WebP; GIF ignores the word
    )
    return buffer.getvalue()


def _with_palette(image: PILImage.Image) -> PILImage.Image:
    if image.mode == "L":
        return image
    return image.quantize(256, dither=PILImage.Dither.NONE)


def _enlarged(image: PILImage.Image, factor: int) -> PILImage.Image:
    size = (image.width * factor, image.height * factor)
    return image.resize(size, PILImage.Resampling.NEAREST)


def _draw(ax: Axes, picture: np.ndarray) -> None:
    ax.imshow(picture, vmin=0, vmax=1, interpolation="nearest")


def _tighten(figure: plt.Figure) -> None:
    """Leave only a hair's breadth between images."""
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
