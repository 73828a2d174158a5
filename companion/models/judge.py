"""The judge: a digits classifier in whose features generated images are measured."""

import torch
from torch import Tensor, nn

from companion.data.checks import check_unit_range
from companion.pretrained import pretrained


class Judge(nn.Module):
    """A small convolutional classifier of 28 x 28 grey digits.

    Its `features` are the 64 numbers before the last ReLU and linear layer. They are
    taken before the ReLU on purpose: none of them is stuck at zero, so the features'
    covariance has full rank, and they are few, so that some hundred images suffice
    to estimate it.

    Shapes: x (B, 1, 28, 28) in [0, 1] -> logits (B, 10).
    Raises: TypeError if x is no float tensor; ValueError if x is no batch of grey
        28 x 28 images in [0, 1].
    """

    image_shape = (1, 28, 28)
    num_features = 64
    num_classes = 10

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolution(1, 16, pool=True),  # (B, 16, 14, 14)
            *_convolution(16, 48, pool=True),  # (B, 48, 7, 7)
            *_convolution(48, 64),
            *_convolution(64, 64, pool=True),  # (B, 64, 3, 3)
            nn.Flatten(),
        )
        self.hidden = nn.Sequential(
            nn.Linear(64 * 3 * 3, self.num_features, bias=False),
            nn.BatchNorm1d(self.num_features),
        )
        self.output = nn.Linear(self.num_features, self.num_classes)

    def features(self, x: Tensor) -> Tensor:
        """What the judge sees in an image, as 64 numbers.

        Shapes: x (B, 1, 28, 28) in [0, 1] -> (B, 64).
        Raises: as the class.
        """
        self._check(x)
        return self.hidden(self.convolutions(x))

    def classify(self, features: Tensor) -> Tensor:
        """Shapes: features (B, 64) -> logits (B, 10)."""
        return self.output(torch.relu(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))

    def _check(self, x: Tensor) -> None:
        check_unit_range("x", x)
        if x.dim() != 4 or x.shape[1:] != self.image_shape or len(x) == 0:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; the judge takes digits of shape "
                "(B, 1, 28, 28), one or more."
            )


def load_judge(device: torch.device | str | None = None) -> Judge:
    """The judge with the weights that ship with the companion, in evaluation mode.

    Its parameters are frozen: gradients may pass through it to the images, but
    nothing trains it.

    Raises: as `pretrained`, if the weights are missing or damaged.
    """
    return pretrained("judge", device)


def _convolution(fan_in: int, fan_out: int, pool: bool = False) -> list[nn.Module]:
    # No bias: the batch normalisation has one. Pooling first leaves it a quarter
    # of the work.
    return [
        nn.Conv2d(fan_in, fan_out, kernel_size=3, padding=1, bias=False),
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(fan_out),
        nn.ReLU(),
    ]
