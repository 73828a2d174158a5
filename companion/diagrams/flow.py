"""Flow matching: a network learns the velocity of straight lines, and then draws."""

from companion.diagrams.canvas import Diagram


def flow_diagram() -> Diagram:
    """Training in the three rows above, drawing below.

    Source: Lipman et al. (2023), section 4; Liu et al. (2023), algorithm 1.
    """
    d = Diagram((1.3, 1.75, 1.55, 0.8), (0.75, 1.05, 1.0, 1.0, 0.6), family="data")
    d.box("time t", (1, 0), "$t$", kind="noise")
    d.box("label y", (2, 0), "$y$", kind="data")
    d.box("image x", (0, 1), "$x$", kind="data")
    d.box("straight line", (1, 1), "$(1-t)\\,x + t\\,\\varepsilon$")
    d.box("network", (2, 1), "network", kind="network")
    d.box("noise epsilon", (0, 2), r"$\varepsilon\sim\mathcal{N}(0, I)$", kind="noise")
    d.box("velocity of the line", (1, 2), "$\\varepsilon - x$")
    d.box("squared error", (2, 2), "squared error", kind="loss")
    d.box("new noise", (0, 3), "$x_1 = \\varepsilon$", kind="noise")
    d.box("trained network", (1, 3), "trained\nnetwork", kind="frozen")
    d.box("step", (2, 3), "$x_t + (s-t)\\,\\hat u$")
    d.box("picture", (3, 3), "$x_0$")

    d.arrow("time t", "straight line")
    d.arrow("label y", "network")
    d.arrow("image x", "straight line")
    d.arrow("noise epsilon", "straight line", via=[(0.5, 2), (0.5, 1)])
    d.arrow("straight line", "network", "$x_t,\\ t$")
    d.arrow("straight line", "velocity of the line")
    d.arrow("velocity of the line", "squared error")
    d.arrow("network", "squared error", "$\\hat u$")
    d.arrow("squared error", "network", "gradient", kind="gradient")
    d.arrow("new noise", "trained network", "$t = 1$")
    d.arrow("trained network", "step", "$\\hat u$")
    d.arrow(
        "step",
        "trained network",
        "$x_s$, and $s$ becomes $t$",
        via=[(2, 4), (1, 4)],
        side="above",
    )
    d.arrow("step", "picture", "$s = 0$")
    return d
