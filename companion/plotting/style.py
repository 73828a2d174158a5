"""The look of the figures; importing it sets matplotlib's defaults."""

import matplotlib.pyplot as plt

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
