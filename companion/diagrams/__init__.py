"""Schematics of architectures and algorithms, all in one style. Nothing imports this.

Each function returns a `Diagram`: `draw()` shows it, and `describe()` is the text that
stands for it where it cannot be seen.
"""

from companion.diagrams.canvas import Diagram
from companion.diagrams.gan import gan_diagram
from companion.diagrams.measuring import judge_diagram
from companion.diagrams.vae import vae_diagram

__all__ = ["Diagram", "gan_diagram", "judge_diagram", "vae_diagram"]
