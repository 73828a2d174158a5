"""The classifier, and the way of a gradient through two layers."""

from companion.diagrams.canvas import Diagram, shape


def backpropagation_diagram() -> Diagram:
    """Two linear layers: values forwards, gradients backwards to inputs and weights.

    Source: Rumelhart et al. (1986).
    """
    d = Diagram((0.75, 1.25, 1.25, 1.3, 1.05), (0.75, 1.15, 0.75), family="cnn")
    d.box("points x", (0, 1), "$x$", kind="data")
    d.box("weights W1, b1", (1, 0), "$W_1,\\ b_1$", kind="network")
    d.box("sum a", (1, 1), "$a$")
    d.box("hidden layer h", (2, 1), "$h$")
    d.box("weights W2, b2", (3, 0), "$W_2,\\ b_2$", kind="network")
    d.box("logits l", (3, 1), "$\\ell$")
    d.box("loss L", (4, 1), "$L$", kind="loss")
    d.box("classes y", (4, 2), "$y$", kind="data")

    d.arrow("points x", "sum a", side="above")
    d.arrow("weights W1, b1", "sum a")
    d.arrow("sum a", "hidden layer h", "ReLU")
    d.arrow("hidden layer h", "logits l")
    d.arrow("weights W2, b2", "logits l")
    d.arrow("logits l", "loss L")
    d.arrow("classes y", "loss L")

    d.arrow("loss L", "logits l", "$\\delta_2$", kind="gradient")
    d.arrow("logits l", "hidden layer h", "$\\delta_2 W_2$", kind="gradient")
    d.arrow("hidden layer h", "sum a", "$\\delta_1$", kind="gradient")
    d.arrow("logits l", "weights W2, b2", r"$\delta_2^\top h$", kind="gradient")
    d.arrow("sum a", "weights W1, b1", r"$\delta_1^\top x$", kind="gradient")
    return d


def classifier_diagram() -> Diagram:
    """The book's classifier of emoji, with the shape of a batch after each part.

    Source: LeCun et al. (1998), with another pooling, ReLU and batch normalisation.
    """
    d = Diagram((1.4, 2.3, 1.8), (1.0, 1.35, 0.8), family="cnn")
    d.box("pictures x", (0, 0), "$x$", kind="data")
    d.box("first block", (1, 0), "conv, 16\npool, norm\nReLU", kind="network")
    d.box("second block", (2, 0), "conv, 32\npool, norm\nReLU", kind="network")
    d.box("third block", (2, 1), "conv, 64\npool, norm\nReLU", kind="network")
    d.box("hidden layer", (1, 1), "linear\nReLU", kind="network")
    d.box("output layer", (0, 1), "linear", kind="network")
    d.box("logits l", (0, 2), "$\\ell$")

    d.arrow("pictures x", "first block", shape("B", 3, 32, 32))
    d.arrow("first block", "second block", shape("B", 16, 16, 16))
    d.arrow("second block", "third block", shape("B", 32, 8, 8), side="left")
    d.arrow("third block", "hidden layer", shape("B", 64, 4, 4))
    d.arrow("hidden layer", "output layer", shape("B", 64))
    d.arrow("output layer", "logits l", shape("B", 10))
    return d
