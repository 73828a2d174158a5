"""The three ways in which a label enters a network."""

from companion.diagrams.canvas import Diagram


def label_diagram() -> Diagram:
    """Concatenation, conditional batch normalisation and projection.

    Source: Mirza and Osindero (2014); de Vries et al. (2017); Miyato and Koyama (2018).
    """
    d = Diagram((1.15, 2.85, 1.6), (0.95, 1.15, 0.95), family="gan")
    layer = "first layer, by concatenation"
    norm = "conditional batch normalisation"
    logit = "logit, with a projection"
    d.box("noise z", (0, 0), "$z$", kind="noise")
    d.box(layer, (1, 0), "$W_z\\,z + w_y + b$", kind="network")
    d.box("maps h of G", (0, 1), "$h$")
    d.box(
        norm,
        (1, 1),
        r"$\gamma_y \odot \frac{h - \mu}{\sigma} + \beta_y$",
        kind="network",
    )
    d.box("features f(x) of D", (0, 2), "$f(x)$")
    d.box(logit, (1, 2), "$(w + v_y)^\\top f(x) + b$", kind="network")
    d.box("label y", (2, 1), "$y$", kind="data")

    for start, end in (
        ("noise z", layer),
        ("maps h of G", norm),
        ("features f(x) of D", logit),
    ):
        d.arrow(start, end)
    d.arrow("label y", layer, "$w_y$", via=[(2, 0)])
    d.arrow("label y", norm, "$\\gamma_y,\\ \\beta_y$")
    d.arrow("label y", logit, "$v_y$", via=[(2, 2)])
    return d
