"""The judge: a classifier in whose features generated images are measured."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from companion.data.checks import check_unit_range
from companion.pretrained import pretrained


class Judge(nn.Module):
    """A small convolutional classifier; by default of 28 x 28 grey digits.

    Its `features` are the 64 numbers before the last ReLU and linear layer. They are
    taken before the ReLU on purpose: none of them is stuck at zero, so the features'
    covariance has full rank, and they are few, so that some hundred images suffice
    to estimate it. `widths` are the channels of the four convolutions.

    Shapes: x (B, C, H, W) in [0, 1], with C, H, W as `image_shape` -> logits (B, K).
    Raises: TypeError if x is no float tensor; ValueError if x is no batch of images
        of that shape in [0, 1], for sides below 8 pixels, fewer than 2 classes, or
        other widths than four whole numbers of 1 or more.
    """

    num_features = 64

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        num_classes: int = 10,
        widths: Sequence[int] = (16, 48, 64, 64),
    ) -> None:
        super().__init__()
        _check_sizes("image_shape", image_shape, 3, "(C, H, W), H and W of 8 or more")
        _check_sizes("widths", widths, 4, "the channels of four convolutions")
        _check_sizes("num_classes", (num_classes,), 1, "2 classes or more")
        if min(image_shape[1:]) < 8 or num_classes < 2:
            raise ValueError(
                f"image_shape is {tuple(image_shape)} and num_classes {num_classes}; "
                "give (C, H, W) with H and W of 8 or more, and 2 classes or more."
            )
        self.image_shape, self.num_classes = tuple(image_shape), num_classes
        channels, height, width = image_shape
        a, b, c, d = widths
        self.convolutions = nn.Sequential(
            *_convolution(channels, a, pool=True),  # (B, a, H / 2, W / 2)
            *_convolution(a, b, pool=True),  # (B, b, H / 4, W / 4)
            *_convolution(b, c),
            *_convolution(c, d, pool=True),  # (B, d, H / 8, W / 8)
            nn.Flatten(),
        )
        fan_in = d * (height // 8) * (width // 8)
        self.hidden = nn.Sequential(
            nn.Linear(fan_in, self.num_features, bias=False),
            nn.BatchNorm1d(self.num_features),
        )
        self.output = nn.Linear(self.num_features, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """What the judge sees in an image, as 64 numbers.

        Shapes: x (B, C, H, W) in [0, 1] -> (B, 64).
        Raises: as the class.
        """
        self._check(x)
        return self.hidden(self.convolutions(x))

    def classify(self, features: Tensor) -> Tensor:
        """Shapes: features (B, 64) -> logits (B, K)."""
        return self.output(torch.relu(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))

    def _check(self, x: Tensor) -> None:
        check_unit_range("x", x)
        if x.dim() != 4 or x.shape[1:] != self.image_shape or len(x) == 0:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; this judge takes images of shape (B, "
                f"{', '.join(map(str, self.image_shape))}), one or more."
            )


def load_judge(device: torch.device | str | None = None) -> Judge:
    """The judge of digits, with the weights that ship, in evaluation mode.

    Its parameters are frozen: gradients may pass through it to the images, but
    nothing trains it. Other judges: `pretrained("judge_clothes", device)`.

    Raises: as `pretrained`, if the weights are missing or damaged.
    """
    return pretrained("judge", device)


def _check_sizes(name: str, sizes: object, count: int, remedy: str) -> None:
    whole = isinstance(sizes, list | tuple) and all(
        isinstance(size, int) and size > 0 for size in sizes
    )
    if not whole or len(sizes) != count:
        raise ValueError(f"{name} is {sizes}; give whole numbers from 1: {remedy}.")


def _convolution(fan_in: int, fan_out: int, pool: bool = False) -> list[nn.Module]:
    # No bias: the batch normalisation has one. Pooling first leaves it a quarter
    # of the work.
    return [
        nn.Conv2d(fan_in, fan_out, kernel_size=3, padding=1, bias=False),
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(fan_out),
        nn.ReLU(),
    ]
