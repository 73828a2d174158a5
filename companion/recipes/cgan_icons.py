"""Icons by label, in colour: the conditional GAN on OpenMoji's pictures.

People, activities and parts of the body are left out: with them, after 10,000 steps,
the darker faces, whose lines have little contrast, had hardly any features. The
pictures are few; so D sees them, and those of the generator, moved by some pixels, and
half of the real ones are mirrored.
"""

from dataclasses import dataclass

from companion.recipes.cgan_digits import CGANDigits
from companion.workshop.recipe import setting


@dataclass(frozen=True, kw_only=True)
class CGANIcons(CGANDigits):
    ships = True

    data: str = setting("icons", "what to learn from")
    steps: int = setting(20_000, "optimiser steps")
    batch_size: int = setting(32, "images a step")
    lr: float = setting(2e-3, "learning rate, of the first half")
    widths_G: tuple[int, ...] = setting((128, 96, 48), "channels of the generator")
    widths_D: tuple[int, ...] = setting((48, 96, 128), "channels of the discriminator")
    decay: float = setting(
        0.999, "of the average of the generator's weights", least=0, below=1
    )
    shift: int = setting(4, "pixels by which D sees all pictures moved", least=0)
    mirror: bool = setting(True, "whether half of the pictures are mirrored")
