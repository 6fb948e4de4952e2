"""What is seen of long work: a progress bar, or lines where there is no terminal."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tqdm import tqdm

from .names import one_line

# Seconds between two lines where there is no bar: a minute at most, even with slow steps.
EVERY = 30.0
SILENT = 1.0  # seconds that work without a bar may take before it is said what it is
_COMMAND = re.compile(r"alexnet [a-z-]+ [^,;)`]+")


def progress_bar(
    title: str,
    total: int,
    done: int = 0,
    unit: str = "",
    tell: Callable[[str], None] | None = None,
    hidden: bool = False,
) -> Any:
    """A bar over `total` units (0: not known), `done` before it began; `update(n)` counts them.

    Where standard error is no terminal, a line there every half minute, or what `tell` makes of
    it. hidden: neither.
    """
    if hidden or sys.stderr.isatty():
        return _Bar(
            total=total, initial=done, desc=title, disable=hidden, leave=False, dynamic_ncols=True,
            miniters=1, bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining} left{postfix}",
        )  # fmt: skip
    return Lines(title, total, done, unit, tell or to_stderr)


class _Bar(tqdm):  # type: ignore[misc]  # tqdm has no types
    """tqdm's, without the thread that it starts to keep an eye on itself: a browser has none, which
    tqdm warns of. Every update looks at the clock instead (`miniters=1`)."""

    monitor_interval = 0


class Lines:
    """What stands for a bar in a file or a pipe: a line now and then, none for short work."""

    def __init__(
        self, title: str, total: int, done: int, unit: str, tell: Callable[[str], None]
    ) -> None:
        self.title, self.total, self.n, self.unit, self.tell = title, total, done, unit, tell
        self.before = done
        self.begun = self.told = time.monotonic()

    def update(self, n: int = 1) -> None:
        """Count `n` more; say where the work stands if it is time."""
        self.n += n
        now = time.monotonic()
        if now - self.told >= EVERY:
            self.told = now
            self.tell(self.line(now - self.begun))

    def line(self, seconds: float) -> str:
        """Where the work stands after so many seconds."""
        rate = (self.n - self.before) / max(seconds, 1e-9)
        unit = f" {self.unit}" * bool(self.unit)
        if not self.total:
            return f"{self.title}: {self.n:,}{unit}, {quantity(rate)}{unit}/s"
        left = duration((self.total - self.n) / rate) if rate else "unknown time"
        return (
            f"{self.title}: {self.n:,} of {self.total:,}{unit} ({self.n / self.total:.0%}), "
            f"{quantity(rate)}{unit}/s, {left} left"
        )

    def set_postfix_str(self, *_: Any, **__: Any) -> None:
        """A bar's, of no use here."""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def to_stderr(text: str) -> None:
    """One line to standard error, there at once."""
    print(one_line(text), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """One line to standard output, above the progress bar if there is one.

    Wrapped between words on a terminal, whole in a file or a pipe, and there at once.
    """
    tqdm.write(wrapped(one_line(text)))
    sys.stdout.flush()


@contextlib.contextmanager
def told_if_slow(text: str, tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Say what is being done where it takes more than a second; for work that has no bar.

    tell: what says it, `say` by default.
    """
    tell = tell or say
    timer = threading.Timer(SILENT, tell, [f"{text} ..."])
    timer.daemon = True
    try:
        timer.start()
    except RuntimeError:  # a browser has no threads
        tell(f"{text} ...")
    try:
        yield
    finally:
        timer.cancel()


def wrapped(text: str, indent: str = "  ") -> str:
    """The line as several that fit the terminal; paths and commands to paste stay whole.

    In a file or a pipe it stays one line.
    """
    if not sys.stdout.isatty():
        return text
    columns = max(shutil.get_terminal_size().columns, 20)
    whole = _COMMAND.sub(lambda found: found[0].replace(" ", "\0"), text)
    lines = textwrap.fill(
        whole, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return lines.replace("\0", " ")


def duration(seconds: float) -> str:
    """Seconds as people say them: "45 s", "11 min", "5 h 20 min", "2 d 3 h"."""
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def quantity(number: float) -> str:
    """A rate with three figures at least: 0.52, 7.3, 28, 1,234."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"
