"""A small StyleGAN: a mapping network makes styles, and styles scale channels.

Source: Karras et al. (2019) and (2020).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.models.blocks import check_latent
from companion.models.gan import Generator, checked_widths, smallest_map
from companion.runtime import evaluating


class ModulatedConv2d(nn.Module):
    """A convolution whose input channels a style scales.

    With scales s = A w + b and weights k the layer convolves with s_i k_oi. If it
    demodulates, each output channel o is divided by the length of its weights,
    sqrt(sum over i and places of (s_i k_oi)^2): for inputs of variance 1 that are
    independent, so are the outputs.

    Shapes: x (B, channels_in, H, W), w (B, style) -> (B, channels_out, H, W).
    Source: Karras et al. (2020), equations 1 and 3.
    Differs: scales the maps in place of each image's own weights, which is the same.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        style: int,
        *,
        kernel_size: int = 3,
        demodulate: bool = True,
    ):
        super().__init__()
        self.scale = nn.Linear(style, channels_in)
        nn.init.ones_(self.scale.bias)  # at first a style changes little
        self.conv = nn.Conv2d(
            channels_in, channels_out, kernel_size, padding=kernel_size // 2, bias=False
        )
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        s, bias = self.scale(w), self.bias[:, None, None]
        x = self.conv(x * s[:, :, None, None])
        if not self.demodulate:
            return x + bias
        squares = self.conv.weight.square().sum((2, 3))  # (out, in)
        inverse_length = (s.square() @ squares.T + 1e-8).rsqrt()
        return torch.addcmul(bias, x, inverse_length[:, :, None, None])


class StyleGenerator(Generator):
    """Noise z becomes a style w, and w scales the channels of each convolution.

    `widths` lists the channels of the maps, smallest first; between two widths the
    maps are doubled. The first maps are learned and the same for all images. Each size
    adds its own share to the image. `mapping` and `synthesis` are the two parts;
    `synthesis` takes one style for each layer, so that styles can be mixed.

    In training mode nearly half of the images have two styles, of two noises, the
    second from a random layer on. `w_mean` follows the mean style, for truncation.

    Shapes: as `Generator`; w (B, latent), styles (B, num_styles, latent).
    Raises: as `Generator`, also for sides that are no multiples of 2^(n - 1).
    Source: Karras et al. (2019), sections 2 and 3.1; (2020), sections 2 and 4.
    Differs: no noise in the layers, no equalised learning rates, no penalty of the
        paths' lengths.
    """

    w_mean: Tensor

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        widths: Sequence[int] = (64, 64, 32),
        latent: int = 64,
        depth: int = 3,
    ):
        super().__init__(image_shape, latent)
        if depth < 1:
            raise ValueError(f"depth is {depth}; the mapping needs 1 layer or more.")
        widths = checked_widths("widths", widths)
        side = smallest_map(self.image_shape, len(widths) - 1)
        self.mapping_layers = nn.ModuleList(
            nn.Linear(latent, latent) for _ in range(depth)
        )
        for layer in self.mapping_layers:
            nn.init.kaiming_normal_(layer.weight, a=0.2)
            nn.init.zeros_(layer.bias)
        self.first = nn.Parameter(torch.randn(widths[0], *side))
        sizes = [widths[:1], *map(list, zip(widths, widths[1:], strict=False))]
        self.convs, self.to_image = nn.ModuleList(), nn.ModuleList()
        for channels in sizes:
            layers = [(channels[0], channels[-1]), (channels[-1], channels[-1])]
            self.convs.append(
                nn.ModuleList(
                    ModulatedConv2d(a, b, latent) for a, b in layers[: len(channels)]
                )
            )
            self.to_image.append(
                ModulatedConv2d(
                    channels[-1],
                    self.image_shape[0],
                    latent,
                    kernel_size=1,
                    demodulate=False,
                )
            )
        self.num_styles = 2 * len(widths) - 1
        self.register_buffer("w_mean", torch.zeros(latent))
        self.to(memory_format=torch.channels_last)

    def mapping(self, z: Tensor) -> Tensor:
        """Styles of noises, whose lengths do not matter: (B, latent) -> the same.

        Raises: ValueError if z has another shape.
        """
        check_latent(z, self.latent)
        w = F.normalize(z, dim=1) * self.latent**0.5
        for layer in self.mapping_layers:
            w = F.leaky_relu(layer(w), 0.2)
        return w

    def synthesis(self, styles: Tensor) -> Tensor:
        """Images of styles, one for each layer: (B, num_styles, latent) -> images.

        Raises: ValueError for another number of styles.
        """
        if styles.shape[1:] != (self.num_styles, self.latent):
            raise ValueError(
                f"styles have shape {tuple(styles.shape)}; give (B, {self.num_styles}, "
                f"{self.latent}), one style for each layer."
            )
        x = self.first.expand(len(styles), -1, -1, -1)
        x = x.contiguous(memory_format=torch.channels_last)
        image, w = None, iter(styles.unbind(dim=1))
        for convs, to_image in zip(self.convs, self.to_image, strict=True):
            if image is not None:
                x, image = doubled(x), doubled(image)
            for conv in convs:
                style = next(w)
                x = 2**0.5 * F.leaky_relu(conv(x, style), 0.2)
            part = to_image(x, style)
            image = part if image is None else image + part
        return image.sigmoid()

    def forward(self, z: Tensor) -> Tensor:
        styles = self.repeated(self.mapping(z))
        if self.training:
            other = self.repeated(self.mapping(self.noise(len(z))))
            self._follow(styles[:, 0])
            # n - 1 places between the n layers, and n behind the last: no change.
            change = torch.randint(1, 2 * self.num_styles, (len(z), 1), device=z.device)
            layer = torch.arange(self.num_styles, device=z.device)
            styles = torch.where((layer < change)[:, :, None], styles, other)
        return self.synthesis(styles)

    def repeated(self, w: Tensor) -> Tensor:
        """One style for all layers: (B, latent) -> (B, num_styles, latent)."""
        return w[:, None].expand(-1, self.num_styles, -1)

    def sample(
        self,
        n: int,
        *,
        truncation: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """n images: (n, *image_shape).

        With `truncation` below 1 each style is pulled to the mean style and keeps that
        share of its distance from it.

        Raises: ValueError if n is below 1 or truncation outside [0, 1].
        Source: Karras et al. (2019), appendix B.
        """
        if not 0 <= truncation <= 1:
            raise ValueError(f"truncation is {truncation}; give a share from 0 to 1.")
        with evaluating(self):
            w = self.mapping(self.noise(n, generator=generator))
            w = torch.lerp(self.w_mean, w, truncation)
            return torch.cat(
                [self.synthesis(self.repeated(part)) for part in w.split(500)]
            )

    @torch.no_grad()
    def _follow(self, w: Tensor) -> None:
        self.w_mean.lerp_(w.mean(dim=0), 0.005)


def doubled(x: Tensor) -> Tensor:
    """Twice as high and as wide, by bilinear interpolation."""
    return F.interpolate(x, scale_factor=2, mode="bilinear")
