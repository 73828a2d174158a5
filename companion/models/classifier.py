"""The book's classifier: three convolutions and two linear layers."""

import torch
from torch import Tensor, nn

from companion.models.blocks import check_images


class Classifier(nn.Module):
    """Three times convolution, pooling, ReLU; then two linear layers: logits.

    Each pooling halves height and width. With `dropout`, a share of the inputs of
    both linear layers is zeroed while training; with `batch_norm`, batch
    normalisation stands between each pooling and its ReLU.

    Shapes: x (B, in_channels, size, size) in [0, 1] -> (B, num_classes).
    Raises: ValueError for sizes that do not fit or a dropout outside [0, 1).
    Source: LeCun et al. (1998), with ReLU and max pooling for their tanh and
        averages.
    """

    def __init__(
        self,
        in_channels: int = 3,
        size: int = 32,
        num_classes: int = 10,
        widths: tuple[int, ...] = (32, 64, 128),
        hidden: int = 128,
        dropout: float = 0.0,
        batch_norm: bool = False,
    ):
        super().__init__()
        widths = tuple(widths)
        if not widths or min(in_channels, num_classes, hidden, *widths) < 1:
            raise ValueError(
                f"in_channels {in_channels}, num_classes {num_classes}, widths "
                f"{widths} and hidden {hidden} must all be 1 or more."
            )
        smallest = 2 ** len(widths)
        if size < smallest:
            raise ValueError(
                f"size is {size}; {len(widths)} poolings need images of "
                f"{smallest} x {smallest} or more."
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"dropout is {dropout}; give a share from 0 to below 1, such as 0.5."
            )
        self.image_shape = (in_channels, size, size)
        layers: list[nn.Module] = []
        for fan_in, fan_out in zip((in_channels, *widths), widths, strict=False):
            # Pooling before ReLU gives the same values as after it, with less work.
            layers.append(nn.Conv2d(fan_in, fan_out, kernel_size=3, padding=1))
            layers.append(nn.MaxPool2d(2))
            if batch_norm:
                layers.append(nn.BatchNorm2d(fan_out))
            layers.append(nn.ReLU())
        # The layout in memory that a CPU convolves fastest; the values are the same.
        self.convolutions = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        side = size // smallest  # pixels left in height and width
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(widths[-1] * side * side, hidden)
        self.output = nn.Linear(hidden, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """The hidden layer: what the last linear layer decides by.

        Shapes: x (B, in_channels, size, size) -> (B, hidden), values >= 0.
        Raises: ValueError if x is not a batch of images of the network's shape.
        """
        check_images(x, self.image_shape)
        maps = self.convolutions(x)  # (B, widths[-1], side, side)
        return torch.relu(self.hidden(self.dropout(maps.flatten(1))))

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.dropout(self.features(x)))
