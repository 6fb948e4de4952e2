"""What a run says: lines on the terminal and in log.txt."""

from __future__ import annotations

import time
from pathlib import Path

from ..names import one_line
from ..progress import say


class Log:
    """Lines to standard output, and with the time to a file; whatever names stand in them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def say(self, text: str) -> None:
        """One line, above the progress bar if there is one."""
        say(text)
        self.note(text)

    def note(self, text: str) -> None:
        """One line for the file only."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {one_line(text)}\n")
