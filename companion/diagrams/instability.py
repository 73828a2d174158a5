"""Where cures for an unstable game act, and the steps of a Wasserstein GAN."""

from companion.diagrams.canvas import Diagram, shape


def loop_diagram() -> Diagram:
    """The loop of a GAN's training, and the places where cures take hold."""
    d = Diagram((0.7, 1.6, 1.95, 1.2), (0.75, 1.45, 0.95), family="gan")
    G = "generator G (memory)"
    D = "discriminator D (memory, width, speed, slope)"
    d.box("real images x", (2, 0), "$x$", kind="data")
    d.box("noise z", (0, 1), "$z$", kind="noise")
    d.box(G, (1, 1), "$G$\nmemory $\\beta$", kind="network")
    d.box(D, (2, 1), "$D$\nmemory $\\beta$,\nwidth, speed,\nslope", kind="network")
    d.box("losses", (3, 1), "losses", kind="loss")
    d.box("friction", (2, 2), "friction $\\gamma$:\nR1 penalty", kind="loss")

    d.arrow("noise z", G)
    d.arrow(G, D, "$G(z)$")
    d.arrow("real images x", D)
    d.arrow(D, "losses")
    d.arrow(D, "friction")
    d.arrow("losses", D, kind="gradient")
    d.arrow("friction", D, kind="gradient")
    d.arrow(D, G, kind="gradient")
    return d


def critic_diagram() -> Diagram:
    """One step of the critic with a gradient penalty; below, the step of G.

    Source: Gulrajani et al. (2017), algorithm 1.
    """
    d = Diagram((0.9, 1.65, 1.05, 1.85), (0.8, 0.9, 0.8, 0.9), family="gan")
    d.box("images x", (0, 0), "$x$", kind="data")
    d.box("places between", (1, 1), r"$\epsilon x + (1 - \epsilon)\,G(z)$")
    d.box("generated images G(z)", (0, 2), "$G(z)$")
    d.box("critic D", (2, 1), "$D$", kind="network")
    d.box(
        "loss of D",
        (3, 1),
        "loss of $D$\n$D(G(z)) - D(x)$\n$+\\;\\lambda\\,(|\\nabla D| - 1)^2$",
        kind="loss",
    )
    d.box("noise z", (0, 3), "$z$", kind="noise")
    d.box("generator G", (1, 3), "$G$", kind="network")
    d.box("new frozen D", (2, 3), "new $D$,\nfrozen", kind="frozen")
    d.box("loss of G", (3, 3), "loss of $G$\n$-D(G(z))$", kind="loss")

    d.arrow("images x", "critic D", shape("B", 1, 28, 28), via=[(2, 0)])
    d.arrow("images x", "places between", via=[(0, 1)])
    d.arrow("generated images G(z)", "places between", via=[(0, 1)])
    d.arrow("places between", "critic D")
    d.arrow("generated images G(z)", "critic D", "detach", kind="cut", via=[(2, 2)])
    d.arrow("critic D", "loss of D")
    d.arrow("noise z", "generator G")
    d.arrow("generator G", "generated images G(z)", via=[(1, 2.4), (0, 2.4)])
    d.arrow("generator G", "new frozen D")
    d.arrow("new frozen D", "loss of G")
    d.arrow("loss of D", "critic D", kind="gradient")
    d.arrow("loss of G", "new frozen D", kind="gradient")
    d.arrow("new frozen D", "generator G", "gradient", kind="gradient")
    return d
