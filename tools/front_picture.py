"""Draw book/front.png, the picture of the README and of the book's front page.

    python tools/front_picture.py

Everything in it is made by the companion: textures by rule, OpenMoji's pictures, and
one of these seen through small convolutions.
"""

import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.nn import functional as F

from companion.data.glyphs import draw_emoji
from companion.pictures import fractal_noise, gradient_map, quilt, truchet, waves
from companion.plotting import show_rows

TARGET = Path(__file__).resolve().parents[1] / "book" / "front.png"
SIZE = 96
# parrot, fox, octopus, sunflower, strawberry, hut
CODES = ("1F99C", "1F98A", "1F419", "1F33B", "1F353", "1F6D6")
NIGHT = [(0.05, 0.05, 0.2), (0.1, 0.3, 0.6), (0.95, 0.75, 0.45), (1.0, 0.98, 0.9)]
LAND = [(0.0, 0.2, 0.45), (0.2, 0.6, 0.75), (0.9, 0.85, 0.6), (0.25, 0.5, 0.2)]
CLAY = [(0.96, 0.9, 0.8), (0.84, 0.37, 0.0)]


def rules() -> Tensor:
    """Six pictures made without any data, (6, 3, SIZE, SIZE)."""
    g = torch.Generator().manual_seed(3)
    frequencies = torch.randint(-4, 5, (12, 2), generator=g).float()
    phases = 2 * math.pi * torch.rand(3, 12, generator=g)
    noise = fractal_noise(SIZE, 3, 5, generator=g)
    stretched = ((noise - noise.min()) / (noise.max() - noise.min())).clamp(0, 1)
    rows = torch.arange(SIZE) / SIZE
    marble = 0.5 + 0.5 * torch.sin(2 * math.pi * (3 * rows + 3 * stretched))
    tiles = gradient_map(truchet(4, 4, SIZE // 4, generator=g), CLAY)
    return torch.stack(
        [
            waves(SIZE, frequencies, phases, torch.rand(12, generator=g)),
            gradient_map(stretched, LAND),
            gradient_map(marble, NIGHT),
            tiles,
            quilt(gradient_map(marble, LAND), 6, 24, 8, generator=g)[:, :SIZE, :SIZE],
            gradient_map((stretched * 8).floor() / 8, NIGHT),
        ]
    )


def convolutions(x: Tensor) -> Tensor:
    """One picture (3, H, W) through six filters, (6, 3, H, W)."""
    blur = torch.ones(5, 5) / 25
    down = torch.tensor([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]])
    emboss = torch.tensor([[-2.0, -1, 0], [-1, 0, 1], [0, 1, 2]])
    seen = [
        _filter(x, blur),
        F.avg_pool2d(x, 6).repeat_interleave(6, 1).repeat_interleave(6, 2),
        _filter(x, down).abs(),
        _filter(x, down.T).abs(),
        0.5 + 0.25 * _filter(x, emboss),
        1 - (_filter(x, down).square() + _filter(x, down.T).square()).sqrt(),
    ]
    return torch.stack(seen).clamp(0, 1)


def _filter(x: Tensor, kernel: Tensor) -> Tensor:
    padded = F.pad(x[:, None], [len(kernel) // 2] * 4, mode="replicate")
    return F.conv2d(padded, kernel[None, None])[:, 0]


def main() -> None:
    data = torch.from_numpy(draw_emoji(CODES, SIZE)).float() / 255
    show_rows(
        {
            "by rule": rules(),
            "data": data,
            "filtered": convolutions(data[0]),
        },
        scale=1.15,
    )
    plt.savefig(TARGET, dpi=100)
    print(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
