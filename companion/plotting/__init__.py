"""Pictures out: every figure of the book is made here. Nothing imports this package.

The functions that show return None; in a notebook the figure appears at the end of
the cell.
"""

from companion.plotting.charts import (
    bars,
    plot_balls,
    plot_confusion,
    plot_curves,
    plot_history,
    plot_verdicts,
)
from companion.plotting.images import (
    animate,
    save_animation,
    save_images,
    show_images,
    show_rows,
)
from companion.plotting.notebook import Live, show_source
from companion.plotting.style import COLORS, STYLE

__all__ = [
    "COLORS",
    "STYLE",
    "Live",
    "animate",
    "bars",
    "plot_balls",
    "plot_confusion",
    "plot_curves",
    "plot_history",
    "plot_verdicts",
    "save_animation",
    "save_images",
    "show_images",
    "show_rows",
    "show_source",
]
