"""Painting by optimising: the picture learns, the network stands still."""

from companion.diagrams.canvas import Diagram, shape


def painting_diagram() -> Diagram:
    """Canvas and texture through one frozen network; the gradient to the pixels."""
    d = Diagram((1.05, 1.5, 1.6, 1.1), (0.85, 0.45, 0.85), family="cnn")
    d.box("texture", (0, 0), "texture\n$\\hat x$", kind="data")
    d.box("network", (1, 0), "network,\nfrozen", kind="frozen")
    d.box("network again", (1, 2), "the same\nnetwork", kind="frozen")
    d.box("canvas", (0, 2), "canvas\n$x$", kind="network")
    d.box("statistics of the texture", (2, 0), "statistics\n" + r"$\hat G$")
    d.box("statistics of the canvas", (2, 2), "statistics\n$G$")
    d.box("loss", (3, 2), "$E$", kind="loss")
    d.arrow("texture", "network")
    d.arrow("canvas", "network again")
    d.arrow("network", "statistics of the texture", shape("C", "N"))
    d.arrow("network again", "statistics of the canvas", shape("C", "N"))
    d.arrow("statistics of the texture", "loss", via=[(3, 0)], kind="cut")
    d.arrow("statistics of the canvas", "loss")
    d.arrow("loss", "statistics of the canvas", kind="gradient")
    d.arrow("statistics of the canvas", "network again", kind="gradient")
    d.arrow("network again", "canvas", kind="gradient")
    return d
