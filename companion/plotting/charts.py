"""Numbers as figures: curves, bars, a confusion matrix."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Circle
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


def plot_balls(
    centres: Tensor,
    points: Tensor,
    k: int = 3,
    *,
    color: str = COLORS["data"],
    ax: Axes | None = None,
) -> None:
    """Balls around the centres, each to its k-th neighbour, and which points they hold.

    Centres are crosses; points within a ball are filled, the others hollow.

    Shapes: centres (N, 2), N above k; points (M, 2).
    Raises: ValueError for other shapes, or a k that is no whole number from 1 to N - 1.
    """
    if not (centres.dim() == points.dim() == 2 == centres.shape[1] == points.shape[1]):
        raise ValueError(
            f"centres have shape {tuple(centres.shape)}, points {tuple(points.shape)}; "
            "give places in the plane, (N, 2)."
        )
    if not isinstance(k, int) or not 1 <= k < len(centres):
        raise ValueError(
            f"k is {k} for {len(centres)} centres; give a whole number from 1 and more "
            "centres than that."
        )
    ax = _axes(ax, (4.0, 4.0))
    centres, points = (x.detach().cpu().double() for x in (centres, points))
    radii = torch.cdist(centres, centres).sort(dim=1).values[:, k]
    for centre, radius in zip(centres.tolist(), radii.tolist(), strict=True):
        ax.add_patch(Circle(centre, radius, color=color, alpha=0.13, linewidth=0))
    inside = (torch.cdist(points, centres) <= radii).any(dim=1)
    ax.scatter(*centres.T, marker="x", s=22, color=color)
    faces = ["black" if within else "white" for within in inside]
    ax.scatter(*points.T, s=26, c=faces, edgecolors="black", linewidths=1)
    ax.set_aspect("equal")
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)


def plot_verdicts(
    verdicts: Tensor, rows: Sequence[str], columns: Sequence[str]
) -> None:
    """A table of signs: minus for worse, plus for better, a dot for no difference.

    Shapes: verdicts (rows, columns), each -1, 0 or 1.
    Raises: ValueError for another shape or other values.
    """
    if verdicts.shape != (len(rows), len(columns)):
        raise ValueError(
            f"verdicts have shape {tuple(verdicts.shape)} for {len(rows)} rows and "
            f"{len(columns)} columns; give a name for each."
        )
    verdicts = verdicts.cpu()
    if strange := set(verdicts.flatten().tolist()) - {-1, 0, 1}:
        raise ValueError(f"verdicts hold {min(strange)}; give -1, 0 and 1.")
    ax = _axes(None, (0.42 * len(columns) + 1.8, 0.34 * len(rows) + 1.2))
    colours = ListedColormap([COLORS["gan"], "#EDEDED", COLORS["cnn"]])
    ax.imshow(verdicts.numpy(), cmap=colours, vmin=-1, vmax=1, aspect="auto")
    for (i, j), verdict in zip(
        np.ndindex(verdicts.shape), verdicts.flatten().tolist(), strict=True
    ):
        colour = "white" if verdict else "black"
        sign = {-1: "\u2212", 0: "\u00b7", 1: "+"}[int(verdict)]
        ax.text(j, i, sign, ha="center", va="center", color=colour, fontsize=12)
    ax.xaxis.tick_top()
    ax.set_xticks(
        range(len(columns)), columns, rotation=50, ha="left", rotation_mode="anchor"
    )
    ax.set_yticks(range(len(rows)), rows)
    ax.set_xticks(np.arange(0.5, len(columns)), minor=True)
    ax.set_yticks(np.arange(0.5, len(rows)), minor=True)
    ax.grid(visible=False)
    ax.grid(which="minor", color="white", linewidth=2)
    ax.tick_params(which="both", length=0)


def _axes(ax: Axes | None, size: tuple[float, float] = (6.0, 3.2)) -> Axes:
    return plt.subplots(figsize=size)[1] if ax is None else ax
