"""The GPU as a device: whether there is one, which is current, what it can do, waiting for it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from ..arrays import DeviceError, parse_device, require_cupy


def is_available() -> bool:
    """Tell whether device "cuda" can be used; `why_not` says why not."""
    return why_not() is None


def why_not() -> str | None:
    """Say why device "cuda" cannot be used, or return None."""
    try:
        require_cupy()
    except DeviceError as error:
        return str(error)
    return None


@contextmanager
def on_gpu(device: str | None = None) -> Iterator[ModuleType]:
    """CuPy, with `device` ("cuda", "cuda:1") as the current one; None leaves the current one."""
    cupy = require_cupy()
    if device is None:
        yield cupy
        return
    target = parse_device(device)
    if target == "cpu":
        raise DeviceError("device 'cpu' is no GPU: give 'cuda' or 'cuda:<index>'")
    with cupy.cuda.Device(int(target.partition(":")[2])):
        yield cupy


def compute_capability(device: str | None) -> int:
    """A GPU's compute capability, times 10: 80 for 8.0. 0 for the CPU."""
    target = parse_device(device)
    if target == "cpu":
        return 0
    return int(require_cupy().cuda.Device(int(target.partition(":")[2])).compute_capability)


def empty_pinned(shape: tuple[int, ...], dtype: Any, device: str) -> np.ndarray[Any, Any]:
    """A NumPy array in memory that the system does not move, from which `device` copies by itself
    while the host goes on. Ordinary memory where no more can be had: slower, not wrong."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with on_gpu(device) as cupy:
        try:
            memory = cupy.cuda.alloc_pinned_memory(size)
        except cupy.cuda.runtime.CUDARuntimeError:
            return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, memory)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether CuPy raised the error for want of memory on the GPU."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(error, cupy.cuda.memory.OutOfMemoryError)


def synchronize(device: str | None = None) -> None:
    """Wait until the GPU has done what was asked of it; nothing to do on the CPU."""
    if device is None or parse_device(device) != "cpu":
        cupy = sys.modules.get("cupy")
        if cupy is not None and is_available():
            cupy.cuda.get_current_stream().synchronize()
