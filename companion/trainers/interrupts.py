"""Ctrl-C between two steps, never in the middle of an update."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Within, Ctrl-C waits until `check`; a second one does not wait.

    Only where Python's own handler is in force and may be replaced: in the main
    thread, in a terminal or a notebook. Elsewhere Ctrl-C does what it did before.
    """

    def __init__(self) -> None:
        self.asked = False
        self._at_once = False
        self._ours = False

    def __enter__(self) -> "Interrupts":
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._ours = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked or self._at_once:
            raise KeyboardInterrupt
        self.asked = True

    def check(self) -> None:
        """Raises: KeyboardInterrupt if Ctrl-C was pressed."""
        if self.asked:
            raise KeyboardInterrupt

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """For what changes no network and may take long: Ctrl-C need not wait."""
        self.check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False
