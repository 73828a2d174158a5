"""The generative adversarial network."""

from companion.diagrams.canvas import Diagram, shape


def gan_diagram() -> Diagram:
    """The step of D above, the step of G below, with the same generated images.

    Source: Goodfellow et al. (2014), algorithm 1, with the loss of its section 3.
    """
    d = Diagram((1.12, 1.4, 1.46, 1.62), (0.9, 1.1, 0.8), family="gan")
    image = shape("B", 1, 28, 28)
    logits = "$a$\n" + shape("B")
    d.box("images x", (0, 0), "$x$", kind="data")
    d.box("noise z", (0, 1), r"$z\sim\mathcal{N}(0, I)$", kind="noise")
    d.box("generator G", (1, 1), "$G$", kind="network")
    d.box("generated images G(z)", (2, 1), "$G(z)$")
    d.box("discriminator D", (2, 0), "$D$", kind="network")
    d.box("new frozen D", (2, 2), "new $D$,\nfrozen", kind="frozen")
    d.box(
        "loss of D",
        (3, 0),
        "loss of $D$\n$-\\log\\,D(x)$\n$-\\log(1 - D(G(z)))$",
        kind="loss",
    )
    d.box("loss of G", (3, 2), "loss of $G$\n$-\\log\\,D(G(z))$", kind="loss")

    d.arrow("images x", "discriminator D", image)
    d.arrow("noise z", "generator G", shape("B", 64))
    d.arrow("generator G", "generated images G(z)", image)
    d.arrow("generated images G(z)", "discriminator D", "detach", kind="cut")
    d.arrow("generated images G(z)", "new frozen D")
    d.arrow("discriminator D", "loss of D", logits)
    d.arrow("new frozen D", "loss of G", logits)

    d.arrow("loss of D", "discriminator D", kind="gradient")
    d.arrow("loss of G", "new frozen D", kind="gradient")
    d.arrow("new frozen D", "generated images G(z)", kind="gradient")
    d.arrow("generated images G(z)", "generator G", "gradient", kind="gradient")
    return d
