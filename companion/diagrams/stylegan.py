"""A style generator: noise becomes a style, and the style steers the convolutions."""

from companion.diagrams.canvas import Diagram


def style_diagram() -> Diagram:
    """Noise to a style on the left, first maps to an image on the right."""
    d = Diagram((1.2, 1.75, 1.4, 1.15), (0.75, 1.0, 1.05, 1.05), family="gan")
    d.box("noise z", (0, 0), "$z$", kind="noise")
    d.box("mapping network", (0, 1), "mapping", kind="network")
    d.box("style w", (0, 2), "$w$")
    d.box("first maps", (1, 0), "learned maps", kind="network")
    d.box("convolution at 7 x 7", (1, 1), "convolution\n7 × 7", kind="network")
    sizes = ("convolution at 7 x 7", "two convolutions at 14 x 14")
    for row, size in ((2, 14), (3, 28)):
        d.box(
            f"two convolutions at {size} x {size}",
            (1, row),
            f"2 convolutions\n{size} × {size}",
            kind="network",
        )
    d.box("first share", (2, 1), "share")
    d.box("sum of two shares", (2, 2), "$+$")
    d.box("sum of three shares", (2, 3), "$+$")
    d.box("image G(z)", (3, 3), "$G(z)$")

    d.arrow("noise z", "mapping network")
    d.arrow("mapping network", "style w")
    d.arrow("first maps", sizes[0])
    d.arrow("style w", sizes[0], via=[(0.5, 2), (0.5, 1)])
    d.arrow("style w", sizes[1])
    d.arrow("style w", "two convolutions at 28 x 28", via=[(0.5, 2), (0.5, 3)])
    d.arrow(sizes[0], sizes[1], "enlarged")
    d.arrow(sizes[1], "two convolutions at 28 x 28", "enlarged")
    d.arrow(sizes[0], "first share")
    d.arrow(sizes[1], "sum of two shares")
    d.arrow("two convolutions at 28 x 28", "sum of three shares")
    d.arrow("first share", "sum of two shares", "enlarged")
    d.arrow("sum of two shares", "sum of three shares", "enlarged")
    d.arrow("sum of three shares", "image G(z)", "$s(\\cdot)$")
    return d
