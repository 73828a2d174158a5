"""The variational autoencoder."""

from companion.diagrams.canvas import Diagram, shape


def vae_diagram() -> Diagram:
    """One batch through a VAE: the draw beside the gradient's way, and two losses.

    Source: Kingma and Welling (2013), sections 2.3 and 2.4.
    """
    d = Diagram((1.5, 2.2, 1.5), (0.7, 1.25, 0.7), family="vae")
    image = shape("B", 1, 28, 28)
    code = shape("B", "Z")
    d.box("image x", (0, 0), "$x$", kind="data")
    d.box("encoder", (0, 1), "encoder\n$q(z\\mid x)$", kind="network")
    d.box("noise epsilon", (1, 2), r"$\varepsilon\sim\mathcal{N}(0, I)$", kind="noise")
    d.box("code z", (1, 1), r"$z = \mu + \sigma\varepsilon$")
    d.box("decoder", (2, 1), "decoder\n$p(x\\mid z)$", kind="network")
    d.box("loss -log p(x|z)", (2, 0), r"$-\log\,p(x\mid z)$", kind="loss")
    d.box("loss KL", (0, 2), r"$\mathrm{KL}(q(z\mid x),\,p(z))$", kind="loss")

    d.arrow("image x", "encoder", image)
    d.arrow("image x", "loss -log p(x|z)")
    d.arrow("encoder", "code z", "$\\mu,\\ \\log\\,\\sigma^2$\n" + code)
    d.arrow("encoder", "loss KL")
    d.arrow("noise epsilon", "code z", code)
    d.arrow("code z", "decoder", code)
    d.arrow("decoder", "loss -log p(x|z)", f"logits\n{image}", side="left")

    d.arrow("loss -log p(x|z)", "decoder", kind="gradient", side="right")
    d.arrow("decoder", "code z", kind="gradient")
    d.arrow("code z", "encoder", "gradient", kind="gradient")
    d.arrow("loss KL", "encoder", kind="gradient")
    return d
