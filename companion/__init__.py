"""The package behind the book *Learning to Draw*.

Imports run one way: runtime, data, models, losses, trainers, metrics, plotting.
"""

__version__ = "0.1.0"
