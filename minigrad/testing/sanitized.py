"""The process in which `check_orders` runs a kernel under the thread sanitizer.

It reads what to run from its standard input, and each thread of the launch is a thread to the
sanitizer.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import numpy as np

from . import cuda_on_cpu
from .launch import run_cuda


def unpacked(data: bytes) -> tuple[str, str, int, list[Any], dict[str, Any]]:
    """What `orders` has packed; never a pickle."""
    with np.load(io.BytesIO(data), allow_pickle=False) as held:
        source, kernel, count, numbers, options = json.loads(held["call"].item())
        args = [
            held[name][()] if (name := f"argument {i}") in held else number
            for i, number in enumerate(numbers)
        ]
    return source, kernel, count, args, options


def main() -> None:
    source, kernel, count, args, options = unpacked(sys.stdin.buffer.read())
    cuda_on_cpu.sanitizer, cuda_on_cpu.workers, cuda_on_cpu.fibers = "thread", 2, True
    run_cuda(source, kernel, count, *args, **options)


if __name__ == "__main__":
    main()
