"""The process in which `check_orders` runs a kernel under the thread sanitizer.

It reads what to run from its standard input, pickled, and each thread of the launch is a thread to
the sanitizer.
"""

from __future__ import annotations

import pickle
import sys

from . import cuda_on_cpu
from .launch import run_cuda


def main() -> None:
    source, kernel, count, args, options = pickle.load(sys.stdin.buffer)
    cuda_on_cpu.sanitizer, cuda_on_cpu.workers, cuda_on_cpu.fibers = "thread", 2, True
    run_cuda(source, kernel, count, *args, **options)


if __name__ == "__main__":
    main()
