"""Deep networks: the residual block, and a whole residual network."""

from companion.diagrams.canvas import Diagram, shape


def residual_block_diagram() -> Diagram:
    """Two convolutions beside a shortcut; their sum goes through a ReLU."""
    d = Diagram((0.65, 1.45, 1.45, 1.2, 0.8), (0.95, 0.95), family="cnn")
    d.box("input x", (0, 1), "$x$")
    d.box("first convolution", (1, 1), "conv 3 × 3\nBN, ReLU", kind="network")
    d.box("second convolution", (2, 1), "conv 3 × 3\nBN", kind="network")
    d.box("shortcut", (1.5, 0), "identity, or\nconv 1 × 1, BN", kind="network")
    d.box("sum", (3, 1), "$+$")
    d.box("ReLU", (4, 1), "ReLU", kind="network")
    d.arrow("input x", "first convolution")
    d.arrow("first convolution", "second convolution")
    d.arrow("second convolution", "sum", "$f(x)$")
    d.arrow("input x", "shortcut", via=[(0, 0)])
    d.arrow("shortcut", "sum", via=[(3, 0)])
    d.arrow("sum", "ReLU")
    return d


def resnet_diagram() -> Diagram:
    """The network of the recipe `cifar10`, from the image to the logits."""
    d = Diagram((2.7, 2.7), [0.8] * 5, family="cnn")
    d.box("image x", (0, 0), "$x$", kind="data")
    d.box("stem", (0, 1), "conv 3 × 3, BN, ReLU", kind="network")
    d.box("first block", (0, 2), "residual block, 16", kind="network")
    d.box("second block", (0, 3), "residual block, 32, stride 2", kind="network")
    d.box("third block", (0, 4), "residual block, 64, stride 2", kind="network")
    d.box("fourth block", (1, 4), "residual block, 128, stride 2", kind="network")
    d.box("global average", (1, 3), "mean over positions")
    d.box("linear layer", (1, 2), "linear layer", kind="network")
    d.box("logits", (1, 1), r"logits $\ell$")
    d.arrow("image x", "stem", shape("B", 3, 32, 32))
    d.arrow("stem", "first block", shape("B", 16, 32, 32))
    d.arrow("first block", "second block", shape("B", 16, 32, 32))
    d.arrow("second block", "third block", shape("B", 32, 16, 16))
    d.arrow("third block", "fourth block")
    d.arrow("fourth block", "global average", shape("B", 128, 4, 4))
    d.arrow("global average", "linear layer", shape("B", 128))
    d.arrow("linear layer", "logits", shape("B", 10))
    return d
