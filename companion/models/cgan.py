"""Generators and discriminators that are told a label: conditional GANs.

A label is a class number, or several numbers, one for each of several attributes. As
`num_classes` says, 10 is one attribute of ten classes, (5, 3) two attributes, of five
and of three classes.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.data.checks import check_labels
from companion.models.blocks import check_images, check_latent, check_lengths
from companion.models.gan import (
    DCGANDiscriminator,
    DCGANGenerator,
    Discriminator,
    Generator,
    MLPDiscriminator,
    MLPGenerator,
)
from companion.runtime import evaluating


def label_vectors(y: Tensor, num_classes: Sequence[int]) -> Tensor:
    """One-hot vectors of labels, those of several attributes side by side.

    Floating-point `y` is taken for such vectors, and returned: a mixture of labels
    has shares in place of a single 1.

    Shapes: y (B,) for one attribute, or (B, A) for A of them, int64
        -> (B, sum(num_classes)).
    Raises: TypeError for other whole numbers; ValueError for another shape, no
        labels, or a class outside 0..K-1.
    """
    if y.is_floating_point():
        if y.dim() != 2 or y.shape[1] != sum(num_classes):
            raise ValueError(
                f"y holds shares and has shape {tuple(y.shape)}; give (B, "
                f"{sum(num_classes)}), or class numbers by y.long()."
            )
        return y
    columns = y[:, None] if y.dim() == 1 else y
    if columns.dim() != 2 or columns.shape[1] != len(num_classes) or len(y) == 0:
        wanted = "(B,)" if len(num_classes) == 1 else f"(B, {len(num_classes)})"
        raise ValueError(f"y has shape {tuple(y.shape)}; give class numbers {wanted}.")
    for column, classes in zip(columns.T, num_classes, strict=True):
        check_labels("y", column, classes)
    pairs = zip(columns.T, num_classes, strict=True)
    return torch.cat([F.one_hot(c, k) for c, k in pairs], dim=1).float()


class ConditionalGenerator(Generator):
    """What every conditional generator can do: draw an image of a label.

    A subclass has `logits(z, labels)`, labels as `label_vectors`.

    Shapes: noise (B, latent) and y as in `label_vectors` -> (B, *image_shape).
    Raises: as `Generator` and `label_vectors`; ValueError for fewer than 2 classes or
        unequal numbers of noises and labels.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent: int,
        num_classes: int | Sequence[int],
    ):
        super().__init__(image_shape, latent)
        self.num_classes = _checked_classes(num_classes)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        check_latent(z, self.latent)
        labels = label_vectors(y, self.num_classes)
        check_lengths("z", z, labels)
        return self.logits(z, labels).sigmoid()

    def sample(
        self,
        n: int,
        *,
        y: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """n images, batch normalisation with its kept averages: (n, *image_shape).

        Without y, the classes take turns: 0, 1, 2, and so on; of several attributes,
        all combinations in order.

        Raises: ValueError if n is below 1 or y does not hold n labels.
        """
        z = self.noise(n, generator=generator)
        if y is None:
            y = self.turns(n).to(z.device)
        check_lengths("z", z, y)
        with evaluating(self):
            pairs = zip(z.split(500), y.split(500), strict=True)
            return torch.cat([self(*pair) for pair in pairs])

    def turns(self, n: int) -> Tensor:
        """n labels, each class, or combination, in its turn: (n,) or (n, A)."""
        labels = torch.cartesian_prod(*map(torch.arange, self.num_classes))
        return labels[torch.arange(n) % len(labels)]


class ConditionalDiscriminator(Discriminator):
    """Real or generated, given the label? One logit a pair of image and label.

    A subclass has `logits(x, labels)`, x in [-1, 1], labels as `label_vectors`.

    Shapes: x (B, *image_shape) in [0, 1], y as in `label_vectors` -> (B,).
    Raises: as `Discriminator` and `label_vectors`; ValueError for fewer than 2
        classes or unequal numbers of images and labels.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], num_classes: int | Sequence[int]
    ):
        super().__init__(image_shape)
        self.num_classes = _checked_classes(num_classes)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        check_images(x, self.image_shape)
        labels = label_vectors(y, self.num_classes)
        check_lengths("x", x, labels)
        return self.logits(2 * x - 1, labels)


class ConditionalMLPGenerator(ConditionalGenerator):
    """Fully connected; the label's vector is written behind the noise.

    Shapes and errors: as `ConditionalGenerator`.
    Source: Mirza and Osindero (2014).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        hidden: Sequence[int] = (256, 512),
        latent: int = 64,
        batch_norm: bool = False,
        num_classes: int | Sequence[int] = 10,
    ):
        super().__init__(image_shape, latent, num_classes)
        width = latent + sum(self.num_classes)
        self.net = MLPGenerator(image_shape, hidden, width, batch_norm).net

    def logits(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.net(torch.cat([z, labels], dim=1))


class ConditionalMLPDiscriminator(ConditionalDiscriminator):
    """Fully connected; the label's vector is written behind the pixels.

    Shapes and errors: as `ConditionalDiscriminator`, and `MLPDiscriminator`.
    Source: Mirza and Osindero (2014).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        hidden: Sequence[int] = (512, 256),
        dropout: float = 0.0,
        num_classes: int | Sequence[int] = 10,
    ):
        super().__init__(image_shape, num_classes)
        width = prod(self.image_shape) + sum(self.num_classes)
        self.net = MLPDiscriminator((1, 1, width), hidden, dropout).net

    def logits(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.net(torch.cat([x.flatten(1), labels], dim=1)).squeeze(1)


class ConditionalDCGANGenerator(ConditionalGenerator):
    """A DCGAN generator whose batch normalisations are conditional.

    Shapes: as `ConditionalGenerator`.
    Raises: as `ConditionalGenerator` and `DCGANGenerator`.
    Source: Radford et al. (2016); the label: de Vries et al. (2017), and for GANs
        Miyato and Koyama (2018).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        widths: Sequence[int] = (64, 32),
        latent: int = 64,
        subpixel: bool = False,
        num_classes: int | Sequence[int] = 10,
    ):
        super().__init__(image_shape, latent, num_classes)
        self.net = DCGANGenerator(image_shape, widths, latent, subpixel=subpixel).net
        for i, layer in enumerate(self.net):
            if isinstance(layer, nn.BatchNorm2d):
                self.net[i] = ConditionalBatchNorm2d(
                    layer.num_features, sum(self.num_classes)
                )

    def logits(self, z: Tensor, labels: Tensor) -> Tensor:
        for layer in self.net:
            told = isinstance(layer, ConditionalBatchNorm2d)
            z = layer(z, labels) if told else layer(z)
        return z


