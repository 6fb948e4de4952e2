"""Run every kernel's calls once, under a sanitiser that somebody puts in front.

python run_sanitized.py address|thread|gpu [FILE RIGHT WRONG [CALL]]

address, thread: on the stand-in, with the threads of a launch on two CPU threads, for
test_compilers.py.
gpu: on a GPU, every array in an allocation of its own, so that its bounds can be seen, for
test_compute_sanitizer.py. FILE RIGHT WRONG plants a fault, which CALL shows, or one of them all.
"""

import os
import sys

from minigrad.testing import cuda_on_cpu, cupy_on_cpu


def main() -> None:
    kind = sys.argv[1]
    if kind != "gpu":
        sys.modules["cupy"] = cupy_on_cpu.make()
        cuda_on_cpu.sanitizer, cuda_on_cpu.workers = kind, 2
    os.environ["MINIGRAD_CUDA_KERNELS"] = "on"
    import cupy
    import numpy as np
    import test_cuda_kernels as tests

    from minigrad.kernels.cuda import launcher

    if kind == "gpu":
        cupy.cuda.set_allocator(None)
    calls = list(tests.CALLS)
    if len(sys.argv) > 2:
        file, right, wrong, *shown_by = sys.argv[2:]
        calls = shown_by or calls
        code = launcher.source
        launcher.source = lambda f: code(f).replace(right, wrong) if f == file else code(f)
    for name in calls:
        tests.results(cupy, name, np.float32)


if __name__ == "__main__":
    main()
