"""Looking into a classifier: which pixels its answer depends on, and how it is fooled.

Each function asks the network as it stands; put it into evaluation mode first. No
parameter is changed.
"""

import torch
from torch import Tensor, nn

from companion.data.checks import check_labels, check_unit_range
from companion.losses import cross_entropy


def pixel_gradient(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of each image's loss -log p(y|x) with respect to its pixels.

    Shapes: x (B, C, H, W) in [0, 1], y (B,) -> (B, C, H, W).
    Raises: TypeError or ValueError if x is no batch of such images, or y no labels
        for it.
    """
    _check(x, y)
    x = x.detach().requires_grad_(True)
    logits = _logits(model, x, y)
    # A sum, so that each image has the gradient of its own loss alone.
    loss = cross_entropy(logits, y).sum()
    return torch.autograd.grad(loss, x)[0]


def saliency(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """How steeply the score of the class y depends on each pixel.

    It is the largest absolute derivative of the logit over the channels.

    Shapes: x (B, C, H, W) in [0, 1], y (B,) -> (B, H, W), values >= 0.
    Raises: as `pixel_gradient`.
    Source: Simonyan, Vedaldi and Zisserman (2014), section 3.1.
    """
    _check(x, y)
    x = x.detach().requires_grad_(True)
    logits = _logits(model, x, y)
    score = logits.gather(1, y[:, None]).sum()
    return torch.autograd.grad(score, x)[0].abs().amax(dim=1)


@torch.no_grad()
def occlusion(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    size: int = 8,
    stride: int = 4,
    fill: float = 1.0,
) -> Tensor:
    """By how much log p(y|x) falls while a square of the image is covered.

    The square of `size` pixels takes the value `fill` in all channels; it is set down
    every `stride` pixels, wholly inside the image.

    Shapes: x (B, C, H, W) in [0, 1], y (B,) -> (B, R, S), one value a place; negative
        where the covered image suits the class better.
    Raises: as `pixel_gradient`; ValueError for a square that does not fit, a stride
        below 1, or a fill outside [0, 1].
    Source: Zeiler and Fergus (2014), section 4.2.
    Differs: they cover with grey and show the probability itself.
    """
    _check(x, y)
    height, width = x.shape[2:]
    if not 1 <= size <= min(height, width) or stride < 1 or not 0 <= fill <= 1:
        raise ValueError(
            f"size is {size}, stride {stride} and fill {fill}; give a square of 1 to "
            f"{min(height, width)} pixels, a stride of 1 or more, a fill in [0, 1]."
        )
    logits = _logits(model, x, y)
    before = cross_entropy(logits, y)
    rows = []
    for i in range(0, height - size + 1, stride):
        row = []
        for j in range(0, width - size + 1, stride):
            covered = x.clone()
            covered[:, :, i : i + size, j : j + size] = fill
            row.append(cross_entropy(model(covered), y) - before)
        rows.append(torch.stack(row, dim=1))
    return torch.stack(rows, dim=1)


def fast_gradient_sign(
    model: nn.Module, x: Tensor, y: Tensor, strength: float
) -> Tensor:
    """Images in which no value moved by more than `strength`, to raise the loss.

    Shapes: x (B, C, H, W) in [0, 1], y (B,) -> (B, C, H, W) in [0, 1].
    Raises: as `pixel_gradient`; ValueError if the strength is negative.
    Source: Goodfellow, Shlens and Szegedy (2015), section 4.
    """
    if not strength >= 0:
        raise ValueError(f"strength is {strength}; give a number of 0 or more.")
    g = pixel_gradient(model, x, y)
    return (x + strength * g.sign()).clamp(0, 1)


def _logits(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    logits = model(x)
    check_labels("y", y, logits.shape[1])  # how many classes there are is known now
    return logits


def _check(x: Tensor, y: Tensor) -> None:
    check_unit_range("x", x)
    if x.dim() != 4 or len(x) == 0:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; give (B, C, H, W) with one image or more."
        )
    if not isinstance(y, Tensor) or y.shape != x.shape[:1]:
        found = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"y is {found} for {len(x)} images; give one label each.")
