"""A GPU that is none, for as long as it is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from .. import arrays
from ..kernels.cuda import SWITCH
from . import cupy_memory_on_cpu as memory
from . import cupy_on_cpu


@contextmanager
def stand_in_for_cupy(*, kernels: str = "off") -> Iterator[ModuleType]:
    """Let device "cuda" work without a GPU: inside, `import cupy` gives a strict stand-in.

    It computes with NumPy and has CuPy's names and manners: numbers go to the "device" and come
    back only where they are sent, host arrays as operands are refused, and so is every name or
    keyword that CuPy does not have. Copies on other streams are done as late as their events
    allow; whoever does not wait for one reads rubbish, or meets a `RaceError`.
    kernels: "off" takes the array versions of minigrad's kernels; "on" its CUDA kernels, which
    needs a C++ compiler (see `problem`).

    Yields the stand-in. Tensors made inside are of no use outside. It is for one thread at a time.

    >>> import minigrad as mg
    >>> with mg.testing.stand_in_for_cupy():
    ...     total = mg.ones(2, 3, device="cuda").sum()
    ...     print(total.device, total.item())
    cuda:0 6.0
    """
    if kernels not in ("on", "off"):
        raise ValueError(f'kernels={kernels!r}: expected "on" or "off"')
    pool, cupy, switch = memory.pool, sys.modules.get("cupy"), os.environ.get(SWITCH)
    kept = pool.hooks, pool.allocator, pool.get_limit()
    pool.hooks = {}  # of a stand-in before this one
    module = cupy_on_cpu.make()
    sys.modules["cupy"] = module
    os.environ[SWITCH] = kernels
    arrays.require_cupy.cache_clear()
    try:
        yield module
    finally:
        _put_back(sys.modules, "cupy", cupy)
        _put_back(os.environ, SWITCH, switch)
        arrays.require_cupy.cache_clear()
        pool.hooks, pool.allocator, limit = kept
        pool.set_limit(limit)


def _put_back(table: Any, key: str, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