class ProjectionDiscriminator(ConditionalDiscriminator):
    """A DCGAN discriminator whose logit is w . f(x) + b + v_y . f(x).

    f(x) are the numbers before its last layer, and v_y is a vector of the label; of
    several attributes, the sum of their vectors.

    Shapes: as `ConditionalDiscriminator`.
    Raises: as `ConditionalDiscriminator` and `DCGANDiscriminator`.
    Source: Miyato and Koyama (2018), equation 3.
    Differs: f keeps the places of its maps; the paper sums over them.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        widths: Sequence[int] = (32, 64),
        subpixel: bool = False,
        num_classes: int | Sequence[int] = 10,
    ):
        super().__init__(image_shape, num_classes)
        net = DCGANDiscriminator(image_shape, widths, subpixel=subpixel).net
        self.features, self.linear = net[:-1], net[-1]
        self.label = nn.Linear(
            sum(self.num_classes), self.linear.in_features, bias=False
        )
        nn.init.zeros_(self.label.weight)  # at first the label says nothing

    def logits(self, x: Tensor, labels: Tensor) -> Tensor:
        features = self.features(x)
        inner = (self.label(labels) * features).sum(dim=1)
        return self.linear(features).squeeze(1) + inner


class ConditionalBatchNorm2d(nn.Module):
    """Batch normalisation with a scale and a shift of each label's own.

    Mean and variance are those of the whole batch, whatever its labels. The scale is
    1 + S l and the shift T l, with l the label's vector; both matrices begin at 0.

    Shapes: x (B, channels, H, W), labels (B, num_labels) -> (B, channels, H, W).
    Source: de Vries et al. (2017).
    """

    def __init__(self, channels: int, num_labels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Linear(num_labels, channels, bias=False)
        self.shift = nn.Linear(num_labels, channels, bias=False)
        nn.init.zeros_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        scale, shift = 1 + self.scale(labels), self.shift(labels)
        return torch.addcmul(
            shift[:, :, None, None], self.norm(x), scale[:, :, None, None]
        )


def _checked_classes(num_classes: int | Sequence[int]) -> tuple[int, ...]:
    classes = (num_classes,) if isinstance(num_classes, int) else tuple(num_classes)
    if not classes or min(classes) < 2:
        raise ValueError(
            f"num_classes is {num_classes}; give a number of 2 or more, or one for "
            "each attribute."
        )
    return classes
