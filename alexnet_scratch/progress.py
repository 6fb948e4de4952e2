"""What is seen of long work: a progress bar, and lines above it."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from .names import one_line


def progress_bar(title: str, total: int, done: int = 0) -> Any:
    """A bar over `total` steps (0: not known), `done` before it began.

    None where standard error is no terminal. What counts the steps calls its `update`.
    """
    return tqdm(
        total=total, initial=done, desc=title, disable=None, leave=False, dynamic_ncols=True,
        bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining} left{postfix}",
    )  # fmt: skip


def say(text: str) -> None:
    """One line to standard output, above the progress bar if there is one."""
    tqdm.write(one_line(text))
