"""Standard output and error that are closed, full, or whose reader has gone."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

NAMES = {"stdout": "standard output", "stderr": "standard error"}


class Output:
    """A text stream that names itself in its errors, or, `unfailing`, has none.

    After an error its text goes nowhere. `tell` is called with what happened to an unfailing one.
    """

    def __init__(self, stream: Any, name: str, unfailing: bool = False) -> None:
        self.stream, self.name, self.unfailing = stream, name, unfailing
        self.lost: OSError | None = None
        self.tell: Callable[[str], None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """As of any text stream."""
        try:
            self.stream.write(text)
        except OSError as error:
            self._failed(error)
        return len(text)

    def flush(self) -> None:
        """As of any text stream."""
        try:
            self.stream.flush()
        except OSError as error:
            self._failed(error)

    def tell_of_loss(self, tell: Callable[[str], None]) -> None:
        """Call `tell` when the stream fails, and now if it has failed."""
        self.tell = tell
        if self.lost is not None:
            tell(f"{self.name.capitalize()}: {self.lost.strerror}; going on without it.")

    def _failed(self, error: OSError) -> None:
        self._to_nowhere()
        if not self.unfailing:
            if isinstance(error, BrokenPipeError):  # `| head` has seen enough
                raise error
            raise OSError(error.errno, error.strerror, self.name) from error
        self.lost = self.lost or error
        if self.tell is not None:
            self.tell_of_loss(self.tell)

    def _to_nowhere(self) -> None:
        """The file behind the stream, too: what is still in buffers must not fail at the end."""
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
        except (OSError, AttributeError):  # it is no file
            self.stream = _nowhere()


@contextlib.contextmanager
def named() -> Iterator[Output]:
    """Inside it the two streams take any text, a closed one to nowhere; gives standard output.

    What is written to standard error never fails: an error has nobody to be told to.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would get what is meant for it
            os.open(os.devnull, os.O_RDWR)
    with _replaced(lambda name: Output(_any_text(name), NAMES[name], name == "stderr")):
        output: Any = sys.stdout
        yield output


@contextlib.contextmanager
def unfailing(tell: Callable[[str], None]) -> Iterator[None]:
    """Inside it no error of the two streams goes further; `tell` hears of standard output's."""
    with _replaced(_unfailing):
        output: Any = sys.stdout
        output.tell_of_loss(tell)
        yield


def _unfailing(name: str) -> Output:
    stream = getattr(sys, name)
    output = stream if isinstance(stream, Output) else Output(stream or _nowhere(), NAMES[name])
    output.unfailing = True
    return output


@contextlib.contextmanager
def _replaced(by: Callable[[str], Output]) -> Iterator[None]:
    before = {name: getattr(sys, name) for name in NAMES}
    try:
        for name in NAMES:
            setattr(sys, name, by(name))
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)


def _any_text(name: str) -> Any:
    stream = getattr(sys, name)
    if isinstance(stream, io.TextIOWrapper):  # file names need not be text
        stream.reconfigure(errors="backslashreplace")
    return stream or _nowhere()


def _nowhere() -> Any:
    return open(os.devnull, "w", encoding="utf-8")
