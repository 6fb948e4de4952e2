"""Switches of the calling thread, and who is told of every operation."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any


class _Mode(threading.local):
    """Switches of the calling thread."""

    recording = True
    anomaly = False
    inside = False  # a forward or backward runs, and observers will be told of it


mode = _Mode()

# Called as observer(phase, operation, seconds, result, arguments) after every forward and backward;
# arguments: what it was called with, the context first.
observers: list[Callable[[str, str, float, Any, tuple[Any, ...]], None]] = []


class _Switch(contextlib.ContextDecorator):
    """Sets a switch of the calling thread for a block or a function; may be used again."""

    def __init__(self, name: str, value: bool) -> None:
        self.name, self.value = name, value
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(getattr(mode, self.name))
        setattr(mode, self.name, self.value)

    def __exit__(self, *_: object) -> None:
        setattr(mode, self.name, self.before.pop())


def is_grad_enabled() -> bool:
    """Tell whether operations of this thread are recorded."""
    return mode.recording


def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Operations inside are not recorded. `with no_grad():`, or a decorator; per thread."""
    switch = _Switch("recording", False)
    return switch if function is None else switch(function)


def enable_grad(function: Callable[..., Any] | None = None) -> Any:
    """Operations inside are recorded again, within `no_grad`."""
    switch = _Switch("recording", True)
    return switch if function is None else switch(function)


def detect_anomaly() -> contextlib.AbstractContextManager[None]:
    """Raise `AnomalyError` at the first NaN or Inf, in forward or backward.

    The error names the operation and the line of the forward call. Checking reads every array once
    more, so use it to look for a fault, not to train.
    """
    return _Switch("anomaly", True)


def observed(phase: str, operation: str, call: Callable[..., Any], *args: Any) -> Any:
    """Call a forward or backward, and tell the observers of it."""
    if not observers:
        return call(*args)
    start = time.perf_counter()
    with _Switch("inside", True):
        result = call(*args)
    for observer in list(observers):
        observer(phase, operation, time.perf_counter() - start, result, args)
    return result
