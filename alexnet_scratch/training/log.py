"""What a run says: lines on the terminal and in log.txt."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from ..names import one_line
from ..progress import say


class GrowingFile:
    """A file that is added to, for any thread; what a full disk has no room for comes later, with
    the next text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting = b""
        self._one = threading.Lock()

    def add(self, text: str | bytes = b"") -> None:
        """Add all of it at the end, or nothing. Raises OSError; then the text is kept."""
        with self._one:
            self._waiting += text.encode() if isinstance(text, str) else text
            if not self._waiting:
                return
            size = self.path.stat().st_size if self.path.exists() else 0
            try:
                with open(self.path, "ab") as file:
                    file.write(self._waiting)
            except OSError:
                with suppress(OSError):
                    os.truncate(self.path, size)
                raise
            self._waiting = b""


class Log:
    """Lines to standard output, and with the time to a file; whatever names stand in them.

    file: may be told to `add` once more what it had no room for.
    """

    def __init__(self, path: Path) -> None:
        self.file = GrowingFile(path)

    def say(self, text: str) -> None:
        """One line, above the progress bar if there is one."""
        say(text)
        self.note(text)

    def note(self, text: str) -> None:
        """One line for the file only; it waits if the file cannot be written to."""
        with suppress(OSError):
            self.file.add(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {one_line(text)}\n")
