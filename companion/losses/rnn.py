"""Equations of recurrent networks."""

from torch import Tensor

from companion.losses.classification import cross_entropy


def nll_through_time(logits: Tensor, y: Tensor) -> Tensor:
    """-log p(y | x_1 .. x_t) for every t: what the label costs after each step.

    Shapes: logits (B, T, K), y (B,) of class numbers -> (B, T).
    Units: nats, >= 0.
    Raises: ValueError if there is no step or the shapes do not fit; TypeError if y
        does not hold whole numbers.
    """
    if logits.dim() != 3 or logits.shape[1] == 0 or y.shape != logits.shape[:1]:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and y {tuple(y.shape)}; "
            "give (B, T, K) with one step or more, and (B,)."
        )
    steps = logits.shape[1]
    nll = cross_entropy(logits.flatten(0, 1), y.repeat_interleave(steps))
    return nll.view(len(y), steps)
