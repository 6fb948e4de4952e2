"""Random bits over the CPU threads, a block of counters that stays in the cache at a time."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ..threefry import Key, fill_pairs, random_pairs
from .parallel import over_batch

BLOCK = 1 << 15  # pairs: the arrays of a round stay in the cache


def _on_cpu(key: Key, count: int, xp: ModuleType, *_: Any, **__: Any) -> bool:
    return xp is np


@random_pairs.instead(_on_cpu)
def pairs(key: Key, count: int, xp: ModuleType, finish: Any, dtype: Any) -> Any:
    """`random_pairs`."""
    out = xp.empty((2, count), dtype)  # not pooled: most draws are first weights

    def task(parts: list[slice]) -> None:
        for part in parts:
            fill_pairs(out, key, part, xp, finish)

    over_batch(xp, task, count, BLOCK)
    return out
