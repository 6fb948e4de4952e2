"""Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed: a run saves before it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class StopSignals:
    """A context manager: inside it the first signal sets `asked`, the second stops at once.

    Only the main thread may ask for signals; in another one nothing changes.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
                old = signal.getsignal(number)
                if old is not signal.SIG_IGN or number == signal.SIGINT:  # `nohup` ignores SIGHUP
                    self._before[number] = signal.signal(number, self.ask)
        return self

    def __exit__(self, *_: object) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
        self.asked = False

    def ask(self, *_: Any) -> None:
        """What a signal does."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        # Not print(): the signal may have come in the middle of one.
        with contextlib.suppress(OSError):
            os.write(2, b"\nFinishing this batch, then saving; Ctrl-C again stops at once.\n")


class EndingSignals(StopSignals):
    """The same, but the first signal stops at once, as Ctrl-C does: temporary folders then go."""

    def ask(self, *_: Any) -> None:
        """What a signal does."""
        raise KeyboardInterrupt
