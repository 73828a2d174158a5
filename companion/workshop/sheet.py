"""Pictures as files: a sheet of samples, a study."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from companion.plotting.images import save_images
from companion.runtime import save_file


def save_sheet(
    path: str | Path,
    network: nn.Module,
    n: int | None = None,
    *,
    label: int | None = None,
    caption: str | None = None,
    guidance: float | None = None,
    seed: int = 0,
) -> None:
    """Write n samples, not picked, to a PNG or WebP file.

    A network that is told labels gets a column for each class, or draws only the
    class `label`; one that reads words is told `caption`. `guidance` is for networks
    that also draw without being told anything.

    Raises: TypeError if the network cannot draw; ValueError for a class or a caption
        that it does not know, for guidance where there is none, or n below 1; else as
        `save_images`.
    """
    if not hasattr(network, "sample"):
        raise TypeError(
            f"{type(network).__name__} draws nothing (it has no `sample`); only "
            "generators have sheets."
        )
    known = getattr(network, "num_classes", None)
    classes = 0 if known is None else known if isinstance(known, int) else known[0]
    options = {}
    if label is not None:
        if not 0 <= label < classes:
            told = f"0 to {classes - 1}" if classes else "none, it is told no label"
            raise ValueError(f"--label is {label}; this network's classes: {told}.")
    if guidance is not None:
        if not getattr(network, "knows_untold", False):
            raise ValueError(
                f"--guidance is {guidance:g}, but {type(network).__name__} does not "
                "draw without a label as well; leave it out."
            )
        options["guidance"] = guidance
    columns = classes if classes and label is None else 10
    n = 10 * columns if n is None else n
    if n < 1:
        raise ValueError(f"--n is {n}; ask for 1 picture or more.")
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed is {seed}; give a number from 0 to 2**32 - 1.")
    device = next(network.parameters()).device
    if label is not None:
        options["y"] = torch.full((n,), label, device=device)
    if caption is not None:
        if not hasattr(network, "vocabulary"):
            raise ValueError(
                f"--caption is {caption!r}, but {type(network).__name__} reads no "
                "words; leave it out."
            )
        options["y"] = network.vocabulary.batch([caption] * n).to(device)
    generator = torch.Generator(device).manual_seed(seed)
    x = network.sample(n, generator=generator, **options)
    save_images(path, x, columns=min(n, columns), scale=2)


def save_jpeg(path: Path, x: Tensor) -> None:
    """Write one picture, small enough for a page.

    Shapes: x (1, 3, H, W) in [0, 1].
    Raises: OSError if the file cannot be written.
    """
    pixels = x[0].permute(1, 2, 0).cpu().numpy()
    image = Image.fromarray(np.uint8(np.round(pixels * 255)))
    save_file(path, lambda temporary: image.save(temporary, "JPEG", quality=80))
