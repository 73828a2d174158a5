"""Schematics of architectures and algorithms, all in one style. Nothing imports this.

Each function returns a `Diagram`: `draw()` shows it, and `describe()` is the text that
stands for it where it cannot be seen.
"""

from companion.diagrams.canvas import Diagram
from companion.diagrams.classifier import backpropagation_diagram, classifier_diagram
from companion.diagrams.convolution import convolution_diagram, small_cnn_diagram
from companion.diagrams.depth import residual_block_diagram, resnet_diagram
from companion.diagrams.first import families_diagram, learning_diagram
from companion.diagrams.gan import gan_diagram
from companion.diagrams.measuring import judge_diagram
from companion.diagrams.seeing import looking_diagram
from companion.diagrams.style import painting_diagram
from companion.diagrams.upsampling import doublings_diagram, stamps_diagram
from companion.diagrams.vae import vae_diagram

__all__ = [
    "Diagram",
    "backpropagation_diagram",
    "classifier_diagram",
    "convolution_diagram",
    "doublings_diagram",
    "families_diagram",
    "gan_diagram",
    "judge_diagram",
    "learning_diagram",
    "looking_diagram",
    "painting_diagram",
    "residual_block_diagram",
    "resnet_diagram",
    "small_cnn_diagram",
    "stamps_diagram",
    "vae_diagram",
]
