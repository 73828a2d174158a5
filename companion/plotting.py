"""Pictures out: every figure of the book is made here. Nothing imports this module.

Functions return None; in a notebook the figure appears at the end of the cell.
"""

import ast
import inspect
import io
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import DisplayHandle, Image, display
from matplotlib.axes import Axes
from PIL import Image as PILImage
from torch import Tensor

from companion.trainers import History

# One colour a family through the whole book (Okabe and Ito's set, safe for the
# colour-blind).
COLORS = {
    "cnn": "#0072B2",
    "vae": "#009E73",
    "gan": "#D55E00",
    "rnn": "#CC79A7",
    "data": "#56B4E9",
    "grey": "#6E6E6E",
}
_CYCLE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6E6E6E"]
STYLE = {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.prop_cycle": plt.cycler(color=_CYCLE),
    "legend.frameon": False,
}
plt.rcParams.update(STYLE)


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
    Raises: ValueError for another shape, an empty batch, values outside [0, 1], or
        a number of titles that is not N.
    """
    pictures = _to_pictures(x)
    n = len(pictures)
    if titles is not None and len(titles) != n:
        raise ValueError(f"There are {len(titles)} titles for {n} images.")
    columns = min(n, 10) if columns is None else columns
    if columns < 1:
        raise ValueError(f"columns is {columns}; give 1 or more.")
    rows = math.ceil(n / columns)
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
    Raises: ValueError as `show_images`, or for no rows or rows of different lengths.
    """
    lengths = {len(x) for x in rows.values()}
    if len(lengths) != 1:
        raise ValueError(
            f"The rows have lengths {sorted(lengths)}; give rows, all of one length."
        )
    pictures = {label: _to_pictures(x) for label, x in rows.items()}
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


def plot_curves(
    curves: Mapping[str, Sequence[float]],
    x: Sequence[float] | None = None,
    *,
    xlabel: str,
    ylabel: str,
    logy: bool = False,
    ax: Axes | None = None,
) -> None:
    """Lines over a common x (default 1, 2, 3, ...), named in a legend.

    Raises: ValueError if there is no curve or a curve and x differ in length.
    """
    if not curves:
        raise ValueError("There is no curve to plot; give {label: values}.")
    ax = _axes(ax)
    for label, values in curves.items():
        at = range(1, len(values) + 1) if x is None else x
        if len(at) != len(values):
            raise ValueError(
                f"Curve {label!r} has {len(values)} values for {len(at)} places on x."
            )
        ax.plot(at, values, label=label)
    if logy:
        ax.set_yscale("log")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if len(curves) > 1:
        ax.legend()


def plot_history(
    history: History, *names: str, ylabel: str = "", ax: Axes | None = None
) -> None:
    """Terms of a training run against optimiser steps; all terms if none is named."""
    names = names or tuple(history.names())
    plot_curves(
        {name: history[name] for name in names},
        history.steps,
        xlabel="optimiser steps",
        ylabel=ylabel or ", ".join(names),
        ax=ax,
    )


def plot_confusion(
    matrix: Tensor, classes: Sequence[str], *, ax: Axes | None = None
) -> None:
    """A confusion matrix: rows are true classes, shares of each row as shades.

    Shapes: matrix (K, K) of counts.
    Raises: ValueError if the matrix is not square or does not match the classes.
    """
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(
            f"The matrix has shape {tuple(matrix.shape)} for {len(classes)} classes."
        )
    size = 0.45 * len(classes) + 1.6
    ax = _axes(ax, (size, size))
    share = matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1)
    ax.imshow(share.cpu().numpy(), cmap="Blues", vmin=0, vmax=1)
    ax.grid(False)
    for i, j in torch.nonzero(matrix).tolist():
        ax.text(
            j,
            i,
            int(matrix[i, j]),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if share[i, j] > 0.5 else "black",
        )
    ticks = range(len(classes))
    ax.set_xticks(ticks, classes, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(ticks, classes)
    ax.set(xlabel="predicted", ylabel="true")


def bars(
    values: Mapping[str, float],
    *,
    xlabel: str,
    marks: Mapping[str, float] | None = None,
    color: str = COLORS["grey"],
    ax: Axes | None = None,
) -> None:
    """Horizontal bars, each with its value; `marks` are dashed lines: floor, ceiling.

    Raises: ValueError if there are no values.
    """
    if not values:
        raise ValueError("There are no values to draw; give {label: number}.")
    ax = _axes(ax, (6.0, 0.38 * len(values) + 0.8))
    drawn = ax.barh(list(values), list(values.values()), color=color)
    # A white ground, for a mark may run through the number.
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    ax.bar_label(drawn, fmt="%.3g", padding=4, bbox=ground)
    ax.margins(x=0.12)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    for label, value in (marks or {}).items():
        ax.axvline(value, color="black", linestyle="--", linewidth=1)
        ax.text(
            value,
            1.0,
            label,
            transform=ax.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=9,
        )
    ax.set_xlabel(xlabel)


def animate(
    frames: Tensor | Iterable[Tensor], fps: float = 8, *, width: int = 320
) -> None:
    """An animated GIF, played for ever; several images a frame stand in a grid.

    Shapes: frames (T, C, H, W), or (T, N, C, H, W) for N images side by side.
    Pixels are enlarged without smoothing to about `width` pixels. Grey images keep
    their values; colours are reduced to 256 a frame, as GIF demands.
    Raises: ValueError for other shapes, values outside [0, 1], fewer than 2 frames,
        or fps not above 0.
    """
    frames = list(frames)
    if len(frames) < 2 or fps <= 0:
        raise ValueError(
            f"{len(frames)} frames at {fps} frames a second: give 2 or more frames "
            "and fps above 0."
        )
    pictures = [_tile(_to_pictures(f if f.dim() == 4 else f[None])) for f in frames]
    factor = max(1, round(width / pictures[0].shape[1]))
    images = [_enlarged(picture, factor) for picture in pictures]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / fps),
        loop=0,
    )
    display(Image(buffer.getvalue(), format="gif"))


