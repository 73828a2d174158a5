"""Exercises that check themselves: a reader's function against hidden cases.

Each chapter has a module here with a table CASES: the name of the function that an
exercise asks for, and a list of (arguments, expected result).
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch


def check(chapter: str, function: Callable[..., Any]) -> None:
    """Compare `function` with the hidden cases of its name; print that all agree.

    Numbers and tensors agree within 1e-4 (relative) or 1e-5 (absolute).

    Raises: AssertionError naming the first arguments for which the result is wrong;
        ValueError if the chapter has no exercise of that name.
    """
    try:
        cases = import_module(f"{__name__}.{chapter}").CASES
    except ModuleNotFoundError as error:
        raise ValueError(f"There are no exercises for {chapter!r}.") from error
    name = function.__name__
    if name not in cases:
        raise ValueError(f"Chapter {chapter!r} checks {sorted(cases)}, not {name!r}.")
    for arguments, expected in cases[name]:
        result = function(*arguments)
        shown = ", ".join(map(repr, arguments))
        assert _agree(result, expected), (
            f"{name}({shown}) gives {result!r}; expected is {expected!r}."
        )
    print(f"{name}: all {len(cases[name])} hidden cases agree.")


def _agree(result: Any, expected: Any) -> bool:
    if isinstance(expected, float | torch.Tensor):
        try:
            torch.testing.assert_close(
                torch.as_tensor(result, dtype=torch.float64),
                torch.as_tensor(expected, dtype=torch.float64),
                rtol=1e-4,
                atol=1e-5,
            )
        except (AssertionError, TypeError, ValueError, RuntimeError):
            return False
        return True
    return bool(result == expected)
