"""Texture and style by random filters and by a network trained on ImageNet.

    python -m benchmarks.style WEIGHTS

WEIGHTS is a file of torchvision's squeezenet1_1 (the whole network or its features).
The same pictures are painted through both networks with the same number of steps.
The sheet of pictures becomes companion/records/style.jpg, its numbers go to
companion/records/style.json. Takes some minutes on two cores.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.nn import functional as F

from benchmarks import fit_to_end
from companion import records
from companion.data.glyphs import draw_emoji
from companion.models.style import (
    Canvas,
    RandomFilters,
    SqueezeNetFeatures,
    match_colors,
)
from companion.pictures import gradient_map, truchet
from companion.records import write_record
from companion.runtime import save_file, setup
from companion.trainers.style import StyleTrainer, lbfgs, synthesize

SIZE = 128
SIZES = (32, 64, 128)
TEXTURE_STEPS = 100  # at each size
TRANSFER_STEPS = 100
# The mean loss of each network has its own scale; both weights were chosen by eye.
CONTENT_WEIGHT = {"random filters": 0.03, "SqueezeNet": 0.003}
TV_WEIGHT = 0.002
CAT_FACE = "1F431"


def photograph(number: int, top: int, left: int, side: int) -> Tensor:
    """A square of one of scikit-learn's two photographs, as (1, 3, SIZE, SIZE)."""
    image = load_sample_images().images[number]
    x = torch.from_numpy(image[top : top + side, left : left + side].copy())
    x = x.permute(2, 0, 1)[None].float() / 255
    return F.interpolate(
        x, (SIZE, SIZE), mode="bicubic", antialias=True, align_corners=False
    ).clamp(0, 1)


def styles() -> dict[str, Tensor]:
    tiles = truchet(8, 8, 16, generator=torch.Generator().manual_seed(0))
    return {
        "roof": photograph(0, 80, 203, 40),
        "petals": photograph(1, 110, 200, 220),
        "tiles": gradient_map(tiles, [(0.05, 0.1, 0.35), (0.95, 0.8, 0.3)])[None],
    }


def transfer(style: Tensor, content: Tensor, network, content_weight: float) -> Tensor:
    content = match_colors(content, style)
    noise = torch.randn(content.shape, generator=torch.Generator().manual_seed(0))
    canvas = Canvas(content + 0.02 * noise, style)
    trainer = StyleTrainer(
        canvas,
        network,
        lbfgs(canvas),
        content_weight=content_weight,
        tv_weight=TV_WEIGHT,
    )
    fit_to_end(trainer, [(style, content)], steps=TRANSFER_STEPS, progress=False)
    return canvas.picture()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="torchvision's squeezenet1_1")
    path = parser.parse_args().weights
    setup(0)
    makers = {
        "random filters": lambda style: RandomFilters(
            style, generator=torch.Generator().manual_seed(0)
        ),
        "SqueezeNet": lambda style: SqueezeNetFeatures(style, path),
    }
    cat = torch.from_numpy(draw_emoji((CAT_FACE,), SIZE)).float() / 255
    tower = photograph(0, 20, 50, 320)
    seconds = dict.fromkeys(makers, 0.0)
    rows = []
    for name, style in styles().items():
        row = [style]
        for label, make in makers.items():
            started = time.perf_counter()
            row.append(
                synthesize(
                    style,
                    make,
                    sizes=SIZES,
                    steps=TEXTURE_STEPS,
                    tv_weight=TV_WEIGHT,
                    generator=torch.Generator().manual_seed(0),
                )
            )
            for content in (cat, tower):
                row.append(transfer(style, content, make(style), CONTENT_WEIGHT[label]))
            seconds[label] += time.perf_counter() - started
        print(f"{name}: done, {sum(seconds.values()):.0f} s in all")
        rows.append(torch.cat(row, dim=3))
    sheet = torch.cat(rows, dim=2)[0].permute(1, 2, 0).numpy()
    image = Image.fromarray(np.uint8(np.round(sheet * 255)))
    target = Path(records.__file__).parent / "style.jpg"
    save_file(target, lambda temporary: image.save(temporary, "JPEG", quality=80))
    write_record(
        "style",
        {
            "rows": list(styles()),
            "columns": ["style"]
            + [
                f"{what}, {label}"
                for label in makers
                for what in ("texture", "cat", "tower")
            ],
            "size": SIZE,
            "seconds": {label: round(value, 1) for label, value in seconds.items()},
        },
        command="python -m benchmarks.style WEIGHTS",
        device=torch.device("cpu"),
        data="scikit-learn's sample photographs; cat face by OpenMoji, CC BY-SA 4.0; "
        "SqueezeNet 1.1 trained on ImageNet",
        steps=TEXTURE_STEPS * len(SIZES) + 2 * TRANSFER_STEPS,
        seconds=sum(seconds.values()),
    )
    print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
