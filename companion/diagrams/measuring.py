"""How generated images are measured."""

from companion.diagrams.canvas import Diagram, shape


def judge_diagram() -> Diagram:
    """Images through the judge's two halves, and what is computed from each."""
    d = Diagram((0.85, 1.1, 1.25, 2.4), (0.85, 0.85, 0.85, 0.85), family="cnn")
    d.box("real images x", (0, 0.4), "$x$\nreal", kind="data")
    d.box("fakes", (0, 1.6), r"$\tilde x$" + "\nfake")
    d.box("layers of the judge", (1, 1), "judge:\nlayers", kind="frozen")
    d.box("features", (2, 1), "features\n" + shape("N", 64))
    d.box("last layer", (2, 3), "last layer\n" + shape("N", 10), kind="frozen")
    d.box("Frechet distance", (3, 0), "means, covariances:\nFréchet distance")
    d.box("kernel distance", (3, 1), "all pairs:\nkernel distance")
    d.box("precision and recall", (3, 2), "neighbours: precision,\nrecall, coverage")
    d.box("confident share", (3, 3), "classes: confident\nshare, obedience")

    d.arrow("real images x", "layers of the judge")
    d.arrow("fakes", "layers of the judge")
    d.arrow("layers of the judge", "features")
    d.arrow("features", "last layer")
    for measure in ("Frechet distance", "kernel distance", "precision and recall"):
        d.arrow("features", measure)
    d.arrow("last layer", "confident share")
    return d
