"""Memory that is used again: `empty` for what a kernel returns, `scratch` for what it needs inside.

A fresh large array costs a page fault for every page that is first written. Training asks for the
same sizes in every step, so a buffer whose last array has gone is kept for the next array of its
size, and each thread keeps its scratch memory. CuPy has such a pool of its own; there both are
CuPy's `empty`.
"""

from __future__ import annotations

import math
import threading
import weakref
from types import ModuleType
from typing import Any

import numpy as np

SMALLEST = 256 * 1024  # bytes; below this malloc reuses memory by itself
MOST_FREE = 2 * 1024**3  # bytes kept for reuse; beyond it the buffer free for longest is dropped


class _Lease:
    """Hands a buffer to the arrays that view it, and gives it back when the last of them goes."""

    __slots__ = ("__array_interface__", "_buffer", "_pool")

    def __init__(self, pool: BufferPool, buffer: np.ndarray[Any, Any], nbytes: int) -> None:
        self._pool, self._buffer = pool, buffer
        self.__array_interface__ = {
            "version": 3,
            "shape": (nbytes,),
            "typestr": "|u1",
            "data": (buffer.ctypes.data, False),
        }

    def __del__(self) -> None:
        self._pool.give_back(self._buffer)


class BufferPool:
    """Free buffers by size. Safe to use from several threads."""

    def __init__(self, most_free: int = MOST_FREE) -> None:
        self.most_free = most_free
        self._free: list[np.ndarray[Any, Any]] = []  # oldest first
        # Re-entrant: the collector may run a lease's __del__ while this thread holds the lock.
        self._lock = threading.RLock()

    @property
    def free_bytes(self) -> int:
        """Bytes held for reuse."""
        return sum(buffer.nbytes for buffer in list(self._free))

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """Return an uninitialised C-contiguous array, as `numpy.empty`."""
        dtype = np.dtype(dtype)
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes < SMALLEST:
            return np.empty(shape, dtype)
        lease = _Lease(self, self._take(nbytes), nbytes)
        array: np.ndarray[Any, Any] = np.asarray(lease).view(dtype)
        return array.reshape(shape)

    def give_back(self, buffer: np.ndarray[Any, Any]) -> None:
        """Keep a buffer that nobody views any more."""
        with self._lock:
            self._free.append(buffer)
            while self.free_bytes > self.most_free:
                del self._free[0]

    def clear(self) -> None:
        """Return every free buffer to the system."""
        with self._lock:
            self._free.clear()

    def _take(self, nbytes: int) -> np.ndarray[Any, Any]:
        with self._lock:
            fitting = (b for b in self._free if nbytes <= b.nbytes <= nbytes + nbytes // 8)
            best = min(fitting, key=lambda b: b.nbytes, default=None)
            if best is not None:
                # By identity: comparing arrays with == would compare their elements.
                self._free = [b for b in self._free if b is not best]
                return best
        return np.empty(nbytes, np.uint8)


pool = BufferPool()
_local = threading.local()


def empty(xp: ModuleType, shape: tuple[int, ...], dtype: Any) -> Any:
    """An uninitialised C-contiguous array of module `xp`, for what a kernel returns.

    Its memory goes back to the pool when the last array that views it goes.
    """
    return pool.empty(shape, dtype) if xp is np else xp.empty(shape, dtype)


class _Buffers(dict[str, "np.ndarray[Any, Any]"]):
    """One thread's scratch memory by name; gone with the thread."""


_scratch: weakref.WeakValueDictionary[int, _Buffers] = weakref.WeakValueDictionary()


def scratch_bytes() -> int:
    """Bytes of scratch memory that the threads hold on the CPU."""
    return sum(buffer.nbytes for own in list(_scratch.values()) for buffer in list(own.values()))


def scratch(xp: ModuleType, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """Uninitialised memory for what a kernel needs on its way, and for nothing that leaves it.

    This thread uses it again under `name`: it is valid until the next call with the same name in
    the same thread. On a GPU it is CuPy's pool that has such memory ready.
    """
    if xp is not np:
        return xp.empty(shape, dtype)
    buffers = getattr(_local, "buffers", None)
    if buffers is None:
        buffers = _local.buffers = _scratch[threading.get_ident()] = _Buffers()
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = buffers.get(name)
    if buffer is None or buffer.nbytes < nbytes:
        buffer = buffers[name] = np.empty(nbytes, np.uint8)
    return buffer[:nbytes].view(dtype).reshape(shape)
