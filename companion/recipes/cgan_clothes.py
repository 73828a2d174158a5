"""Clothes by label: the conditional GAN of the digits on Fashion-MNIST.

Every setting but the number of steps is that of the digits.
"""

from dataclasses import dataclass

from companion.recipes.cgan_digits import CGANDigits
from companion.workshop.recipe import setting


@dataclass(frozen=True, kw_only=True)
class CGANClothes(CGANDigits):
    ships = True

    data: str = setting("fashion", "what to learn from")
    steps: int = setting(20_000, "optimiser steps")
