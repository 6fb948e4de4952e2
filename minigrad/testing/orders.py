"""Whether a CUDA kernel's result depends on the order of its threads: tried out, and proved."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import cuda_on_cpu, signature
from .launch import run_cuda


@dataclass(frozen=True)
class Orders:
    """What `check_orders` found.

    difference: where two orders first give different numbers; None if they agree.
    race: two threads that touch the same place with nothing to order them, with the lines in which
    they do; None if none was found.
    not_looked_for: why nobody looked for races; None if somebody did.
    """

    difference: str | None
    race: str | None
    not_looked_for: str | None

    @property
    def agree(self) -> bool:
        """Whether neither a difference nor a race was found."""
        return self.difference is None and self.race is None


def check_orders(
    source: str,
    kernel: str,
    count: int,
    *args: Any,
    rtol: float = 0.0,
    races: bool = True,
    **options: Any,
) -> Orders:
    """Run a kernel in every order of its threads, and once under the thread sanitizer.

    Takes what `run_cuda` takes, but for `order`, and runs on copies of the arrays.
    rtol: how far two results may be apart, relative to the larger number; sums by `atomicAdd` round
    in every order in another way. By default they have to be the same.
    races: whether to look for races, which takes a process of its own and some seconds. They are
    found where no order shows them, but only in what the threads do with these arguments.

    Raises what `run_cuda` raises.

    >>> import numpy as np, minigrad as mg
    >>> shift = '''
    ... extern "C" __global__ void shift(float* x, int n)
    ... {
    ...     int i = blockIdx.x * blockDim.x + threadIdx.x;
    ...     if (i + 1 < n) x[i] = x[i + 1];
    ... }
    ... '''
    >>> x = np.arange(4, dtype=np.float32)
    >>> mg.testing.check_orders(shift, "shift", 4, x, races=False).difference
    '`float* x` at [0]: 1.0 forward, 3.0 reversed'
    """
    results = {}
    for order in cuda_on_cpu.ORDERS:
        copies = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
        run_cuda(source, kernel, count, *copies, order=order, **options)
        results[order] = copies
    names = signature.parameters_of(options.get("header", "") + source, kernel)
    difference = _difference(names, results, rtol)
    if not races:
        return Orders(difference, None, "not asked for")
    race, not_looked_for = _race(source, kernel, count, args, options)
    return Orders(difference, race, not_looked_for)


def _difference(names: list[str], results: dict[str, list[Any]], rtol: float) -> str | None:
    """The first number that an order gives differently from the first order."""
    first, *others = results
    for order in others:
        for name, one, other in zip(names, results[first], results[order], strict=False):
            if not isinstance(one, np.ndarray):
                continue
            near = np.isclose(one, other, rtol=rtol, atol=0, equal_nan=True)
            if not near.all():
                at = tuple(int(i) for i in np.argwhere(~near)[0])
                return f"`{name}` at {list(at)}: {one[at]} {first}, {other[at]} {order}"
    return None


# ----- the thread sanitizer -----


def sanitizer_runtime(name: str) -> Path | None:
    """The compiler's library for a sanitizer, "thread" or "address", which Python has to load
    before all else; None if there is none."""
    library = {"address": "libasan.so", "thread": "libtsan.so"}[name]
    said = subprocess.run(
        [str(cuda_on_cpu.COMPILER), f"-print-file-name={library}"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    return Path(said).resolve() if Path(said).is_file() else None


def _race(
    source: str, kernel: str, count: int, args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[str | None, str | None]:
    """The first race that the sanitizer reports, or why it could not look."""
    runtime = sanitizer_runtime("thread")
    if runtime is None:
        return None, "the C++ compiler has no thread sanitizer"
    environment = {
        **os.environ, "LD_PRELOAD": str(runtime), "OPENBLAS_NUM_THREADS": "1",
        "TSAN_OPTIONS": "exitcode=66:report_bugs=1", "PYTHONMALLOC": "malloc",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "minigrad.testing.sanitized"],
        input=_packed(source, kernel, count, args, options),
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    said = done.stderr.decode(errors="replace")
    if "data race" in said:
        return _lines(said.partition("data race")[2], source, options), None
    if done.returncode:
        last = said.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return None, f"the thread sanitizer does not run here: {last[0]}"
    return None, None


def _packed(
    source: str, kernel: str, count: int, args: tuple[Any, ...], options: dict[str, Any]
) -> bytes:
    """A call of `run_cuda` as an .npz: arrays and NumPy's numbers as arrays, the rest as JSON."""
    of_numpy = np.ndarray | np.generic
    arrays: dict[str, Any] = {
        f"argument {i}": a for i, a in enumerate(args) if isinstance(a, of_numpy)
    }
    numbers = [None if f"argument {i}" in arrays else a for i, a in enumerate(args)]
    file = io.BytesIO()
    np.savez(file, call=json.dumps([source, kernel, count, numbers, options]), **arrays)
    return file.getvalue()


def _lines(report: str, source: str, options: dict[str, Any]) -> str:
    """The lines of the source in the first report."""
    before, file = options.get("header", "").count("\n"), options.get("file", "kernels.cu")
    text = source.splitlines()
    report = report.partition("WARNING: ThreadSanitizer")[0]
    found = (int(n) - before for n in re.findall(r"kernels\.cu:(\d+)", report))
    lines = [n for n in dict.fromkeys(found) if 0 < n <= len(text)]
    places = " and ".join(f"{file}:{n} ({text[n - 1].strip()})" for n in lines)
    return f"a data race between threads, at {places or 'lines not known'}"
