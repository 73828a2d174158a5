"""The transposed convolution, and the ways to double a picture."""

from companion.diagrams.canvas import Diagram, shape


def stamps_diagram() -> Diagram:
    """A convolution down, its transpose up, and what the two are as matrices."""
    d = Diagram((1.0, 2.2, 1.0), (0.8, 0.9, 0.8), family="cnn")
    d.box("picture x", (0, 0), "$x$", kind="data")
    d.box("convolution", (1, 0), "convolution: $M$\nlooks at patches", kind="network")
    d.box("output Mx", (2, 0), "$Mx$")
    d.box("small picture y", (2, 2), "$y$", kind="data")
    d.box(
        "transposed convolution",
        (1, 2),
        r"transposed: $M^\top$" + "\nstamps kernels",
        kind="network",
    )
    d.box("large picture", (0, 2), r"$M^\top y$")
    d.arrow("picture x", "convolution")
    d.arrow("convolution", "output Mx")
    d.arrow("small picture y", "transposed convolution")
    d.arrow("transposed convolution", "large picture")
    d.arrow("convolution", "transposed convolution", "the same weights")
    return d


def doublings_diagram() -> Diagram:
    """Three ways from (B, a, H, W) to (B, b, 2H, 2W)."""
    d = Diagram((1.05, 1.7, 1.6, 1.25), (1.0, 1.0, 1.0), family="cnn")
    d.box("maps", (0, 1), "maps\n" + shape("a", "H", "W"), kind="data")
    d.box(
        "transposed convolution",
        (1.5, 0),
        "transposed convolution,\nkernel 4, stride 2",
        kind="network",
    )
    d.box("resizing", (1, 1), "resize to\n" + shape("a", "2H", "2W"))
    d.box("convolution", (2, 1), "convolution,\nkernel 3", kind="network")
    d.box(
        "wide convolution",
        (1, 2),
        "convolution to\n" + shape("4b", "H", "W"),
        kind="network",
    )
    d.box("pixel shuffle", (2, 2), "pixel shuffle")
    d.box("larger maps", (3, 1), "larger\n" + shape("b", "2H", "2W"))
    d.arrow("maps", "transposed convolution", via=[(0, 0)])
    d.arrow("transposed convolution", "larger maps", via=[(3, 0)])
    d.arrow("maps", "resizing")
    d.arrow("resizing", "convolution")
    d.arrow("convolution", "larger maps")
    d.arrow("maps", "wide convolution", via=[(0, 2)])
    d.arrow("wide convolution", "pixel shuffle")
    d.arrow("pixel shuffle", "larger maps", via=[(3, 2)])
    return d
