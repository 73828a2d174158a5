"""Networks that look at pictures for texture and style, and the canvas they paint."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import squeezenet1_1

SQUEEZENET = "squeezenet1_1-b8a52dc0.pth"  # the file that torchvision downloads
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Palette(nn.Module):
    """Mean and covariance of a picture's colours, and the way to whitened colours.

    Whitened colours have mean 0 and the identity as covariance: a step of length 1
    is one standard deviation in every direction of colour.

    Shapes: picture (B, 3, H, W).
    Raises: ValueError for another shape.
    """

    def __init__(self, picture: Tensor):
        super().__init__()
        mean, variance, axes = _colors(picture)
        # A direction in which the picture does not vary must not be blown up.
        std = variance.clamp(min=1e-3).sqrt()
        self.register_buffer("mean", mean)
        self.register_buffer("to_white", axes @ (axes / std).T)
        self.register_buffer("to_color", axes @ (axes * std).T)

    def whiten(self, x: Tensor) -> Tensor:
        """Shapes: x (B, 3, H, W) -> (B, 3, H, W)."""
        return _mixed(self.to_white, x - self.mean)

    def paint(self, u: Tensor) -> Tensor:
        """The inverse of `whiten`. Shapes: u (B, 3, H, W) -> (B, 3, H, W)."""
        return _mixed(self.to_color, u) + self.mean


def match_colors(content: Tensor, style: Tensor) -> Tensor:
    """The content with the mean and covariance of the style's colours.

    Directions of colour in which the content hardly varies are not stretched.

    Shapes: content, style (B, 3, H, W) -> content's; may leave [0, 1].
    Raises: ValueError for other shapes.
    Source: Gatys et al. (2016b), "Preserving color in neural artistic style transfer".
    """
    mean, variance, axes = _colors(style)
    to_color = axes @ (axes * variance.clamp(min=0).sqrt()).T
    return _mixed(to_color, Palette(content).whiten(content)) + mean


class Canvas(nn.Module):
    """A picture as a trainable parameter, held in the style's whitened colours.

    In these coordinates gradients along all directions of colour have like sizes.

    Shapes: start, style (B, 3, H, W); canvas() -> as start, not confined to [0, 1].
    Raises: ValueError for other shapes.
    """

    def __init__(self, start: Tensor, style: Tensor):
        super().__init__()
        _check_picture(start)
        self.palette = Palette(style)
        self.u = nn.Parameter(self.palette.whiten(start.detach()).clone())

    def forward(self) -> Tensor:
        return self.palette.paint(self.u)

    def picture(self) -> Tensor:
        """The finished picture, clipped to [0, 1], without gradients."""
        with torch.no_grad():
            return self().clamp(0, 1)


class RandomFilters(nn.Module):
    """One layer of random filters and ReLU, at several sizes of the picture.

    The picture is whitened by the palette of `style` and halved again and again;
    the same filters look at each size. Each map is divided by its root mean square
    on `style`, so that every filter counts alike. Nothing is trained.

    Shapes: style (1, 3, H, W); x (B, 3, H, W) -> `scales` maps, the k-th
        (B, channels, H / 2^k, W / 2^k), rounded up.
    Raises: ValueError for other shapes, an even kernel_size, or pictures too small
        for the kernel at the last scale.
    Source: Ustyuzhaninov et al. (2016).
    Differs: small filters on smaller pictures for filters of several sizes.
    """

    def __init__(
        self,
        style: Tensor,
        *,
        channels: int = 48,
        kernel_size: int = 7,
        scales: int = 3,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if channels < 1 or scales < 1 or kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"channels {channels}, scales {scales}, kernel_size {kernel_size}: "
                "give 1 or more, and an odd kernel_size."
            )
        self.scales, self.pad = scales, kernel_size // 2
        self.palette = Palette(style)
        weight = torch.randn(
            channels, 3, kernel_size, kernel_size, generator=generator
        ).to(style)
        weight /= weight.flatten(1).norm(dim=1)[:, None, None, None]
        self.register_buffer("weight", weight)
        tap = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]).to(style) / 16
        self.register_buffer("blur", torch.outer(tap, tap).expand(3, 1, 5, 5).clone())
        _keep_rms(self, style, scales, dim=(0, 2, 3))

    def forward(self, x: Tensor) -> list[Tensor]:
        _check_picture(x)
        smallest = math.ceil(min(x.shape[2:]) / 2 ** (self.scales - 1))
        if smallest <= max(self.pad, 2):
            raise ValueError(
                f"x has shape {tuple(x.shape)}; at the last of {self.scales} scales "
                f"{smallest} pixels are left, too few for the kernel. Give a larger "
                "picture or fewer scales."
            )
        x, maps = self.palette.whiten(x), []
        for scale in range(self.scales):
            if scale > 0:
                x = F.conv2d(_reflect(x, 2), self.blur, stride=2, groups=3)
            y = F.conv2d(_reflect(x, self.pad), self.weight)
            maps.append(F.relu(y) / self.get_buffer(f"rms_{scale}"))
        return maps


class SqueezeNetFeatures(nn.Module):
    """Four layers of SqueezeNet 1.1, trained by others on ImageNet.

    `path` is a file of torchvision's weights (whole network or `features` alone);
    without it, the file that torchvision has downloaded earlier. Each layer is
    divided by its root mean square on `style`.

    Shapes: style, x (B, 3, H, W) in [0, 1], 32 x 32 or more -> four maps (B, C, ., .).
    Raises: FileNotFoundError if the file is missing; ValueError if it is damaged or
        of another network, or for other shapes.
    Source: Iandola et al. (2016).
    """

    layers = (1, 4, 7, 12)  # the first ReLU, and the last modules before a pooling

    def __init__(self, style: Tensor, path: str | Path | None = None):
        super().__init__()
        self.network = _squeezenet(path).to(style.device)
        self.register_buffer("mean", style.new_tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", style.new_tensor(IMAGENET_STD)[:, None, None])
        _keep_rms(self, style, len(self.layers), dim=(0, 1, 2, 3))

    def forward(self, x: Tensor) -> list[Tensor]:
        _check_picture(x)
        if min(x.shape[2:]) < 32:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; SqueezeNet needs 32 x 32 or more."
            )
        x, maps = (x - self.mean) / self.std, []
        for number, module in enumerate(self.network):
            x = module(x)
            if number in self.layers:
                maps.append(x / self.get_buffer(f"rms_{len(maps)}"))
        return maps


def _squeezenet(path: str | Path | None) -> nn.Sequential:
    if path is None:
        path = Path(torch.hub.get_dir()) / "checkpoints" / SQUEEZENET
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There are no weights at {path}. Download torchvision's {SQUEEZENET} "
            "(squeezenet1_1) and give its path."
        )
    features = squeezenet1_1().features
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = {
            name.removeprefix("features."): value
            for name, value in state.items()
            if not name.startswith("classifier.")
        }
        features.load_state_dict(state)
    except Exception as error:  # whatever damaged bytes make of torch's reader
        raise ValueError(
            f"{path} is damaged or holds another network's weights; give "
            f"torchvision's {SQUEEZENET}."
        ) from error
    for module in features.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # a later layer must not overwrite a kept one
    return features.eval().requires_grad_(False)


def _colors(picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (3, 1, 1), variances (3,) along the axes of colour, and these (3, 3)."""
    _check_picture(picture)
    colors = picture.detach().transpose(0, 1).flatten(1)  # (3, B H W)
    mean = colors.mean(dim=1, keepdim=True)
    covariance = (colors - mean) @ (colors - mean).T / colors.shape[1]
    return mean[:, :, None], *torch.linalg.eigh(covariance)


def _mixed(matrix: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("cd,bdhw->bchw", matrix, x)


def _reflect(x: Tensor, pad: int) -> Tensor:
    return F.pad(x, (pad, pad, pad, pad), mode="reflect")


@torch.no_grad()
def _keep_rms(
    network: nn.Module, style: Tensor, number: int, dim: tuple[int, ...]
) -> None:
    """Measure the network's maps on the style: buffers "rms_0", "rms_1", ..."""
    for k in range(number):
        network.register_buffer(f"rms_{k}", torch.ones_like(style[0, 0, 0, 0]))
    for k, f in enumerate(network(style)):
        rms = f.square().mean(dim=dim, keepdim=True).sqrt()
        # A map that is zero on the style stays as it is.
        rms = torch.where(rms > 1e-6, rms, torch.ones_like(rms))
        network.register_buffer(f"rms_{k}", rms)


def _check_picture(x: Tensor) -> None:
    if x.dim() != 4 or x.shape[1] != 3 or x.numel() == 0:
        raise ValueError(
            f"A picture has shape {tuple(x.shape)}; give (B, 3, H, W) "
            "(grey: x.expand(-1, 3, -1, -1))."
        )
