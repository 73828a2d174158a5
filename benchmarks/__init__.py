"""Named commands that make the recorded results: `python -m benchmarks.NAME`."""

from collections.abc import Mapping
from typing import Any

from companion.records import write_record


def keep(name: str, values: Mapping[str, Any], **circumstances: Any) -> None:
    """Print the values as a table and write them to companion/records/NAME.json.

    `circumstances` are the further arguments of `write_record`.
    """
    for label, value in values.items():
        print(f"{label:<28}{value:>12}")
    write_record(name, values, **circumstances)
