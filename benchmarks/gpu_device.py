"""A GPU as the benchmarks see it: what it is, time by its own events, its rates, memory in use.

CuPy is imported when it is asked for; a process that only starts others never touches the GPU.
"""

from __future__ import annotations

import math
import platform
import shutil
import statistics
import subprocess
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from minigrad.kernels.fast.product import operand, product

GEMM_SIZE = 8192
COPY_BYTES = 1 << 30
TRIALS = 7


# ----- what it is -----


def facts() -> dict[str, str]:
    """Device, driver and versions; {"problem": why} where there is no GPU to use."""
    problem = mg.cuda.why_not()
    if problem:
        return {"problem": problem}
    import cupy

    runtime = cupy.cuda.runtime
    device = runtime.getDeviceProperties(0)
    capability = cupy.cuda.Device(0).compute_capability
    return {
        "device": device["name"].decode(),
        "memory": f"{device['totalGlobalMem'] / 2**30:.1f} GiB",
        "capability": f"{capability[:-1]}.{capability[-1]}",
        "driver": _driver() or f"for CUDA {_cuda(runtime.driverGetVersion())}",
        "CUDA": _cuda(runtime.runtimeGetVersion()),
        "CuPy": cupy.__version__,
        "NumPy": np.__version__,
        "Python": platform.python_version(),
    }


def _cuda(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def _driver() -> str | None:
    """The driver's version, from nvidia-smi if it is there."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--id=0", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


# ----- time -----


class Clock(NamedTuple):
    """A device's own clock: `mark()` is an event, `between(a, b)` milliseconds."""

    mark: Callable[[], Any]
    between: Callable[[Any, Any], float]
    wait: Callable[[], Any]


def cupy_clock() -> Clock:
    """The clock of the current stream of CuPy."""
    import cupy

    def mark() -> Any:
        event = cupy.cuda.Event()
        event.record()
        return event

    return Clock(mark, cupy.cuda.get_elapsed_time, mg.cuda.synchronize)


def step_seconds(step: Callable[[], Any], times: int, clock: Clock) -> list[float]:
    """Seconds from each call's begin to the next one's, on the device: gaps between kernels count.

    The calls are queued without waiting, as in training.
    """
    marks = [clock.mark()]
    for _ in range(times):
        step()
        marks.append(clock.mark())
    clock.wait()
    return [clock.between(a, b) / 1e3 for a, b in pairwise(marks)]


# ----- rates -----


class Rates(NamedTuple):
    """Best of some trials: floating-point operations and bytes (read or written) per second."""

    gemm: float
    copy: float


class Products:
    """Large square products, to measure the rate, and to keep the device busy for a while."""

    def __init__(self) -> None:
        import cupy

        shape = (GEMM_SIZE, GEMM_SIZE)
        numbers = np.random.default_rng(0).standard_normal(shape, np.float32)
        self.a = operand(cupy.asarray(numbers), np.float32)
        self.out = cupy.empty(shape, np.float32)
        self.operations = 2 * GEMM_SIZE**3

    def __call__(self) -> None:
        product(self.a, self.a, self.out)

    def hold(self, seconds: float, rate: float) -> None:
        """Queue products that take about so long."""
        for _ in range(math.ceil(seconds * rate / self.operations)):
            self()


def gemm_rate(products: Products) -> float:
    """Operations per second of a large product at the precision in force."""
    step_seconds(products, 2, cupy_clock())
    return products.operations / min(step_seconds(products, TRIALS, cupy_clock()))


def copy_rate() -> float:
    """Bytes per second of a copy from one array to another: each byte is read and written."""
    import cupy

    free, _ = mg.cuda.mem_get_info()
    source = cupy.zeros(max(1, min(COPY_BYTES, free // 4) // 4), np.float32)
    out = cupy.zeros_like(source)

    def copy() -> None:
        cupy.copyto(out, source)

    step_seconds(copy, 2, cupy_clock())
    return 2 * int(source.nbytes) / min(step_seconds(copy, TRIALS, cupy_clock()))


# ----- memory -----


def peak_in_use(step: Callable[[], Any]) -> int:
    """Most bytes that arrays occupy during a step, in a run of it that is not timed."""
    mg.cuda.reset_peak_memory_stats()
    step()
    return mg.cuda.max_memory_allocated()


def measured(
    seconds: list[float], batch: int, in_use: int, reserved: int, taken: int
) -> dict[str, float]:
    """What a side reports: images/s of the median step, and bytes.

    in_use: arrays at their most; reserved: the pool they are in; taken: all that the device lost
    to the process, libraries included, but its context.
    """
    return {
        "rate": batch / statistics.median(seconds),
        "best": batch / min(seconds),
        "in_use": in_use,
        "reserved": reserved,
        "taken": taken,
    }
