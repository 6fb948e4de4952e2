"""Run every kernel's calls once, with the threads of a launch on two CPU threads.

python run_sanitized.py address|thread [FILE RIGHT WRONG CALL]

For test_compilers.py, which puts the sanitiser in front. FILE RIGHT WRONG plants a fault, which one
CALL shows.
"""

import os
import sys

import emulate
import standin


def main() -> None:
    cupy = standin.make()
    sys.modules["cupy"] = cupy
    os.environ["MINIGRAD_CUDA_KERNELS"] = "on"
    import numpy as np
    import test_cuda_kernels as tests

    from minigrad.kernels import cuda

    emulate.sanitizer, emulate.workers = sys.argv[1], 2
    calls = list(tests.CALLS)
    if len(sys.argv) > 2:
        file, right, wrong, *calls = sys.argv[2:]
        code = cuda.source
        cuda.source = lambda f: code(f).replace(right, wrong) if f == file else code(f)
    for name in calls:
        tests.results(cupy, name, np.float32)


if __name__ == "__main__":
    main()
