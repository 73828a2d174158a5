"""Diffusion: a chain of ever noisier pictures, and the loop that draws."""

from itertools import pairwise

from companion.diagrams.canvas import Diagram


def noise_chain_diagram() -> Diagram:
    """Noise is added from left to right; a denoiser finds the way back.

    Source: Ho et al. (2020), figure 2.
    """
    d = Diagram((1.0, 1.4, 1.4, 1.2), (0.9, 1.1), family="data")
    d.box("picture x", (0, 0), "$x$", kind="data")
    d.box("noisy picture x_s", (1, 0), "$x_s$")
    d.box("noisier picture x_t", (2, 0), "$x_t$")
    d.box("noise x_1", (3, 0), "$x_1$", kind="noise")
    d.arrow("picture x", "noisy picture x_s", "$q$")
    d.arrow("noisy picture x_s", "noisier picture x_t", "$q$")
    d.arrow("noisier picture x_t", "noise x_1", "$q$")
    chain = ("noise x_1", "noisier picture x_t", "noisy picture x_s", "picture x")
    told = ("x_1, 1", "x_t, t", "x_s, s")
    for i, (start, end) in enumerate(pairwise(chain)):
        name = f"denoiser of the {start}"
        d.box(name, (2.5 - i, 1), rf"$\hat x({told[i]})$", kind="network")
        d.arrow(start, name)
        d.arrow(name, end, "$p$", side="left")
    return d


def noise_loop_diagram() -> Diagram:
    """One step of drawing, again and again, until no noise is left."""
    d = Diagram((1.35, 1.5, 1.35, 1.35), (0.95, 1.15, 1.25), family="data")
    d.box("noise x_1", (0, 0), r"$x_1\sim\mathcal{N}(0, I)$", kind="noise")
    d.box("noisy picture x_t", (0, 1), "$x_t$")
    d.box("denoiser", (1, 1), "denoiser", kind="network")
    d.box("time t", (1, 0), "$t$")
    d.box("estimated picture", (2, 0), r"$\hat x$")
    d.box("estimated noise", (2, 1), r"$\hat\varepsilon$")
    d.box("fresh noise", (2, 2), r"fresh $\varepsilon'$", kind="noise")
    d.box("mixture at the time s", (3, 1), "$x_s$")
    d.arrow("noise x_1", "noisy picture x_t", "start")
    d.arrow("noisy picture x_t", "denoiser")
    d.arrow("time t", "denoiser")
    d.arrow("denoiser", "estimated noise")
    d.arrow("denoiser", "estimated picture")
    d.arrow("estimated picture", "mixture at the time s", via=[(3, 0)])
    d.arrow("estimated noise", "mixture at the time s")
    d.arrow("fresh noise", "mixture at the time s", via=[(3, 2)])
    d.arrow(
        "mixture at the time s",
        "noisy picture x_t",
        "$s$ becomes $t$",
        via=[(3.42, 1), (3.42, 2.42), (0, 2.42)],
    )
    return d
