"""The only file that knows NumPy from CuPy: array modules, devices, transfer, memory.

Everything else asks `array_module(array)` for the module an array belongs to and writes the same
expression for both. CuPy is imported when a GPU is first asked for, never before.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

Array = Any  # a numpy.ndarray or a cupy.ndarray; their union has no useful static type
SUPPORTED_DTYPES = (
    "float32", "float64", "complex64", "complex128", "int64", "int32", "uint8", "bool",
)  # fmt: skip


class DeviceError(RuntimeError):
    """A device that cannot be used, or arrays of two devices in one operation."""


@functools.cache
def _cupy() -> ModuleType:
    """Return CuPy after one product on the GPU has worked, or say what is wrong.

    Four failures look alike to `import cupy`: it is not installed, there is no driver, no GPU, or
    no cuBLAS/NVRTC. `cupy.is_available()` notices two of them, so each is tried.
    """
    if importlib.util.find_spec("cupy") is None:
        raise _unusable()
    try:
        import cupy

        if cupy.cuda.runtime.getDeviceCount() == 0:
            raise _unusable("no GPU")
        probe = cupy.ones((2, 2), dtype=cupy.float32)
        float((probe @ probe + 1).sum())
    except DeviceError:
        raise
    except Exception as error:
        raise _unusable(f"{type(error).__name__}: {error}") from error
    return cupy  # type: ignore[no-any-return]


def _unusable(error: str | None = None) -> DeviceError:
    from .cuda import diagnosis  # advice about an installation: only where there is an error

    found = diagnosis.diagnosis(diagnosis.look(), error)
    return DeviceError(f"device 'cuda' was asked for, but {found or 'CuPy is not installed'}")


def cuda_is_available() -> bool:
    """Tell whether device "cuda" can be used; `cuda_problem` says why not."""
    return cuda_problem() is None


def cuda_problem() -> str | None:
    """Say why device "cuda" cannot be used, or return None."""
    try:
        _cupy()
    except DeviceError as error:
        return str(error)
    return None


def array_module(array: Array) -> ModuleType:
    """Return the module an array belongs to: `numpy`, or `cupy` for a GPU array."""
    return np if isinstance(array, np.ndarray | np.generic) else _cupy()


def is_array(value: object) -> bool:
    """Tell whether `value` is an array of either module (without importing CuPy for it)."""
    if isinstance(value, np.ndarray):
        return True
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(value, cupy.ndarray)


def as_array(value: Any) -> Any:
    """Turn the scalar that NumPy returns for a 0-d result back into a 0-d array."""
    return np.asarray(value) if isinstance(value, np.generic) else value


def parse_device(device: str | None) -> str:
    """Turn "cpu", "cuda" or "cuda:1" into the canonical "cpu" or "cuda:<index>".

    Raises `DeviceError` for another word, and when a GPU is asked for that cannot be used.
    """
    if device is None or device == "cpu":
        return "cpu"
    kind, _, index = str(device).partition(":")
    if kind != "cuda" or not (index.isdecimal() or str(device) == "cuda"):
        raise DeviceError(f"device {device!r} is unknown: use 'cpu', 'cuda' or 'cuda:<index>'")
    count = _cupy().cuda.runtime.getDeviceCount()
    if int(index or 0) >= count:
        raise DeviceError(f"device {device!r} was asked for, but there are {count} GPUs")
    return f"cuda:{int(index or 0)}"


@contextmanager
def on_gpu(device: str | None = None) -> Iterator[ModuleType]:
    """CuPy, with `device` ("cuda", "cuda:1") as the current one; None leaves the current one."""
    cupy = _cupy()
    if device is None:
        yield cupy
        return
    target = parse_device(device)
    if target == "cpu":
        raise DeviceError("device 'cpu' is no GPU: give 'cuda' or 'cuda:<index>'")
    with cupy.cuda.Device(int(target.partition(":")[2])):
        yield cupy


def device_of(array: Array) -> str:
    """Return the device an array lives on: "cpu" or "cuda:<index>"."""
    return "cpu" if isinstance(array, np.ndarray) else f"cuda:{array.device.id}"


def compute_capability(device: str | None) -> int:
    """A GPU's compute capability, times 10: 80 for 8.0. 0 for the CPU."""
    target = parse_device(device)
    if target == "cpu":
        return 0
    return int(_cupy().cuda.Device(int(target.partition(":")[2])).compute_capability)


def to_device(array: Array, device: str | None) -> Array:
    """Return the array on `device`: the same object if it is there already."""
    target = parse_device(device)
    if device_of(array) == target:
        return array
    if target == "cpu":
        return to_numpy(array)
    cupy = _cupy()
    with cupy.cuda.Device(int(target.partition(":")[2])):
        return cupy.asarray(array)


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


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Tell whether CuPy raised the error for want of memory on the GPU."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(error, cupy.cuda.memory.OutOfMemoryError)


def number_on(number: Array, device: str | None) -> Array:
    """A 0-d NumPy array on `device`; a GPU gets it with the launch that writes it, so that the host
    need not wait as for a copy."""
    target = parse_device(device)
    if target == "cpu":
        return number
    cupy = _cupy()
    with cupy.cuda.Device(int(target.partition(":")[2])):
        return cupy.full((), number.item(), number.dtype)


def to_numpy(array: Array) -> np.ndarray[Any, Any]:
    """Return a NumPy array: the same object on the CPU, a copy from the GPU (waits for it)."""
    return array if isinstance(array, np.ndarray) else _cupy().asnumpy(array)


def synchronize(device: str | None = None) -> None:
    """Wait until the GPU has done what was asked of it; nothing to do on the CPU."""
    if device is None or parse_device(device) != "cpu":
        cupy = sys.modules.get("cupy")
        if cupy is not None and cuda_is_available():
            cupy.cuda.get_current_stream().synchronize()


def may_share_memory(one: Array, other: Array) -> bool:
    """Tell whether the memory ranges of two arrays overlap (a bounds check, as NumPy's)."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) != isinstance(other, np.ndarray):
        return False
    return bool(array_module(one).may_share_memory(one, other))
