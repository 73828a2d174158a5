"""Generators and discriminators of generative adversarial networks.

Their activations work in place: on a CPU the copies that this saves are a seventh of a
step's time; the values are the same.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torchvision.ops import Permute

from companion.models.blocks import check_images, check_latent
from companion.models.enlarging import resized, transposed
from companion.runtime import evaluating


class Generator(nn.Module):
    """What every generator of the book can do: draw noise, make images, sample.

    A subclass sets `net`, noise to logits of pixels.

    Shapes: noise (B, latent) -> images (B, *image_shape) in [0, 1].
    Raises: ValueError for sizes below 1, or noise of another shape.
    """

    net: nn.Module
    unit_range = True  # trainers refuse pictures in another range

    def __init__(self, image_shape: tuple[int, int, int], latent: int):
        super().__init__()
        self.image_shape = _checked_shape(image_shape)
        if latent < 1:
            raise ValueError(f"latent is {latent}; give 1 number of noise or more.")
        self.latent = latent

    def noise(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """z ~ N(0, I): (n, latent), on the device of the network.

        Raises: ValueError if n is below 1.
        """
        if n < 1:
            raise ValueError(f"n is {n}; ask for 1 image or more.")
        device = next(self.parameters()).device
        return torch.randn(n, self.latent, generator=generator, device=device)

    def forward(self, z: Tensor) -> Tensor:
        check_latent(z, self.latent)
        return self.net(z).sigmoid()

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """n images, batch normalisation with its kept averages: (n, *image_shape).

        Raises: ValueError if n is below 1.
        """
        with evaluating(self):
            batches = self.noise(n, generator=generator).split(500)
            return torch.cat([self(z) for z in batches])


class Discriminator(nn.Module):
    """A classifier of two classes, real and generated: one logit an image.

    A subclass sets `net`, images in [-1, 1] to logits (B, 1).

    Shapes: x (B, *image_shape) in [0, 1] -> (B,).
    Raises: ValueError for sizes below 1, or images of another shape.
    """

    net: nn.Module

    def __init__(self, image_shape: tuple[int, int, int]):
        super().__init__()
        self.image_shape = _checked_shape(image_shape)

    def forward(self, x: Tensor) -> Tensor:
        check_images(x, self.image_shape)
        return self.net(2 * x - 1).squeeze(1)


class MLPGenerator(Generator):
    """Fully connected layers, with batch normalisation or plain.

    Shapes and errors: as `Generator`.
    Source: Goodfellow et al. (2014), section 5, with LeakyReLU.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        hidden: Sequence[int] = (256, 512),
        latent: int = 64,
        batch_norm: bool = False,
    ):
        super().__init__(image_shape, latent)
        layers: list[nn.Module] = []
        widths = [latent, *checked_widths("hidden", hidden)]
        for a, b in zip(widths, widths[1:], strict=False):
            layers.append(nn.Linear(a, b))
            if batch_norm:
                layers.append(nn.BatchNorm1d(b))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        layers.append(nn.Linear(widths[-1], prod(self.image_shape)))
        self.net = nn.Sequential(*layers, nn.Unflatten(1, self.image_shape))


class MLPDiscriminator(Discriminator):
    """Fully connected layers, with drop-out or plain.

    Shapes and errors: as `Discriminator`; ValueError for a dropout outside [0, 1).
    Source: Goodfellow et al. (2014), section 5, with LeakyReLU for maxout.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        hidden: Sequence[int] = (512, 256),
        dropout: float = 0.0,
    ):
        super().__init__(image_shape)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; give a share from 0 to below 1.")
        layers: list[nn.Module] = [nn.Flatten()]
        widths = [prod(self.image_shape), *checked_widths("hidden", hidden)]
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [nn.Linear(a, b), nn.LeakyReLU(0.2, inplace=True)]
            if dropout:
                layers.append(nn.Dropout(dropout))
        self.net = nn.Sequential(*layers, nn.Linear(widths[-1], 1))


class DCGANGenerator(Generator):
    """Transposed convolutions (kernel 4, stride 2), each doubling height and width.

    `widths` lists the channels of the maps, smallest maps first: n widths, n
    doublings. Images as wide as high or not: both sides are multiples of 2^n. With
    `subpixel` the last doubling is a convolution that makes each 2 x 2 block of
    pixels as four channels: it contains the transposed one and costs less time. With
    `resize` every doubling repeats each pixel and convolves 3 x 3 places, and no
    checkerboard can come from it.

    Shapes: as `Generator`.
    Raises: as `Generator`, also for sides that are no multiples of 2^n, or for
        `subpixel` and `resize` together.
    Source: Radford et al. (2016); subpixel: Shi et al. (2016); resize: Odena et al.
        (2016).
    Differs: ends in a sigmoid; images are in [0, 1].
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        widths: Sequence[int] = (64, 32),
        latent: int = 64,
        batch_norm: bool = True,
        subpixel: bool = False,
        resize: bool = False,
    ):
        super().__init__(image_shape, latent)
        if subpixel and resize:
            raise ValueError(
                "subpixel and resize are both true: the last doubling can be one of "
                "the two."
            )
        double = resized("nearest") if resize else transposed(4)
        widths = checked_widths("widths", widths)
        maps = (*smallest_map(self.image_shape, len(widths)), widths[0])
        # The same as a transposed convolution of (B, latent, 1, 1), and faster.
        layers: list[nn.Module] = [
            nn.Linear(latent, prod(maps), bias=not batch_norm),
            nn.Unflatten(1, maps),
            Permute([0, 3, 1, 2]),
        ]
        channels = self.image_shape[0]
        for a, b in zip(widths, [*widths[1:], channels], strict=True):
            if batch_norm:
                layers.append(nn.BatchNorm2d(a))
            layers.append(nn.ReLU(inplace=True))
            layers.append(double(a, b))
        if subpixel:
            layers[-1:] = [
                nn.Conv2d(widths[-1], 4 * channels, 3, padding=1),
                nn.PixelShuffle(2),
            ]
        self.net = nn.Sequential(*layers)
        # The layout in memory that a CPU convolves fastest: channels last. The maps of
        # the linear layer come in it too; a mixture costs a tenth of a step's time.
        self.to(memory_format=torch.channels_last)


