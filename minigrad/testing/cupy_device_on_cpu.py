"""CuPy's events that tell the time, and what it says of the device, for the stand-in.

What the stand-in is asked to compute is done at once, so an event's time is the host's.
"""

from __future__ import annotations

import time
from typing import Any

from . import cupy_memory_on_cpu as memory


class TimedEvent(memory.Event):
    """`cupy.cuda.Event`; knows when it was recorded, unless it was made to know less."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        super().__init__(block, disable_timing, interprocess)
        self.timed, self.at = not disable_timing, -1.0

    def record(self, stream: Any = None) -> None:
        super().record(stream)
        self.at = time.perf_counter()


def get_elapsed_time(begin: TimedEvent, end: TimedEvent) -> float:
    """`cupy.cuda.get_elapsed_time`: milliseconds."""
    if not (begin.timed and end.timed) or min(begin.at, end.at) < 0:
        raise RuntimeError("cudaErrorInvalidResourceHandle: invalid resource handle")
    return 1e3 * (end.at - begin.at)


def add(cupy: Any) -> None:
    """Give the stand-in `cupy` these names."""
    cuda, runtime = cupy.cuda, cupy.cuda.runtime
    cuda.Event, cuda.get_elapsed_time = TimedEvent, get_elapsed_time
    properties = {"name": b"stand-in", "totalGlobalMem": memory.TOTAL}
    runtime.getDeviceProperties = lambda index: properties
    runtime.driverGetVersion = runtime.runtimeGetVersion = lambda: 13020
