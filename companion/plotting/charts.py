"""Numbers as figures: curves, bars, a confusion matrix."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from companion.plotting.style import COLORS
from companion.trainers import History


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
    """Horizontal bars, each with its value; `marks` are dashed lines to compare with.

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


def _axes(ax: Axes | None, size: tuple[float, float] = (6.0, 3.2)) -> Axes:
    return plt.subplots(figsize=size)[1] if ax is None else ax
