"""The first pages: the loop of learning, and the families of generators."""

from companion.diagrams.canvas import Diagram


def learning_diagram() -> Diagram:
    """One step of training: forward, backward, and the optimiser's move."""
    d = Diagram((1.3, 1.9, 1.7), (0.8, 1.25, 0.55), family="cnn")
    d.box("batch x", (0, 0), "batch $x$", kind="data")
    d.box("network", (1, 0), "network $f_\\theta$", kind="network")
    d.box("loss L", (2, 0), "loss $L$", kind="loss")
    d.box("parameters theta", (1, 1), "parameters $\\theta$", kind="network")
    d.box("optimiser", (2, 1), "optimiser")

    d.arrow("batch x", "network")
    d.arrow("network", "loss L", "output")
    d.arrow("parameters theta", "network", "used by\nforward")
    d.arrow("parameters theta", "optimiser", r"$\nabla_\theta L$")
    d.arrow(
        "optimiser",
        "parameters theta",
        r"new $\theta$ = old $\theta\,-\,\eta\,\nabla_\theta L$",
        via=[(2, 2), (1, 2)],
        side="below",
    )

    d.arrow("loss L", "network", kind="gradient")
    d.arrow("network", "parameters theta", "backward", kind="gradient")
    return d


def families_diagram() -> Diagram:
    """What is drawn at random, what it passes, and what leads back: one row a family.

    Source: Bond-Taylor et al. (2022), and Song et al. (2021) for diffusion.
    """
    noise = "noise $z$"
    families = {  # its network, what enters and leaves it, what leads back
        "autoregressive model": (
            "network of an\nautoregressive model",
            "pixels so far",
            "next pixel",
            "pixel after pixel",
        ),
        "VAE": ("decoder of a VAE", noise, "image", "encoder, with noise of its own"),
        "flow": ("network of a flow", noise, "image", "the same network, inverted"),
        "GAN": ("generator of a GAN", noise, "image", ""),
        "diffusion model": (
            "denoiser of a\ndiffusion model",
            "noisy image",
            "less noisy",
            "many steps",
        ),
        "energy-based model": (
            "gradient of\nan energy",
            "any image",
            "less energy",
            "many steps, with noise",
        ),
    }
    d = Diagram((1.5, 2.4, 1.5), (1.1, 1, 1, 0.75, 1.05, 1.1), family="cnn")
    for row, (family, (network, start, end, back)) in enumerate(families.items()):
        at = row - 0.2
        kind = "data" if start == "pixels so far" else "noise"
        enters, leaves = f"input of the {family}", f"output of the {family}"
        d.box(enters, (0, at), start, kind=kind)
        d.box(family, (1, at), network, kind="network")
        d.box(leaves, (2, at), end)
        d.arrow(enters, family)
        d.arrow(family, leaves)
        if back:
            below = row + 0.27
            d.arrow(leaves, enters, back, via=[(2, below), (0, below)], side="below")
    return d
