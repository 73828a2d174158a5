"""The package behind the book *Learning to Draw*.

Imports run one way: runtime, pretrained, data, models, losses, trainers, metrics,
plotting, workshop, recipes.
"""

__version__ = "0.1.0"