def show_source(item: object) -> None:
    """Show the installed source of a function, method or class, without docstrings.

    Raises: TypeError if `item` has no Python source.
    """
    lines, _ = inspect.getsourcelines(inspect.unwrap(item))
    lines = textwrap.dedent("".join(lines)).splitlines()
    drop = set()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            first = node.body[0]
            drop |= set(range(first.lineno, first.end_lineno + 1))
            # The empty line that set a class's docstring apart goes with it.
            if first.end_lineno < len(lines) and not lines[first.end_lineno].strip():
                drop.add(first.end_lineno + 1)
    source = "\n".join(line for i, line in enumerate(lines, 1) if i not in drop)
    display(
        {"text/markdown": f"```python\n{source}\n```", "text/plain": source}, raw=True
    )


class Live:
    """A picture drawn again in the same place: `fit(..., watch=Live(draw))`.

    `draw(step)` makes one matplotlib figure, say by `show_images`.
    """

    def __init__(self, draw: Callable[[int], object]):
        self.draw = draw
        self.handle: DisplayHandle | None = None

    def __call__(self, step: int) -> None:
        self.draw(step)
        figure = plt.gcf()
        if self.handle is None:
            self.handle = display(figure, display_id=True)
        else:
            self.handle.update(figure)
        plt.close(figure)


def _to_pictures(x: Tensor) -> np.ndarray:
    """(N, C, H, W) in [0, 1] -> (N, H, W, 3) for drawing."""
    if x.dim() != 4 or x.shape[1] not in (1, 3) or x.numel() == 0:
        raise ValueError(
            f"Images have shape {tuple(x.shape)}; give (N, C, H, W) with N above 0 "
            "and C 1 or 3."
        )
    x = x.detach().float().cpu()
    low, high = x.min().item(), x.max().item()
    if not (low >= -1e-4 and high <= 1 + 1e-4):
        raise ValueError(
            f"Image values run from {low:.4g} to {high:.4g}; bring them to [0, 1], "
            "for instance with .sigmoid() or .clamp(0, 1)."
        )
    return x.clamp(0, 1).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()


def _tile(pictures: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) -> one picture, about as wide as high, with white lines."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    gap = 1 if len(pictures) > 1 else 0
    h, w = pictures.shape[1] + gap, pictures.shape[2] + gap
    sheet = np.ones((rows * h - gap, columns * w - gap, 3), dtype=pictures.dtype)
    for i, picture in enumerate(pictures):
        top, left = i // columns * h, i % columns * w
        sheet[top : top + h - gap, left : left + w - gap] = picture
    return sheet


def _enlarged(picture: np.ndarray, factor: int) -> PILImage.Image:
    """A palette image of `picture`, each pixel `factor` pixels wide."""
    image = PILImage.fromarray(np.uint8(np.round(picture * 255)))
    if (picture == picture[..., :1]).all():
        image = image.convert("L")
    else:
        image = image.quantize(256, dither=PILImage.Dither.NONE)
    size = (image.width * factor, image.height * factor)
    return image.resize(size, PILImage.Resampling.NEAREST)


def _draw(ax: Axes, picture: np.ndarray) -> None:
    ax.imshow(picture, vmin=0, vmax=1, interpolation="nearest")


def _axes(ax: Axes | None, size: tuple[float, float] = (6.0, 3.2)) -> Axes:
    return plt.subplots(figsize=size)[1] if ax is None else ax


def _tighten(figure: plt.Figure) -> None:
    """Leave only a hair's breadth between images."""
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
