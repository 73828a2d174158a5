"""Schematics of architectures and algorithms, all in one style. Nothing imports this.

Each function of its modules returns a `Diagram`: `draw()` shows it, and `describe()` is
the text that stands for it where it cannot be seen.
"""
