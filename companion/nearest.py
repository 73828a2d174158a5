"""The names that somebody may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """A question that continues a message, or a full stop if no known name is near."""
    found = get_close_matches(name, list(known), n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(found)}?" if found else "."
