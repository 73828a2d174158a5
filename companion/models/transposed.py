"""A transposed convolution that is fast when it has few output channels."""

from torch import Tensor, nn
from torch.nn import functional as F


class TransposedConvolution(nn.ConvTranspose2d):
    """PyTorch's transposed convolution, computed as what it means: stamps, added.

    Each input position becomes a stamp of k x k pixels in every output channel, by
    one matrix product; the stamps are laid `stride` apart and added where they
    overlap. The values are the parent's; with one to three output channels a CPU
    is several times as fast this way, with many it is slower.

    Shapes: x (B, C, H, W) -> (B, C', H', W'), H' = (H - 1) stride - 2 padding + k.
    Raises: ValueError for groups, dilation or output padding.
    """

    def __init__(self, in_channels: int, out_channels: int, **settings: int):
        super().__init__(in_channels, out_channels, **settings)
        if (self.groups, set(self.dilation), set(self.output_padding)) != (1, {1}, {0}):
            raise ValueError(
                f"groups {self.groups}, dilation {self.dilation} and output_padding "
                f"{self.output_padding} are not supported; use nn.ConvTranspose2d."
            )

    def forward(self, x: Tensor) -> Tensor:
        size = [
            (n - 1) * s - 2 * p + k
            for n, s, p, k in zip(
                x.shape[2:], self.stride, self.padding, self.kernel_size, strict=True
            )
        ]
        positions = x.permute(0, 2, 3, 1).flatten(1, 2)  # (B, H W, C)
        stamps = positions @ self.weight.flatten(1)  # (B, H W, C' k k)
        y = F.fold(
            stamps.transpose(1, 2),
            size,
            self.kernel_size,
            padding=self.padding,
            stride=self.stride,
        )
        return y if self.bias is None else y + self.bias[:, None, None]
