"""Deep classifiers: residual networks, and plain ones of the same layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from companion.runtime import evaluating


class ResidualBlock(nn.Module):
    """relu(f(x) + x), where f is convolution, BN, ReLU, convolution, BN.

    Where f changes the number of channels or, with stride 2, halves the size, the
    shortcut has a 1 x 1 convolution with the same stride, and BN. Without `residual`
    the block is relu(f(x)). Without `batch_norm` the convolutions have biases.

    Shapes: x (B, fan_in, H, W) -> (B, fan_out, H / stride, W / stride), rounded up.
    Source: He, Zhang, Ren and Sun (2015), Deep residual learning, figure 2.
    """

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        stride: int = 1,
        residual: bool = True,
        batch_norm: bool = True,
    ):
        super().__init__()
        self.branch = nn.Sequential(
            *_convolution(fan_in, fan_out, 3, stride, batch_norm),
            nn.ReLU(),
            *_convolution(fan_out, fan_out, 3, 1, batch_norm),
        )
        if not residual:
            self.shortcut = None
        elif stride == 1 and fan_in == fan_out:
            self.shortcut = nn.Identity()
        else:
            self.shortcut = nn.Sequential(
                *_convolution(fan_in, fan_out, 1, stride, batch_norm)
            )

    def forward(self, x: Tensor) -> Tensor:
        if self.shortcut is None:
            return torch.relu(self.branch(x))
        return torch.relu(self.branch(x) + self.shortcut(x))


class ResNet(nn.Module):
    """A convolution, stages of residual blocks, the mean of each map, a linear layer.

    Each stage has `blocks` blocks, and each but the first begins by halving the size.
    With n = len(widths) there are 2 + 2 n `blocks` layers, those of the shortcuts not
    counted. With residual=False it is the plain network of the same layers. The weights
    begin as normal numbers of variance 2 / (inputs of a unit).

    Shapes: x (B, in_channels, H, W), any H and W from 2 ** (n - 1) -> (B, num_classes),
        logits.
    Raises: ValueError for sizes below 1 or images that do not fit.
    Source: He, Zhang, Ren and Sun (2015), Deep residual learning, section 4.2.
    Differs: the shortcuts that change the shape are their option B, which they use for
        ImageNet.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        widths: Sequence[int] = (16, 32, 64),
        blocks: int = 1,
        residual: bool = True,
        batch_norm: bool = True,
    ):
        super().__init__()
        widths = tuple(widths)
        if not widths or min(in_channels, num_classes, blocks, *widths) < 1:
            raise ValueError(
                f"in_channels {in_channels}, num_classes {num_classes}, widths "
                f"{widths} and blocks {blocks} must all be 1 or more."
            )
        self.num_classes = num_classes
        side = 2 ** (len(widths) - 1)
        self.image_shape = (in_channels, side, side)  # of the smallest image
        self.stem = nn.Sequential(
            *_convolution(in_channels, widths[0], 3, 1, batch_norm), nn.ReLU()
        )
        stages: list[nn.Module] = []
        fan_in = widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                stages.append(
                    ResidualBlock(fan_in, width, stride, residual, batch_norm)
                )
                fan_in = width
        self.blocks = nn.Sequential(*stages)
        self.output = nn.Linear(fan_in, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        # The layout in memory that a CPU convolves fastest; the values are the same.
        self.to(memory_format=torch.channels_last)

    def maps(self, x: Tensor) -> Tensor:
        """What the last block gives, values >= 0.

        Shapes: x (B, in_channels, H, W) -> (B, widths[-1], H', W'), with H' = H /
            2 ** (n - 1), rounded up.
        Raises: as the class.
        """
        channels, side, _ = self.image_shape
        if x.dim() != 4 or x.shape[1] != channels or min(x.shape[2:]) < side:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; this network takes (B, {channels}, H, "
                f"W), with H and W of {side} or more."
            )
        return self.blocks(self.stem(x))

    def features(self, x: Tensor) -> Tensor:
        """The mean of each map: what the linear layer decides by.

        Shapes: x (B, in_channels, H, W) -> (B, widths[-1]).
        Raises: as the class.
        """
        return self.maps(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.features(x))


def multiplications(network: nn.Module, x: Tensor) -> int:
    """Multiplications of all convolutions and linear layers for one image.

    Those of normalisations, some for each number in a map, are not counted, nor those
    of transposed convolutions.

    Shapes: x (B, C, H, W), of which the first image is used.
    """
    counts: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        counts.append(output[0].numel() * layer.weight[0].numel())

    kinds = (nn.Conv2d, nn.Linear)
    layers = [layer for layer in network.modules() if isinstance(layer, kinds)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with evaluating(network):
            network(x[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return sum(counts)


def _convolution(
    fan_in: int, fan_out: int, kernel_size: int, stride: int, batch_norm: bool
) -> list[nn.Module]:
    convolution = nn.Conv2d(
        fan_in,
        fan_out,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        bias=not batch_norm,  # batch normalisation has one
    )
    return [convolution, *([nn.BatchNorm2d(fan_out)] if batch_norm else [])]
