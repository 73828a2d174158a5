"""Pictures by caption: what reads the words, and how samples lean towards a label."""

from companion.diagrams.canvas import Diagram


def words_diagram() -> Diagram:
    """A caption on its way into the network that says the velocity.

    Source: Rombach et al. (2022), section 3.3.
    """
    d = Diagram((1.05, 1.2, 1.35, 1.2, 0.75), (0.8, 1.05, 1.05), family="data")
    d.box("caption", (0, 0), "caption", kind="data")
    d.box("encoder", (1, 0), "encoder", kind="network")
    d.box("vectors of the words", (2, 0), "a vector\na word")
    d.box("mean", (3, 0), "mean")
    d.box("time t", (4, 1), "$t$", kind="noise")
    d.box("scale and shift", (3, 1), "scale\nand shift")
    d.box("noisy picture x_t", (0, 2), "$x_t$")
    d.box("blocks on the way down", (1, 2), "blocks,\ndown", kind="network")
    d.box("cross-attention", (2, 2), "cross-\nattention", kind="network")
    d.box("blocks on the way up", (3, 2), "blocks,\nup", kind="network")
    d.box("velocity", (4, 2), r"$\hat u$")
    d.arrow("caption", "encoder")
    d.arrow("encoder", "vectors of the words")
    d.arrow("vectors of the words", "mean")
    d.arrow("vectors of the words", "cross-attention", side="left")
    d.arrow("mean", "scale and shift")
    d.arrow("time t", "scale and shift")
    d.arrow("scale and shift", "blocks on the way up")
    d.arrow("scale and shift", "blocks on the way down", via=[(1, 1)])
    d.arrow("noisy picture x_t", "blocks on the way down")
    d.arrow("blocks on the way down", "cross-attention")
    d.arrow("cross-attention", "blocks on the way up")
    d.arrow("blocks on the way up", "velocity")
    return d


def guidance_diagram() -> Diagram:
    """One step of drawing with guidance: one network, asked twice.

    Source: Ho and Salimans (2021), algorithm 2.
    """
    d = Diagram((1.0, 1.35, 1.05, 1.75), (0.7, 0.9, 0.9, 1.0), family="data")
    d.box("label y", (0, 0), "$y$", kind="data")
    d.box("noisy picture x_t", (0, 1.5), "$x_t,\\ t$")
    d.box("no label", (0, 3), r"$\varnothing$")
    d.box("network, told", (1, 0.5), "network", kind="network")
    d.box("network, untold", (1, 2.5), "the same\nnetwork", kind="network")
    d.box("estimate, told", (2, 0.5), "told")
    d.box("estimate, untold", (2, 2.5), "untold")
    d.box("guided estimate", (3, 1.5), "untold +\n$w$ (told $-$ untold)")
    d.arrow("label y", "network, told", via=[(1, 0)])
    d.arrow("noisy picture x_t", "network, told")
    d.arrow("noisy picture x_t", "network, untold")
    d.arrow("no label", "network, untold", via=[(1, 3)])
    d.arrow("network, told", "estimate, told")
    d.arrow("network, untold", "estimate, untold")
    d.arrow("estimate, told", "guided estimate", via=[(3, 0.5)])
    d.arrow("estimate, untold", "guided estimate", via=[(3, 2.5)])
    d.arrow(
        "guided estimate",
        "noisy picture x_t",
        "a step, to $x_s$",
        side="above",
    )
    return d
