"""The vector-quantised autoencoder, and the network that predicts its codes."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion.models.blocks import check_images
from companion.models.vae import VAE


class VQVAE(nn.Module):
    """An autoencoder whose code is a map of numbers from 0 to num_codes - 1.

    A convolution of stride 4 and a residual block give a map of vectors, a quarter
    of the image's sides; every vector is replaced by the nearest one of the codebook.
    The decoder works on the small map and unfolds its channels into pixels at the
    end, which costs a fraction of transposed convolutions.

    Shapes: images (B, *image_shape) in [0, 1]; vectors (B, dim, h, w); codes
        (B, h, w) with h, w a quarter of the image's sides.
    Raises: ValueError for sizes below 1, fewer than 2 codes, or sides that are no
        multiple of 4.
    Source: van den Oord et al. (2017), section 4.1.
    Differs: one stride of 4 for two of 2, and one residual block for two.
    """

    unit_range = True  # trainers refuse pictures in another range

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        width: int = 64,
        dim: int = 8,
        num_codes: int = 64,
    ):
        super().__init__()
        if min(width, dim) < 1 or num_codes < 2:
            raise ValueError(
                f"width {width} and dim {dim} must be 1 or more, num_codes "
                f"{num_codes} at least 2."
            )
        self.grid = _grid(image_shape)
        channels = image_shape[0]
        self.image_shape = tuple(image_shape)
        self.num_codes = num_codes
        self.encoder = _to_map(channels, width)
        self.encoder.append(nn.Conv2d(width, dim, kernel_size=1))
        self.decoder = _from_map(dim, width, channels)
        self.codebook = nn.Parameter(torch.randn(num_codes, dim) / num_codes)
        # The layout in memory that a CPU convolves fastest; the values are the same.
        self.to(memory_format=torch.channels_last)

    def encode(self, x: Tensor) -> Tensor:
        """Vectors before quantisation, (B, dim, h, w).

        Raises: ValueError if x is not a batch of images of `image_shape`.
        """
        check_images(x, self.image_shape)
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """Means of the pixels, from vectors (B, dim, h, w); clamp them to [0, 1]."""
        return self.decoder(z)

    def lookup(self, codes: Tensor) -> Tensor:
        """The codebook's vectors, (B, dim, h, w), of codes (B, h, w).

        Raises: TypeError if codes are not int64; ValueError if one is outside
            0..num_codes-1 or the shape is not (B, h, w).
        """
        if codes.dtype != torch.int64:
            raise TypeError(f"codes are {codes.dtype}; give torch.int64.")
        if codes.shape[1:] != self.grid:
            raise ValueError(
                f"codes have shape {tuple(codes.shape)}; this network takes "
                f"(B, {self.grid[0]}, {self.grid[1]})."
            )
        if codes.numel() and not (codes.min() >= 0 and codes.max() < self.num_codes):
            raise ValueError(
                f"codes run from {codes.min()} to {codes.max()}; this codebook has "
                f"the numbers 0 to {self.num_codes - 1}."
            )
        return F.embedding(codes, self.codebook).permute(0, 3, 1, 2)


class GridVAE(VAE):
    """A VAE with the networks of `VQVAE`: its code is a map of normal variables.

    Shapes: as `VAE`, with latent = dim h w, where h and w are a quarter of the
        image's sides.
    Raises: ValueError for sizes below 1, or sides that are no multiple of 4.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        width: int = 64,
        dim: int = 4,
    ):
        if min(width, dim) < 1:
            raise ValueError(f"width {width} and dim {dim} must be 1 or more.")
        h, w = _grid(image_shape)
        super().__init__(image_shape, dim * h * w)
        channels = image_shape[0]
        self.encoder = _to_map(channels, width)
        self.to_mu = nn.Sequential(nn.Conv2d(width, dim, 1), nn.Flatten())
        self.to_log_var = nn.Sequential(nn.Conv2d(width, dim, 1), nn.Flatten())
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (dim, h, w)), _from_map(dim, width, channels)
        )
        self.to(memory_format=torch.channels_last)


