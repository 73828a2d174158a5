"""Named commands that measure speeds: `python -m benchmarks.NAME`."""

import argparse
from collections.abc import Mapping
from typing import Any

import torch

from companion.records import origin, write_record


def count(text: str) -> int:
    """A whole number of 1 or more, as a type of argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of 1 or more")
    return int(text)


def keep(
    name: str,
    values: Mapping[str, Any],
    *,
    command: str,
    device: torch.device,
    **circumstances: Any,
) -> None:
    """Print the values as a table and write them to companion/records/NAME.json.

    `circumstances` are the further arguments of `write_record`.
    """
    for label, value in values.items():
        print(f"{label:<28}{value:>12}")
    write_record(name, values, origin=origin(command, device), **circumstances)
