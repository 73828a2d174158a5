"""Convolution taken apart: the loops, the sizes, the counts, the field, the matrix.

Networks use `torch.nn.Conv2d`; this module says what it computes. As everywhere in
deep learning, "convolution" is the cross-correlation: the kernel is not flipped.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Window(NamedTuple):
    """How a layer looks at its input: a kernel's size and how it moves."""

    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


def output_size(
    size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """How many places a kernel has along one side of an image.

    Units: pixels; padding counts on each of the two ends.
    Raises: ValueError for a size, kernel size, stride or dilation below 1, a negative
        padding, or a kernel that does not fit into the padded image.
    Source: Dumoulin and Visin (2016), relationships 6 and 15.
    """
    if size < 1:
        raise ValueError(f"size is {size}; an image has 1 pixel or more.")
    _check_window(Window(kernel_size, stride, padding, dilation))
    span = dilation * (kernel_size - 1) + 1  # pixels from the kernel's end to end
    room = size + 2 * padding - span
    if room < 0:
        raise ValueError(
            f"The kernel spans {span} pixels and the padded image has only "
            f"{size + 2 * padding}; lower kernel_size or dilation, or pad more."
        )
    return room // stride + 1


def conv2d_loops(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """What `torch.nn.functional.conv2d` computes, one output number at a time.

    Shapes: x (B, C, H, W), weight (O, C, K, L), bias (O,) -> (B, O, H', W').
    Raises: ValueError for shapes that do not fit, or as `output_size`.
    Source: LeCun et al. (1998), section II.
    """
    _check_shapes(x, weight, bias)
    batch, _, height, width = x.shape
    channels_out, _, rows, columns = weight.shape
    y_height = output_size(height, rows, stride, padding, dilation)
    y_width = output_size(width, columns, stride, padding, dilation)
    x = F.pad(x, (padding, padding, padding, padding))  # a border of zeros
    y = x.new_zeros(batch, channels_out, y_height, y_width)
    for b in range(batch):
        for o in range(channels_out):
            for i in range(y_height):
                for j in range(y_width):
                    down = slice(i * stride, i * stride + dilation * rows, dilation)
                    right = slice(j * stride, j * stride + dilation * columns, dilation)
                    y[b, o, i, j] = (weight[o] * x[b, :, down, right]).sum()
    return y if bias is None else y + bias[:, None, None]


def convolution_matrix(
    weight: Tensor,
    size: tuple[int, int],
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """The matrix M with conv2d(x, weight).flatten() = M @ x.flatten().

    Each row holds the same weights at another place and zeros elsewhere: for one
    channel and stride 1, a doubly blocked Toeplitz matrix.

    Shapes: weight (O, C, K, L), size (H, W) -> (O * H' * W', C * H * W).
    Raises: ValueError for a weight of another shape, or as `output_size`.
    """
    if weight.dim() != 4:
        raise ValueError(f"weight has shape {tuple(weight.shape)}; give (O, C, K, L).")
    height, width = size
    channels_out, channels, rows, columns = weight.shape
    y_height = output_size(height, rows, stride, padding, dilation)
    y_width = output_size(width, columns, stride, padding, dilation)
    matrix = weight.new_zeros(channels_out, y_height, y_width, channels, height, width)
    places = (range(n) for n in (y_height, y_width, rows, columns))
    for i, j, k, m in itertools.product(*places):
        p = i * stride + k * dilation - padding  # the pixel under kernel row k
        q = j * stride + m * dilation - padding
        if 0 <= p < height and 0 <= q < width:
            matrix[:, i, j, :, p, q] = weight[:, :, k, m]
    return matrix.reshape(channels_out * y_height * y_width, channels * height * width)


def conv_parameters(
    channels_in: int,
    channels_out: int,
    kernel_size: int,
    *,
    groups: int = 1,
    bias: bool = True,
) -> int:
    """The trainable numbers of a convolution with a square kernel.

    The size of the image does not occur.

    Raises: ValueError for numbers below 1, or groups that do not divide both
        numbers of channels.
    """
    _check_counts(
        channels_in=channels_in,
        channels_out=channels_out,
        kernel_size=kernel_size,
        groups=groups,
    )
    if channels_in % groups or channels_out % groups:
        raise ValueError(
            f"groups is {groups}; it must divide {channels_in} and {channels_out}, "
            "the numbers of channels."
        )
    return channels_out * (channels_in // groups * kernel_size**2 + bias)


def linear_parameters(num_inputs: int, num_outputs: int, *, bias: bool = True) -> int:
    """The trainable numbers of a fully connected layer: one weight a pair.

    Raises: ValueError for numbers below 1.
    """
    _check_counts(num_inputs=num_inputs, num_outputs=num_outputs)
    return num_outputs * (num_inputs + bias)


def receptive_field(windows: Iterable[Sequence[int]]) -> int:
    """The side of the square of input pixels that one output can depend on.

    `windows` goes from the input to the output; each is a `Window` or a plain tuple
    (kernel_size, stride, padding, dilation), of which the last three may be missing.

    Units: pixels; 1 without any layer.
    Raises: ValueError as `output_size` for a bad window.
    Source: Araujo, Norris and Sim (2019).
    """
    field, jump = 1, 1  # jump: input pixels between two neighbouring outputs
    for entry in windows:
        window = Window(*entry)
        _check_window(window)
        field += window.dilation * (window.kernel_size - 1) * jump
        jump *= window.stride
    return field


def influence(network: nn.Module, x: Tensor) -> Tensor:
    """How strongly each input pixel moves the output in the middle.

    The absolute gradient of the central output, summed over its channels, with
    respect to each pixel; summed over input channels, averaged over the batch.
    Pixels outside the receptive field have exactly 0.

    Shapes: x (B, C, H, W) -> (H, W); network(x) must be (B, O, H', W').
    Raises: ValueError if x or the network's output has another shape.
    Source: Luo et al. (2016).
    """
    if x.dim() != 4:
        raise ValueError(f"x has shape {tuple(x.shape)}; give (B, C, H, W).")
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        y = network(x)
        if y.dim() != 4:
            raise ValueError(
                f"The network's output has shape {tuple(y.shape)}; give the part "
                "that ends in maps, (B, O, H', W')."
            )
        centre = y[:, :, y.shape[2] // 2, y.shape[3] // 2].sum()
        (gradient,) = torch.autograd.grad(centre, x)
    return gradient.abs().sum(dim=1).mean(dim=0)


def extent(influence_map: Tensor) -> tuple[int, int]:
    """Height and width of the smallest box around all values that are not 0.

    Shapes: influence_map (H, W).
    Raises: ValueError for another shape or a map of zeros only.
    """
    if influence_map.dim() != 2 or not influence_map.any():
        raise ValueError(
            f"A map of shape {tuple(influence_map.shape)} without any value but 0, or "
            "not (H, W); give what influence() returned."
        )
    places = influence_map.nonzero()
    height, width = (places.amax(dim=0) - places.amin(dim=0) + 1).tolist()
    return height, width


def shuffle_pixels(x: Tensor, order: Tensor) -> Tensor:
    """The same pixels in another order, the same order for every image and channel.

    Shapes: x (B, C, H, W), order (H * W,), a permutation -> (B, C, H, W).
    Raises: ValueError for another shape, or an order that is no permutation.
    """
    if x.dim() != 4:
        raise ValueError(f"x has shape {tuple(x.shape)}; give (B, C, H, W).")
    pixels = torch.arange(x.shape[2] * x.shape[3], device=order.device)
    if order.shape != pixels.shape or not order.sort().values.equal(pixels):
        raise ValueError(
            f"order, of shape {tuple(order.shape)}, is no permutation of the "
            f"{len(pixels)} pixels; give torch.randperm({len(pixels)})."
        )
    return x.flatten(2)[:, :, order].view_as(x)


def sliding(x: Tensor, weight: Tensor) -> Iterator[Tensor]:
    """Frames of a kernel on its way over an image, the output filling beside it.

    Left the image, the pixels under the kernel tinted; right the output so far, 0 as
    middle grey, the strongest value black or white.

    Shapes: x (H, W) in [0, 1], weight (K, L) -> frames (3, H, W + 1 + W'), one for
        each output number.
    Raises: ValueError for other shapes, or as `output_size`.
    """
    if x.dim() != 2 or weight.dim() != 2:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and weight {tuple(weight.shape)}; "
            "give one image (H, W) and one kernel (K, L)."
        )
    y = conv2d_loops(x[None, None], weight[None, None])[0, 0]
    y = 0.5 + 0.5 * y / y.abs().max().clamp(min=1e-12)
    rows, columns = weight.shape
    top = (len(x) - len(y)) // 2  # where the kernel's middle is: the panels align
    tint = torch.tensor([0.9, 0.6, 0.0])[:, None, None]
    frame = torch.ones(3, len(x), x.shape[1] + 1 + y.shape[1])
    for i, j in itertools.product(range(y.shape[0]), range(y.shape[1])):
        frame[:, :, : x.shape[1]] = x
        under = frame[:, i : i + rows, j : j + columns]
        under.lerp_(tint.expand_as(under), 0.55)
        frame[:, top + i, x.shape[1] + 1 + j] = y[i, j]
        yield frame.clone()


def _check_window(window: Window) -> None:
    kernel_size, stride, padding, dilation = window
    _check_counts(kernel_size=kernel_size, stride=stride, dilation=dilation)
    if padding < 0:
        raise ValueError(f"padding is {padding}; give 0 or more.")


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more.")


def _check_shapes(x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    if x.dim() != 4 or weight.dim() != 4 or x.shape[1] != weight.shape[1]:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and weight {tuple(weight.shape)}; give "
            "(B, C, H, W) and (O, C, K, L) with the same C."
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"bias has shape {tuple(bias.shape)}; give ({len(weight)},), one number "
            "an output channel."
        )
