"""Pictures from pictures: a U-Net, the game on pairs, and the game without pairs."""

from companion.diagrams.canvas import Diagram, shape


def unet_diagram() -> Diagram:
    """Down on the left, up on the right, the skip connections in between."""
    d = Diagram((1.45, 1.35, 1.75), (0.72, 0.86, 0.86, 0.86), family="gan")
    d.box("input x", (0, 0), "$x$\n" + shape(1, 32, 32), kind="data")
    d.box("output G(x)", (2, 0), "$G(x)$\n" + shape(3, 32, 32))
    sizes = ((24, 16, 16), (48, 8, 8))
    for row, size in enumerate(sizes, 1):
        d.box(f"maps of {size[1]} pixels", (0, row), shape(*size))
    doubled = ((24, 16, 16), (48, 8, 8))
    for row, size in enumerate(doubled, 1):
        d.box(
            f"doubled and joined maps of {size[1]} pixels",
            (2, row),
            shape(2 * size[0], *size[1:]),
        )
    d.box("smallest maps", (1, 3), shape(96, 4, 4), kind="network")
    d.arrow("input x", "maps of 16 pixels", "stride 2", side="left")
    d.arrow("maps of 16 pixels", "maps of 8 pixels", "stride 2", side="left")
    d.arrow("maps of 8 pixels", "smallest maps", "stride 2", via=[(0, 3)])
    up = "doubled and joined maps of {} pixels"
    d.arrow("smallest maps", up.format(8), "doubled", via=[(2, 3)])
    d.arrow(up.format(8), up.format(16), "doubled")
    d.arrow(up.format(16), "output G(x)", "doubled")
    for side in (16, 8):
        d.arrow(f"maps of {side} pixels", up.format(side), "skip")
    d.arrow("input x", "output G(x)", "skip")
    return d


def pix2pix_diagram() -> Diagram:
    """Both steps of the game on pairs.

    Source: Isola et al. (2017), equation 4.
    """
    d = Diagram((0.9, 1.0, 1.6, 2.0), (0.85, 1.0, 0.85), family="gan")
    d.box("picture y", (0, 0), "$y$", kind="data")
    d.box("outline x", (0, 1), "$x$", kind="data")
    d.box("generator G", (1, 1), "$G$", kind="network")
    d.box("painted picture G(x)", (2, 1), "$G(x)$")
    d.box("discriminator D", (2, 0), "$D$", kind="network")
    d.box("new frozen D", (2, 2), "new $D$,\nfrozen", kind="frozen")
    d.box("loss of D", (3, 0), "loss of $D$,\nper patch", kind="loss")
    d.box("loss of G", (3, 2), "loss of $G$,\nper patch", kind="loss")
    d.box("L1 error", (3, 1), "$\\lambda\\,|y - G(x)|$", kind="loss")
    d.arrow("picture y", "discriminator D", "true pair")
    d.arrow("outline x", "discriminator D")
    d.arrow("outline x", "generator G")
    d.arrow("outline x", "new frozen D", via=[(0, 2)])
    d.arrow("generator G", "painted picture G(x)")
    d.arrow("painted picture G(x)", "discriminator D", "detach", kind="cut")
    d.arrow("painted picture G(x)", "new frozen D")
    d.arrow("painted picture G(x)", "L1 error")
    d.arrow("discriminator D", "loss of D")
    d.arrow("new frozen D", "loss of G")
    d.arrow("loss of D", "discriminator D", kind="gradient")
    d.arrow("loss of G", "new frozen D", kind="gradient")
    d.arrow("new frozen D", "painted picture G(x)", kind="gradient")
    d.arrow("L1 error", "painted picture G(x)", kind="gradient")
    d.arrow("painted picture G(x)", "generator G", "gradient", kind="gradient")
    return d


def cycle_diagram() -> Diagram:
    """The step of G and F, of which one half is shown: from x to Y and back.

    Source: Zhu et al. (2017), figure 3.
    """
    d = Diagram((0.85, 0.85, 1.15, 0.85, 1.7), (0.85, 1.0, 0.9), family="gan")
    d.box("digit x", (0, 1), "$x$", kind="data")
    d.box("translator G", (1, 1), "$G$", kind="network")
    d.box("translated digit G(x)", (2, 1), "$G(x)$")
    d.box("translator F", (3, 1), "$F$", kind="network")
    d.box("digit that comes back", (4, 1), "$F(G(x))$")
    d.box("new frozen discriminator", (2, 0), "new $D_Y$,\nfrozen", kind="frozen")
    d.box("loss of G in the game", (4, 0), "$(a(G(x)) - 1)^2$", kind="loss")
    d.box("cycle loss", (4, 2), "$\\lambda\\,|F(G(x)) - x|$", kind="loss")
    d.arrow("digit x", "translator G")
    d.arrow("translator G", "translated digit G(x)")
    d.arrow("translated digit G(x)", "translator F")
    d.arrow("translator F", "digit that comes back")
    d.arrow("translated digit G(x)", "new frozen discriminator")
    d.arrow("new frozen discriminator", "loss of G in the game")
    d.arrow("digit that comes back", "cycle loss")
    d.arrow("digit x", "cycle loss", via=[(0, 2)])
    game = "loss of G in the game"
    d.arrow(game, "new frozen discriminator", "gradient", kind="gradient")
    d.arrow("new frozen discriminator", "translated digit G(x)", kind="gradient")
    d.arrow("cycle loss", "digit that comes back", kind="gradient")
    d.arrow("digit that comes back", "translator F", kind="gradient")
    d.arrow("translator F", "translated digit G(x)", kind="gradient")
    d.arrow("translated digit G(x)", "translator G", kind="gradient")
    return d
