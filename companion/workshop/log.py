"""What a run says: on the terminal and, with its errors, in its folder."""

import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TextIO


class _Both:
    """A file that is two."""

    def __init__(self, *files: TextIO) -> None:
        self.files = files

    def write(self, text: str) -> int:
        for file in self.files:
            file.write(text)
        return len(text)

    def flush(self) -> None:
        for file in self.files:
            file.flush()


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Within, what is printed goes to the end of a file as well, and how it failed.

    Raises: OSError if the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", buffering=1) as file:
        try:
            with redirect_stdout(_Both(sys.stdout, file)):
                yield
        except Exception:
            traceback.print_exc(file=file)
            raise


class Progress:
    """A line now and then: where a run stands, and how long it will take.

    The pauses between two lines grow with the run, from seconds to a minute.
    """

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.first: int | None = None
        self.said: int | None = None
        self.due = 2.0

    def __call__(self, step: int, total: int, values: Mapping[str, float]) -> None:
        seconds = time.perf_counter() - self.started
        if self.first is None:
            self.first, self.at_first = step, seconds
            self.said = step
        if seconds < self.due and step < total or step == self.said:
            return
        self.said = step
        self.due = seconds + min(60.0, 2 + 0.2 * seconds)
        to_come = (total - step) * (seconds - self.at_first) / (step - self.first)
        terms = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        print(
            f"step {step:,} of {total:,} ({100 * step // total} %), {terms}; "
            f"{duration(seconds)}, about {duration(to_come)} to come",
            flush=True,
        )


def duration(seconds: float) -> str:
    """Seconds as a human says them: 42 s, 7 min, 1 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
