"""Named commands that make the recorded results: `python -m benchmarks.NAME`."""

import argparse
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from companion.records import write_record
from companion.trainers import History, Trainer, fit


def count(text: str) -> int:
    """A whole number of 1 or more, as a type of argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of 1 or more")
    return int(text)


def fit_to_end(trainer: Trainer, batches: Iterable, **settings: Any) -> History:
    """As `fit`, but an interrupted run ends the command: it is no result to keep."""
    history = fit(trainer, batches, **settings)
    if history.interrupted:
        sys.exit("Interrupted: nothing was written.")
    return history


def keep(name: str, values: Mapping[str, Any], **circumstances: Any) -> None:
    """Print the values as a table and write them to companion/records/NAME.json.

    `circumstances` are the further arguments of `write_record`.
    """
    for label, value in values.items():
        print(f"{label:<28}{value:>12}")
    write_record(name, values, **circumstances)
