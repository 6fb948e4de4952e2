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
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg

PRECISIONS = ("float32", "tf32", "float16", "bfloat16")
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


# ----- precision -----


def at_precision(name: str) -> AbstractContextManager[Any]:
    """Compute float32 products inside as `name` says, one of PRECISIONS."""
    if hasattr(mg, "precision"):
        return mg.precision(name)  # type: ignore[no-any-return]
    if name == "float32":
        return nullcontext()
    raise RuntimeError(f"precision {name!r} was asked for, but this minigrad has only float32")


def product_name() -> tuple[Any, str]:
    """The module, and the name in it, of the function that every product on a GPU goes through."""
    try:
        from minigrad.kernels import product
    except ImportError:
        import cupy

        return cupy, "matmul"
    return product, "gemm"


def product(a: Any, b: Any, out: Any) -> None:
    """out = a b at the precision in force."""
    try:
        from minigrad.kernels.product import product as at_the_precision
    except ImportError:
        import cupy

        cupy.matmul(a, b, out=out)
    else:
        at_the_precision(a, b, out)


def operand(x: Any) -> Any:
    """x (float32) as products take it at the precision in force: what is rounded once."""
    try:
        from minigrad.kernels.product import operand as at_the_precision
    except ImportError:
        return x
    return at_the_precision(x, x.dtype)


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
        self.a = operand(cupy.asarray(numbers))
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

    free, _ = cupy.cuda.runtime.memGetInfo()
    source = cupy.zeros(max(1, min(COPY_BYTES, free // 4) // 4), np.float32)
    out = cupy.zeros_like(source)

    def copy() -> None:
        cupy.copyto(out, source)

    step_seconds(copy, 2, cupy_clock())
    return 2 * int(source.nbytes) / min(step_seconds(copy, TRIALS, cupy_clock()))


# ----- memory -----


def peak_in_use(step: Callable[[], Any]) -> int:
    """Most bytes of CuPy's pool that are in use during a step; the pool itself does not count."""
    import cupy

    now = most = int(cupy.get_default_memory_pool().used_bytes())

    class Peak(cupy.cuda.MemoryHook):  # type: ignore[misc]
        name = "Peak"

        def malloc_postprocess(self, **event: Any) -> None:
            nonlocal now, most
            now += event["mem_size"]
            most = max(most, now)

        def free_postprocess(self, **event: Any) -> None:
            nonlocal now
            now -= event["mem_size"]

    with Peak():
        step()
    mg.cuda.synchronize()
    return most


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
