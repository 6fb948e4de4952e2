"""What a run says: lines on the terminal and in log.txt, and the progress bar."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tqdm import tqdm


class Log:
    """Lines to standard output, and with the time to a file if one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    def say(self, text: str) -> None:
        """One line, above the progress bar if there is one."""
        tqdm.write(text)
        self.note(text)

    def note(self, text: str) -> None:
        """One line for the file only."""
        if self.path is not None:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")


def progress_bar(title: str, total: int, done: int = 0) -> Any:
    """A bar over the batches of an epoch; none where standard error is no terminal."""
    return tqdm(
        total=total, initial=done, desc=title, unit="batch", disable=None, leave=False,
        dynamic_ncols=True, bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining} left{postfix}",
    )  # fmt: skip