class DCGANDiscriminator(Discriminator):
    """Convolutions (kernel 4, stride 2), each halving height and width; one logit.

    `widths` lists the channels of the maps, largest maps first. With `subpixel` the
    first halving lays each 2 x 2 block of pixels out as channels and convolves them.
    With `deviation` the last layer also sees how much the images of the batch differ.

    Shapes: as `Discriminator`.
    Raises: as `Discriminator`, also for sides that are no multiples of 2^n.
    Source: Radford et al. (2016); subpixel: Shi et al. (2016); deviation: Karras et al.
        (2018), section 3.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        widths: Sequence[int] = (32, 64),
        batch_norm: bool = False,
        subpixel: bool = False,
        deviation: bool = False,
    ):
        super().__init__(image_shape)
        widths = checked_widths("widths", widths)
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(
            zip([self.image_shape[0], *widths], widths, strict=False)
        ):
            normed = batch_norm and i > 0  # not the layer that sees the pixels
            layers.append(nn.Conv2d(a, b, 4, stride=2, padding=1, bias=not normed))
            if normed:
                layers.append(nn.BatchNorm2d(b))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        if subpixel:
            layers[:1] = [
                nn.PixelUnshuffle(2),
                nn.Conv2d(4 * self.image_shape[0], widths[0], 3, padding=1),
            ]
        side = smallest_map(self.image_shape, len(widths))
        if deviation:
            layers.append(BatchDeviation())
        self.net = nn.Sequential(
            *layers,
            Permute([0, 2, 3, 1]),  # channels last, as the maps lie in memory
            nn.Flatten(),
            nn.Linear((widths[-1] + deviation) * prod(side), 1),
        )
        self.to(memory_format=torch.channels_last)


class BatchDeviation(nn.Module):
    """One more channel: the mean standard deviation over the images of the batch.

    It is one number, the same everywhere, that tells a discriminator whether the images
    of a batch are too much alike.

    Shapes: x (B, C, H, W) -> (B, C + 1, H, W).
    Source: Karras et al. (2018), section 3.
    Differs: the whole batch is one group.
    """

    def forward(self, x: Tensor) -> Tensor:
        # The small number keeps the gradient of the root finite where all are alike.
        deviation = (x.var(dim=0, correction=0) + 1e-8).sqrt().mean()
        return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], dim=1)


_DCGAN_LAYERS = (
    nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm1d, nn.BatchNorm2d
)  # fmt: skip


@torch.no_grad()
def init_dcgan(network: nn.Module, std: float = 0.02) -> None:
    """Weights from N(0, std^2), biases 0; scales of batch normalisation N(1, std^2).

    Raises: ValueError if std is not above 0; TypeError, before any change, if a layer
        has weights of another kind, such as copies side by side or normalised ones,
        or weights that are zero on purpose, as those of labels.
    Source: Radford et al. (2016), section 4; the scales: the authors' code.
    """
    if not std > 0:
        raise ValueError(f"std is {std}; a standard deviation is above 0.")
    layers = [m for m in network.modules() if list(m.parameters(recurse=False))]
    for module in layers:
        if type(module) not in _DCGAN_LAYERS or not module.weight.any():
            raise TypeError(
                f"{type(network).__name__} has a layer {type(module).__name__} of "
                "another kind, or all zero, for which DCGAN has no rule; leave the "
                "network as PyTorch made it."
            )
    for module in layers:
        mean = 1.0 if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) else 0.0
        module.weight.normal_(mean, std)
        if module.bias is not None:
            module.bias.zero_()


def _checked_shape(image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(
            f"image_shape is {tuple(image_shape)}; give (channels, height, width), "
            "all 1 or more."
        )
    return tuple(image_shape)


def checked_widths(name: str, widths: Sequence[int]) -> list[int]:
    """The widths as a list.

    Raises: ValueError, with their name, if there are none or one is below 1.
    """
    if not widths or min(widths) < 1:
        raise ValueError(
            f"{name} are {list(widths)}; give a list of one width or more, each 1 or "
            "more."
        )
    return list(widths)


def smallest_map(image_shape: tuple[int, int, int], doublings: int) -> tuple[int, int]:
    """Height and width before all doublings.

    Raises: ValueError, with the remedy, unless both sides can be halved so often.
    """
    _, height, width = image_shape
    factor = 2**doublings
    if height % factor or width % factor:
        raise ValueError(
            f"image_shape is {image_shape}; {doublings} widths need a height and "
            f"width that are multiples of {factor}: give fewer widths or pad the "
            "images."
        )
    return height // factor, width // factor
