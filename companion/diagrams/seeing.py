"""A trained network that is looked into: only pixels are asked about, or change."""

from companion.diagrams.canvas import Diagram, shape


def looking_diagram() -> Diagram:
    """The gradient of a network's answer, taken back to the pixels, and its three uses.

    Source: Simonyan, Vedaldi and Zisserman (2014); Goodfellow, Shlens and Szegedy
        (2015).
    """
    d = Diagram((1.8, 1.8, 2.0), (0.95, 1.05, 1.0), family="cnn")
    d.box("pixels x", (0, 0), "pixels $x$\n" + shape("B", 3, 32, 32), kind="data")
    d.box("network", (1, 0), "network,\nfrozen", kind="frozen")
    # Dark as a loss is, for the gradient starts from it.
    d.box("answer", (2, 0), "answer $a$: a unit,\na logit, a loss", kind="loss")
    d.box("gradient g", (1, 1), r"$g = \nabla_x\, a$")
    d.box("pleasing picture", (0, 2), "step along $g$:\npicture to please")
    d.box("saliency map", (1, 2), "size of $g$:\nsaliency map")
    d.box("adversarial example", (2, 2), "sign of $g$:\nadversarial example")

    d.arrow("pixels x", "network")
    d.arrow("network", "answer")
    d.arrow("network", "gradient g", "back to\nthe pixels")
    d.arrow("gradient g", "pleasing picture")
    d.arrow("gradient g", "saliency map")
    d.arrow("gradient g", "adversarial example")
    d.arrow("pleasing picture", "pixels x", "again", side="left")
    d.arrow("answer", "network", kind="gradient")
    return d
