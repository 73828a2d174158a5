"""Texture and style, painted by random filters and by a network trained on ImageNet.

Four styles, two contents, the same number of steps for both networks; nothing is
trained but pixels. A picture with content begins as the content in the style's colours
and grows through two sizes; at the full size only, strokes stay small.

The weights of the network do not ship: the file that torchvision downloads for
`squeezenet1_1` must lie where torchvision keeps it, in checkpoints below
torch.hub.get_dir(), which the environment variable TORCH_HOME moves.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.nn import functional as F

from companion.data.glyphs import draw_emoji
from companion.models.style import (
    SQUEEZENET,
    Canvas,
    RandomFilters,
    SqueezeNetFeatures,
    match_colors,
)
from companion.pictures import fractal_noise, gradient_map, truchet
from companion.trainers import fit
from companion.trainers.style import StyleTrainer, lbfgs, synthesize
from companion.workshop.recipe import Found, Study, check_rising, setting

# The mean loss of each network has its own scale; both weights were chosen by eye.
CONTENT_WEIGHT = {"random filters": 0.01, "SqueezeNet": 0.006}
CAT_FACE = "1F431"
NIGHT = [
    (0.04, 0.10, 0.32),
    (0.10, 0.30, 0.62),
    (0.45, 0.68, 0.85),
    (0.98, 0.90, 0.55),
    (0.95, 0.65, 0.15),
    (0.15, 0.25, 0.45),
    (0.04, 0.10, 0.32),
]

Network = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True, kw_only=True)
class Style(Study):
    source = (
        "scikit-learn's sample photographs; cat face by OpenMoji, CC BY-SA 4.0; "
        "SqueezeNet 1.1 trained on ImageNet"
    )

    sizes: tuple[int, ...] = setting((48, 96, 192), "sides of a picture, small first")
    texture_steps: int = setting(60, "steps of a texture at each size")
    transfer_steps: int = setting(
        60, "steps of a picture with content, at each of the last two sizes"
    )
    tv_weight: float = setting(0.002, "weight of the total variation", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rising(self, "sizes")

    def find_out(self, device: torch.device) -> Found:
        """A row for each style: the style, then three pictures by each network."""
        weights = Path(torch.hub.get_dir()) / "checkpoints" / SQUEEZENET
        if not weights.is_file():
            raise FileNotFoundError(
                f"There are no weights at {weights}; put torchvision's {SQUEEZENET} "
                "there."
            )
        side = self.sizes[-1]
        cat = (torch.from_numpy(draw_emoji((CAT_FACE,), side)).float() / 255).to(device)
        tower = photograph(0, 20, 50, 320, side).to(device)
        makers = {"random filters": self._filters, "SqueezeNet": SqueezeNetFeatures}
        seconds = dict.fromkeys(makers, 0.0)
        rows = {}
        for name, style in styles(side, self.seed).items():
            style = style.to(device)
            row = [style]
            for label, make in makers.items():
                started = time.perf_counter()
                row.append(
                    synthesize(
                        style,
                        make,
                        sizes=self.sizes,
                        steps=self.texture_steps,
                        tv_weight=self.tv_weight,
                        generator=self._generator(),
                    )
                )
                for content in (cat, tower):
                    weight = CONTENT_WEIGHT[label]
                    row.append(self._transfer(style, content, make, weight))
                seconds[label] += time.perf_counter() - started
            print(f"{name}: done, {sum(seconds.values()):.0f} s in all", flush=True)
            rows[name] = torch.cat(row, dim=3)
        drawn = [f"{a}, {by}" for by in makers for a in ("texture", "cat", "tower")]
        values = {
            "rows": list(rows),
            "columns": ["style", *drawn],
            "size": side,
            "seconds": {label: round(value, 1) for label, value in seconds.items()},
        }
        grown = len(self.sizes[-2:])
        each = self.texture_steps * len(self.sizes) + 2 * grown * self.transfer_steps
        steps = each * len(rows) * len(makers)
        picture = torch.cat(list(rows.values()), dim=2)
        return Found(values, steps, sum(seconds.values()), picture)

    def _transfer(
        self,
        style: Tensor,
        content: Tensor,
        make: Callable[[Tensor], Network],
        content_weight: float,
    ) -> Tensor:
        x = None
        for size in self.sizes[-2:]:
            small, what = (resized(y, size) for y in (style, content))
            what = match_colors(what, small)
            x = what if x is None else F.interpolate(x, (size, size), mode="bicubic")
            noise = torch.randn(what.shape, generator=self._generator()).to(what)
            canvas = Canvas(x + 0.02 * noise, small)
            trainer = StyleTrainer(
                canvas,
                make(small),
                lbfgs(canvas),
                content_weight=content_weight,
                tv_weight=self.tv_weight,
            )
            run = {"steps": self.transfer_steps, "progress": False}
            if fit(trainer, [(small, what)], **run).interrupted:
                raise KeyboardInterrupt  # an unfinished picture is none
            x = canvas().detach()
        return canvas.picture()

    def _filters(self, style: Tensor) -> RandomFilters:
        return RandomFilters(style, channels=32, generator=self._generator())

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)


def styles(side: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tiles = truchet(8, 8, side // 8, generator=generator)
    return {
        "currents": currents(side, generator),
        "petals": photograph(1, 130, 225, 170, side),
        "roof": photograph(0, 80, 203, 40, side),
        "tiles": gradient_map(tiles, [(0.05, 0.1, 0.35), (0.95, 0.8, 0.3)])[None],
    }


def currents(side: int, generator: torch.Generator) -> Tensor:
    """Bands of colour along the heights of a noise that another noise has displaced."""
    down, across, height = (
        fractal_noise(side, 5, octaves, generator=generator) for octaves in (2, 2, 3)
    )
    lines = torch.linspace(-1, 1, side)
    i, j = torch.meshgrid(lines, lines, indexing="ij")
    grid = torch.stack([j + 0.8 * (across - 0.5), i + 0.8 * (down - 0.5)], dim=-1)
    moved = F.grid_sample(
        height[None, None], grid[None], padding_mode="reflection", align_corners=True
    )[0, 0]
    low, high = moved.aminmax()
    return gradient_map(6 * (moved - low) / (high - low) % 1.0, NIGHT)[None]


def photograph(number: int, top: int, left: int, width: int, side: int) -> Tensor:
    """A square of one of scikit-learn's two photographs, as (1, 3, side, side)."""
    image = load_sample_images().images[number]
    x = torch.from_numpy(image[top : top + width, left : left + width].copy())
    x = x.permute(2, 0, 1)[None].float() / 255
    return F.interpolate(
        x, (side, side), mode="bicubic", antialias=True, align_corners=False
    ).clamp(0, 1)


def resized(x: Tensor, size: int) -> Tensor:
    """Shrunk by averaging to (1, 3, size, size), or as it is."""
    return F.interpolate(x, (size, size), mode="area")
