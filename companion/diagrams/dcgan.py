"""The two networks of a deep convolutional GAN."""

from companion.diagrams.canvas import Diagram, shape


def dcgan_diagram() -> Diagram:
    """The generator on the left, downwards; the discriminator on the right, upwards.

    Source: Radford et al. (2016), with the layers of `DCGANGenerator(resize=True)` and
    `DCGANDiscriminator(subpixel=True, deviation=True)`.
    """
    d = Diagram((2.5, 2.5), (0.7, 0.95, 1.05, 1.05, 0.8), family="gan")
    doubling = "norm, ReLU,\nenlarge,\nconvolve"
    d.box("noise z", (0, 0), "$z$", kind="noise")
    d.box("linear layer of G", (0, 1), "linear layer", kind="network")
    d.box("first doubling", (0, 2), doubling, kind="network")
    d.box("second doubling", (0, 3), doubling, kind="network")
    d.box("generated image G(z)", (0, 4), "sigmoid: $G(z)$")
    d.box("real image x", (1, 4), "$x$", kind="data")
    d.box(
        "first halving",
        (1, 3),
        "pixels to channels,\nconvolve,\nLeakyReLU",
        kind="network",
    )
    d.box(
        "second halving",
        (1, 2),
        "convolve with\nstride 2,\nLeakyReLU",
        kind="network",
    )
    d.box("linear layer of D", (1, 1), "deviation,\nlinear layer", kind="network")
    d.box("logit a", (1, 0), "logit $a$")

    small, middle, image = shape(64, 7, 7), shape(32, 14, 14), shape(1, 28, 28)
    d.arrow("noise z", "linear layer of G", shape(64))
    d.arrow("linear layer of G", "first doubling", small)
    d.arrow("first doubling", "second doubling", middle)
    d.arrow("second doubling", "generated image G(z)", image)
    d.arrow("generated image G(z)", "first halving", via=[(0.5, 4), (0.5, 3)])
    d.arrow("real image x", "first halving", image)
    d.arrow("first halving", "second halving", middle)
    d.arrow("second halving", "linear layer of D", small)
    d.arrow("linear layer of D", "logit a", shape(1))
    return d