class Residual(nn.Module):
    """h + f(h), with f two convolutions that keep the shape.

    Shapes: (B, C, H, W) -> (B, C, H, W).
    Source: He et al. (2016), section 3.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.f = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, max(1, channels // 2), kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(max(1, channels // 2), channels, kernel_size=1),
        )

    def forward(self, h: Tensor) -> Tensor:
        return h + self.f(h)


def _grid(image_shape: tuple[int, int, int]) -> tuple[int, int]:
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(
            f"image_shape is {tuple(image_shape)}; give (channels, height, width), "
            "all 1 or more."
        )
    _, height, width = image_shape
    if height % 4 or width % 4:
        raise ValueError(
            f"image_shape is {tuple(image_shape)}; a stride of 4 needs a height and "
            "width that are multiples of 4: pad the images."
        )
    return height // 4, width // 4


def _to_map(channels: int, width: int) -> nn.Sequential:
    """(B, C, H, W) -> (B, width, H / 4, W / 4)."""
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel_size=8, stride=4, padding=2),
        Residual(width),
        nn.ReLU(),
    )


def _from_map(dim: int, width: int, channels: int) -> nn.Sequential:
    """(B, dim, h, w) -> (B, C, 4h, 4w)."""
    return nn.Sequential(
        nn.Conv2d(dim, width, kernel_size=3, padding=1),
        Residual(width),
        nn.ReLU(),
        nn.Conv2d(width, 16 * channels, kernel_size=3, padding=1),
        nn.PixelShuffle(4),  # 16 C maps of h x w -> C maps of 4h x 4w
    )


class CodePrior(nn.Module):
    """p(codes) as a product: each code given those before it, in reading order.

    A convolution whose weights for the present and all later places are zero looks
    at the neighbours before; layers of one place each turn that into logits. A bias
    for every place lets the network know where it is.

    Shapes: codes (B, h, w) of int64 -> logits (B, num_codes, h, w).
    Raises: ValueError for sizes below 1, fewer than 2 codes, or an even kernel.
    Source: van den Oord et al. (2016), section 3.4, for the mask.
    """

    def __init__(
        self,
        grid: tuple[int, int] = (7, 7),
        num_codes: int = 64,
        width: int = 64,
        kernel_size: int = 5,
    ):
        super().__init__()
        if min(*grid, width) < 1 or num_codes < 2 or kernel_size % 2 != 1:
            raise ValueError(
                f"grid {tuple(grid)} and width {width} must be 1 or more, num_codes "
                f"{num_codes} at least 2, kernel_size {kernel_size} odd."
            )
        self.grid, self.num_codes = tuple(grid), num_codes
        self.length = grid[0] * grid[1]
        self.embedding = nn.Embedding(num_codes, max(1, width // 2))
        k = kernel_size
        self.look = nn.Conv2d(max(1, width // 2), width, k)
        mask = torch.zeros(k, k)
        mask.view(-1)[: k * k // 2] = 1  # the places before the middle
        self.register_buffer("mask", mask, persistent=False)
        self.place = nn.Parameter(torch.zeros(1, width, *grid))
        self.to_logits = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, kernel_size=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, num_codes, kernel_size=1),
        )

    def forward(self, codes: Tensor) -> Tensor:
        if codes.shape[1:] != self.grid:
            raise ValueError(
                f"codes have shape {tuple(codes.shape)}; this network takes "
                f"(B, {self.grid[0]}, {self.grid[1]})."
            )
        return self.to_logits(self._look(self._padded(codes)) + self.place)

    @torch.no_grad()
    def probabilities(self, codes: Tensor, t: int) -> Tensor:
        """p(code at place t | codes at the places before), (N, num_codes), on the CPU.

        Only what the kernel sees from place t is computed.

        Shapes: codes (N, length); only codes[:, :t] is read.
        """
        known = torch.zeros_like(codes)
        known[:, :t] = codes[:, :t]
        i, j = divmod(t, self.grid[1])
        k = self.look.kernel_size[0]
        padded = self._padded(known.view(-1, *self.grid))
        h = self._look(padded[:, :, i : i + k, j : j + k])  # (N, width, 1, 1)
        logits = self.to_logits(h + self.place[:, :, i : i + 1, j : j + 1])
        return logits[:, :, 0, 0].cpu().double().softmax(dim=1)

    def _padded(self, codes: Tensor) -> Tensor:
        h = self.embedding(codes).permute(0, 3, 1, 2)  # (B, width / 2, h, w)
        return F.pad(h, [self.look.kernel_size[0] // 2] * 4)

    def _look(self, padded: Tensor) -> Tensor:
        return F.conv2d(padded, self.look.weight * self.mask, self.look.bias)

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """n maps of codes, (n, h, w), drawn place by place.

        Raises: ValueError if n is below 1.
        """
        if n < 1:
            raise ValueError(f"n is {n}; ask for 1 or more.")
        device = self.place.device
        codes = torch.zeros(n, self.length, dtype=torch.int64, device=device)
        for t in range(self.length):
            p = self.probabilities(codes, t).float().to(device)
            codes[:, t] = torch.multinomial(p, 1, generator=generator)[:, 0]
        return codes.view(n, *self.grid)
