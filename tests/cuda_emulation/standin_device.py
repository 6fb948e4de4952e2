"""CuPy's events that tell the time, and what it says of the device, for the stand-in.

Everything in the stand-in is done when it is asked for, so an event's time is the host's.
"""

from __future__ import annotations

import time
from typing import Any

FREE, TOTAL = 1 << 33, 1 << 34  # bytes


class Pool:
    """`cupy.get_default_memory_pool`, where nothing counts."""

    def used_bytes(self) -> int:
        return 0

    def total_bytes(self) -> int:
        return 0


class MemoryHook:
    """`cupy.cuda.MemoryHook`."""

    def __enter__(self) -> MemoryHook:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class Event:
    """`cupy.cuda.Event`."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        pass

    def record(self, stream: Any = None) -> None:
        pass

    def synchronize(self) -> None:
        pass


def add(cupy: Any) -> None:
    """Give the stand-in `cupy` these names, as far as it has none of its own."""
    cuda, runtime = cupy.cuda, cupy.cuda.runtime
    base = getattr(cuda, "Event", Event)

    class TimedEvent(base):  # type: ignore[misc, valid-type]
        """An event that knows when it was recorded, unless it was made to know less."""

        def __init__(
            self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
        ) -> None:
            super().__init__(block, disable_timing, interprocess)
            self.timed, self.at = not disable_timing, None

        def record(self, stream: Any = None) -> None:
            super().record(stream)
            self.at = time.perf_counter()

    def get_elapsed_time(begin: Any, end: Any) -> float:
        if not (begin.timed and end.timed) or begin.at is None or end.at is None:
            raise ValueError("cudaErrorInvalidResourceHandle: an event without a time")
        return 1e3 * float(end.at - begin.at)

    cuda.Event, cuda.get_elapsed_time = TimedEvent, get_elapsed_time
    cuda.Device.compute_capability = "90"
    runtime.getDeviceProperties = lambda index: {"name": b"stand-in", "totalGlobalMem": TOTAL}
    runtime.driverGetVersion = runtime.runtimeGetVersion = lambda: 13020
    for home, name, value in (
        (cuda, "MemoryHook", MemoryHook),
        (runtime, "memGetInfo", lambda: (FREE, TOTAL)),
    ):
        if not hasattr(home, name):
            setattr(home, name, value)
    if "get_default_memory_pool" not in vars(cupy):
        cupy.get_default_memory_pool = Pool
