"""Layers without memory: the names and shapes of a network's state, before there is room for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

_only: ContextVar[bool] = ContextVar("shapes_only", default=False)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Layers made in this block have parameters and buffers of their shapes and dtypes that take no
    memory, are not initialised, and cannot be written to. PyTorch: `with torch.device("meta"):`."""
    before = _only.set(True)
    try:
        yield
    finally:
        _only.reset(before)


def are_shapes_only() -> bool:
    """Is this within `shapes_only`?"""
    return _only.get()


def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Zeros for a new parameter; within `shapes_only` one zero, seen at every place."""
    return np.broadcast_to(np.zeros((), dtype), shape) if _only.get() else np.zeros(shape, dtype)
