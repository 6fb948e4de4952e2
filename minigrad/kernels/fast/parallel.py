"""A batch split over CPU threads.

NumPy releases the GIL in everything large, so plain threads use every core. While they run, BLAS
is held to one thread each; outside, a matrix product has all threads to itself.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

Result = TypeVar("Result")
_local = threading.local()
_entry = threading.Lock()  # one split at a time: the limit on BLAS threads is global
_threads: int | None = None


def can_start_threads() -> bool:
    """False for Python in a browser (WebAssembly), which has the one thread only."""
    return sys.platform != "emscripten"


class _Here(Executor):
    """Runs every task at once, in the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def executor(threads: int | None = None) -> Executor:
    """A pool of `threads` threads (default: all cores), or where none can be started, this one."""
    return ThreadPoolExecutor(threads or os.cpu_count()) if can_start_threads() else _Here()


def default_threads() -> int:
    """Return MINIGRAD_NUM_THREADS or OMP_NUM_THREADS, else the cores this process may use."""
    for name in ("MINIGRAD_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > 0:
            return int(value)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def get_num_threads() -> int:
    """Return the number of CPU threads the kernels use."""
    if not can_start_threads():
        return 1
    return default_threads() if _threads is None else _threads


def set_num_threads(count: int) -> None:
    """Set the number of CPU threads the kernels use (at least 1)."""
    global _threads
    if count < 1:
        raise ValueError(f"set_num_threads: got {count}, expected at least 1")
    _threads = int(count)
    _blas().limit(limits=_threads)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="minigrad")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS works in the calling thread alone, inside."""
    if get_num_threads() == 1 or getattr(_local, "inside", False):  # a part of a split
        yield
        return
    with _entry, _blas().limit(limits=1):
        yield


def slices(start: int, stop: int, chunk: int) -> list[slice]:
    """range(start, stop) in consecutive slices of `chunk`, the last one possibly shorter."""
    return [slice(i, min(i + chunk, stop)) for i in range(start, stop, chunk)]


def over_batch(
    xp: ModuleType, task: Callable[[list[slice]], Result], count: int, chunk: int
) -> list[Result]:
    """Give each thread an equal part of range(count), in slices of at most `chunk`.

    `task(slices)` works through its slices in order and may keep a running sum; the results come
    back in the order of the parts, so that adding them up gives the same bits whenever as many
    threads work. What fits into one slice stays in this thread, as everything does on a GPU
    (`xp`), which needs no threads. An exception in a thread is raised here.

    This is how every fast kernel goes over its images, rows or elements. Memory that a task needs
    on its way comes from `memory.scratch`, which is each thread's own.
    """
    lanes = min(get_num_threads(), -(-count // chunk)) if xp is np else 1
    if lanes <= 1 or getattr(_local, "inside", False):
        return [task(slices(0, count, chunk))] if count else []
    bounds = [count * lane // lanes for lane in range(lanes + 1)]

    def run(lane: int) -> Result:
        _local.inside = True
        return task(slices(bounds[lane], bounds[lane + 1], chunk))

    with one_blas_thread():
        pool = _pool(get_num_threads() - 1)
        # Each thread sees the caller's context: NumPy keeps errstate in it.
        futures = [
            pool.submit(contextvars.copy_context().run, run, lane) for lane in range(1, lanes)
        ]
        try:
            first = run(0)  # the caller works, too: one thread less to wake
        finally:
            _local.inside = False
            wait(futures)  # all of them, also when one has failed: BLAS stays held until then
        return [first, *(future.result() for future in futures)]
