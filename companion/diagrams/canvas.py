"""Boxes and arrows on a grid.

A diagram is readable on a telephone if it is narrow: three or four columns, a main
line from left to right, and what belongs to it above and below.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from companion.plotting.style import COLORS

INK, SHADE, DARK, GRADIENT = "#222222", "#555555", "#3D3D3D", "#6A3FB0"
TEXT_SIZE, LABEL_SIZE = 12, 10  # points
MAX_WIDTH = 5.6  # inches; in a wider figure a telephone shrinks labels below 8 pixels
PADDING = 0.11  # inches between a text and the edge of its box
SMALLEST = (0.5, 0.42)  # inches
BESIDE = 0.13  # inches from the centre of a box to the line of a gradient
AWAY = 0.06  # inches from a line to its label
HALF_BAR = 0.09  # inches, half the length of the bars that cut a line
SIDES = {  # where a label lies: direction in the figure, horizontal, vertical alignment
    "above": ((0, -1), "center", "bottom"),
    "below": ((0, 1), "center", "top"),
    "left": ((-1, 0), "right", "center"),
    "right": ((1, 0), "left", "center"),
}
ARROW_KINDS = {  # what `describe` says of it
    "flow": "Values go",
    "cut": "Values without a gradient go",
    "gradient": "Dashed, the gradient goes",
}

Place = tuple[float, float]


class Box(NamedTuple):
    at: Place
    text: str
    kind: str


class Arrow(NamedTuple):
    start: str
    end: str
    kind: str
    label: str
    side: str | None
    via: Sequence[Place]


class Diagram:
    """Boxes in the cells of a grid, joined by arrows.

    `columns` are their widths and `rows` their heights, in inches. A place is (column,
    row), counted from 0 at the top left: whole numbers are the middles of cells,
    fractions lie between. `family` is a key of COLORS, the colour of the networks.

    Raises: ValueError for an unknown family, or columns wider than MAX_WIDTH together.
    """

    def __init__(self, columns: Sequence[float], rows: Sequence[float], *, family: str):
        _check_known("family", family, COLORS)
        width = sum(columns)
        if width > MAX_WIDTH + 1e-9:
            raise ValueError(
                f"The columns are {width:.3g} inches wide together, more than "
                f"{MAX_WIDTH}; begin a second row."
            )
        # Where cells begin and end.
        self.grid = [np.cumsum([0, *sizes]) for sizes in (columns, rows)]
        self.looks = _looks(COLORS[family])
        self.boxes: dict[str, Box] = {}
        self.arrows: list[Arrow] = []

    def box(self, name: str, at: Place, text: str, *, kind: str = "value") -> None:
        """A box as large as its text, which may hold formulas and several lines.

        Arrows and `describe` call it by its name. Its kind is "data", "network",
        "frozen" (a network that stands still), "value", "noise" (drawn at random), or
        "loss" (a term that is minimised).

        Raises: ValueError for a name or a place that is taken, a place outside the
            grid, or an unknown kind.
        """
        for other, box in self.boxes.items():
            if name == other or at == box.at:
                raise ValueError(
                    f"The box {other!r} stands at {box.at} already; give {name!r} a "
                    "name and a place of its own."
                )
        self._check_place(at)
        _check_known("kind", kind, self.looks)
        self.boxes[name] = Box(at, text, kind)

    def arrow(
        self,
        start: str,
        end: str,
        label: str = "",
        *,
        kind: str = "flow",
        side: str | None = None,
        via: Sequence[Place] = (),
    ) -> None:
        """An arrow between two boxes, through the places `via`.

        Its kind is "flow", "cut" (values pass, the gradient does not), or "gradient"
        (dashed, beside the flow whose way it takes back). `side` is where the label
        lies: "above", "below", "left" or "right" of a flow; a gradient runs on its
        side itself. By default flows have above or right, gradients below or left.

        Raises: ValueError for an unknown box, kind or side, a place outside the grid,
            or an arrow from a box straight to itself.
        """
        for name in (start, end):
            _check_known("box", name, self.boxes)
        if start == end and not via:
            raise ValueError(f"The arrow from {start!r} to itself needs places `via`.")
        for place in via:
            self._check_place(place)
        _check_known("kind", kind, ARROW_KINDS)
        if side is not None:
            _check_known("side", side, SIDES)
        self.arrows.append(Arrow(start, end, kind, label, side, via))

    def draw(self) -> None:
        """Draw one figure; in a notebook it appears at the end of the cell."""
        width, height = (edges[-1] for edges in self.grid)
        figure = plt.figure(
            figsize=(width, height),
            # "none" would become the style's layout once the figure has been saved.
            layout=PlaceHolderLayoutEngine(True, True),
            facecolor="white",  # in any style: the colours are made for white paper
        )
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        frames = {name: self._draw_box(axes, name) for name in self.boxes}
        for arrow in self.arrows:
            self._draw_arrow(axes, arrow, frames)

    def describe(self) -> str:
        """What is connected with what, in words: a text for those who cannot see it."""
        sentences = []
        for kind, words in ARROW_KINDS.items():
            ends: dict[str, list[str]] = {}
            for arrow in self.arrows:
                if arrow.kind == kind:
                    ends.setdefault(arrow.start, []).append(f"the {arrow.end}")
            ways = [f"from the {a} to {' and '.join(b)}" for a, b in ends.items()]
            if ways:
                sentences.append(f"{words} {'; '.join(ways)}.")
        return " ".join(sentences)

    def _check_place(self, at: Place) -> None:
        columns, rows = (len(edges) - 1 for edges in self.grid)
        if not (-0.5 <= at[0] <= columns - 0.5 and -0.5 <= at[1] <= rows - 0.5):
            raise ValueError(
                f"The place {at} lies outside the grid of {columns} columns and "
                f"{rows} rows, counted from 0."
            )

    def _inches(self, at: Place) -> np.ndarray:
        pairs = zip(at, self.grid, strict=True)
        return np.array(
            [np.interp(k + 0.5, range(len(edges)), edges) for k, edges in pairs]
        )

    def _draw_box(self, axes: Axes, name: str) -> Bbox:
        """Draw a box around its text; the result is its frame, in inches."""
        at, text, kind = self.boxes[name]
        center = self._inches(at)
        written = axes.text(
            *center,
            text,
            size=TEXT_SIZE,
            color="white" if kind == "loss" else INK,
            ha="center",
            va="center",
            math_fontfamily="stix",
            gid=f"text of {name}",
        )
        extent = written.get_window_extent()
        size = np.array(extent.size) / axes.figure.dpi + 2 * PADDING
        size = np.maximum(size, SMALLEST)
        patch = FancyBboxPatch(
            center - size / 2,
            *size,
            boxstyle=f"round,pad=0,rounding_size={0.2 if kind == 'noise' else 0.06}",
            gid=f"box {name}",
            **self.looks[kind],
        )
        axes.add_patch(patch)
        return Bbox([center - size / 2, center + size / 2])

    def _draw_arrow(self, axes: Axes, arrow: Arrow, frames: dict[str, Bbox]) -> None:
        gradient = arrow.kind == "gradient"
        places = [self.boxes[arrow.start].at, *arrow.via, self.boxes[arrow.end].at]
        corners = np.array([self._inches(at) for at in places])
        side = arrow.side or _usual_side(_longest(corners)[1], gradient)
        direction, across, upright = SIDES[side]
        if gradient:
            corners += BESIDE * np.array(direction)
        corners[0] = _edge(frames[arrow.start], corners[0], corners[1])
        corners[-1] = _edge(frames[arrow.end], corners[-1], corners[-2])
        line = FancyArrowPatch(
            path=Path(corners),
            arrowstyle="-|>",
            mutation_scale=11,
            color=GRADIENT if gradient else INK,
            linewidth=1.3,
            linestyle=(0, (4, 2)) if gradient else "-",
            gid=f"arrow {arrow.start} to {arrow.end}",
        )
        axes.add_patch(line)
        middle, step = _longest(corners)
        away = AWAY
        if arrow.kind == "cut":
            _draw_cut(axes, middle, step)
            away += HALF_BAR
        axes.text(
            *(middle + away * np.array(direction)),
            arrow.label,
            size=LABEL_SIZE,
            color=SHADE if arrow.kind == "flow" else GRADIENT,
            ha=across,
            va=upright,
            math_fontfamily="stix",
            gid=f"label of {arrow.start} to {arrow.end}",
        )


def shape(*sizes: str | int) -> str:
    """The shape of a tensor as a formula: shape("B", 1) gives (B, 1)."""
    inside = r",\,".join(map(str, sizes)) + ("," if len(sizes) == 1 else "")
    return f"$({inside})$"


def _looks(color: str) -> dict[str, dict]:
    """How each kind of box looks; `color` is that of the family."""
    looks = {
        "data": {"facecolor": _pale(COLORS["data"]), "edgecolor": COLORS["data"]},
        "network": {"facecolor": _pale(color), "edgecolor": color, "linewidth": 2},
        "frozen": {"facecolor": _pale(color), "edgecolor": SHADE},
        "value": {"facecolor": "white", "edgecolor": SHADE},
        "noise": {"facecolor": "white", "edgecolor": SHADE, "linestyle": ":"},
        "loss": {"facecolor": DARK, "edgecolor": DARK},
    }
    return {kind: {"linewidth": 1.2} | look for kind, look in looks.items()}


def _longest(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle of the longest straight piece of a line, and that piece."""
    steps = np.diff(corners, axis=0)
    i = np.linalg.norm(steps, axis=1).argmax()
    return corners[i] + steps[i] / 2, steps[i]


def _usual_side(step: np.ndarray, gradient: bool) -> str:
    if abs(step[0]) >= abs(step[1]):
        return "below" if gradient else "above"
    return "left" if gradient else "right"


def _edge(frame: Bbox, inside: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Where the way from a point inside a frame crosses the frame's edge."""
    step = towards - inside
    room = np.where(step > 0, frame.max, frame.min) - inside
    return inside + step * min(r / s for r, s in zip(room, step, strict=True) if s)


def _draw_cut(axes: Axes, middle: np.ndarray, step: np.ndarray) -> None:
    """Two bars across a line."""
    along = step / np.linalg.norm(step)
    across = HALF_BAR * along[::-1] * (-1, 1)
    for at in (middle - 0.03 * along, middle + 0.03 * along):
        axes.plot(*np.stack([at - across, at + across]).T, color=GRADIENT, lw=2)


def _pale(color: str) -> tuple[float, ...]:
    return tuple(0.2 * part + 0.8 for part in to_rgb(color))


def _check_known(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        there = ", ".join(known) or "none"
        raise ValueError(f"There is no {what} {name!r}; there are {there}.")
