"""What only a notebook shows: source code, a picture that is drawn again and again."""

import ast
import inspect
import textwrap
from collections.abc import Callable

import matplotlib.pyplot as plt
from IPython.display import DisplayHandle, display


def show_source(item: object) -> None:
    """Show the installed source of a function, method or class, without docstrings.

    Raises: TypeError if `item` has no Python source.
    """
    lines, _ = inspect.getsourcelines(inspect.unwrap(item))
    lines = textwrap.dedent("".join(lines)).splitlines()
    drop = set()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            first = node.body[0]
            drop |= set(range(first.lineno, first.end_lineno + 1))
            # The empty line that set a class's docstring apart goes with it.
            if first.end_lineno < len(lines) and not lines[first.end_lineno].strip():
                drop.add(first.end_lineno + 1)
    source = "\n".join(line for i, line in enumerate(lines, 1) if i not in drop)
    display(
        {"text/markdown": f"```python\n{source}\n```", "text/plain": source}, raw=True
    )


class Live:
    """A picture drawn again in the same place: `fit(..., watch=Live(draw))`.

    `draw(step)` makes one matplotlib figure, say by `show_images`.
    """

    def __init__(self, draw: Callable[[int], object]):
        self.draw = draw
        self.handle: DisplayHandle | None = None

    def __call__(self, step: int) -> None:
        self.draw(step)
        figure = plt.gcf()
        if self.handle is None:
            self.handle = display(figure, display_id=True)
        else:
            self.handle.update(figure)
        plt.close(figure)
