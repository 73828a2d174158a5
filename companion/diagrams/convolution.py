"""A convolution, and a small network made of convolutions."""

from companion.diagrams.canvas import Diagram, shape


def convolution_diagram() -> Diagram:
    """One layer: a border of zeros, windows of the kernel's size, sums of products.

    Source: Dumoulin and Visin (2016), section 2.
    """
    d = Diagram((1.1, 2.6, 1.9), (0.75, 1.4, 0.95), family="cnn")
    d.box("input x", (0, 0), "$x$", kind="data")
    d.box("padded input", (2, 0), r"$\bar x$: $p$ zeros around $x$")
    d.box("kernel w", (0, 1), "kernel\n$w_o$", kind="network")
    d.box("block under the kernel", (2, 1), "block under\nthe kernel")
    d.box("sum of products", (1, 1), "multiply, add up,\n$+\\,b_o$", kind="network")
    d.box("output y", (1, 2), "$y$")

    d.arrow("input x", "padded input", shape("B", "C", "H", "W"))
    d.arrow(
        "padded input",
        "block under the kernel",
        "stride $s$,\ndilation $d$",
        side="left",
    )
    block = shape("C", "k", "k")
    d.arrow("block under the kernel", "sum of products", block)
    d.arrow("kernel w", "sum of products", block)
    d.arrow("sum of products", "output y", shape("B", "C'", "H'", "W'"))
    return d


def small_cnn_diagram() -> Diagram:
    """Digits through three convolutions with pooling and a linear layer to logits."""
    d = Diagram((1.45, 1.95, 1.95), (0.8, 1.15, 1.15), family="cnn")
    stage = "3×3 convolution,\npool 2×2, ReLU"
    d.box("image x", (0, 0), "$x$", kind="data")
    d.box("first convolution", (2, 0), stage, kind="network")
    d.box("second convolution", (2, 1), stage, kind="network")
    d.box("third convolution", (0.15, 1), stage, kind="network")
    d.box("linear layer", (0.15, 2), "flatten,\nlinear", kind="network")
    d.box("logits a", (2, 2), "logits $a$")

    d.arrow("image x", "first convolution", shape("B", 1, 28, 28))
    d.arrow("first convolution", "second convolution", shape("B", 8, 14, 14))
    d.arrow("second convolution", "third convolution", shape("B", 16, 7, 7))
    d.arrow("third convolution", "linear layer", shape("B", 32, 3, 3))
    d.arrow("linear layer", "logits a", shape("B", 10))
    return d
