"""A CUDA kernel of one's own, run on NumPy arrays by a C++ compiler, in a chosen order."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import cuda_on_cpu, signature

BLOCK = 256  # threads
MOST_BLOCKS = 1 << 16  # beyond it, a thread has to take several elements
PROBE = 'extern "C" __global__ void probe(int* x) { *x = 1; }'


@functools.cache
def problem() -> str | None:
    """Why CUDA C cannot be run here, or None. Needs g++ or clang++, and no GPU."""
    if cuda_on_cpu.COMPILER is None:
        return "the emulation needs a C++ compiler (g++ or clang++)"
    try:
        cuda_on_cpu.library(PROBE, (), "")
    except (OSError, SyntaxError, subprocess.CalledProcessError):
        return "the C++ compiler here cannot build the emulation"
    return None


def run_cuda(
    source: str,
    kernel: str,
    count: int,
    *args: Any,
    order: str = "forward",
    blocks: int | None = None,
    block: int = BLOCK,
    defines: Mapping[str, object] | None = None,
    header: str = "",
    file: str = "kernels.cu",
) -> None:
    """Run a kernel of CUDA C on the CPU; it writes in the arrays.

    source: CUDA C; the kernel begins with `extern "C" __global__ void NAME(`. Grids and blocks have
    one dimension; there are barriers, `__shared__` arrays of a fixed size and `atomicAdd`, but no
    warps, and reads and writes outside of an array are not noticed.
    kernel: its name.
    count: elements to do, which the kernel takes last, as `int n`.
    args: what it takes before: contiguous NumPy arrays and numbers, of the types of its parameters.
    order: of the threads: "forward", "reversed" or "shuffled". Nobody may rely on any of them.
    blocks: of `block` threads each; by default as many as give every element a thread, at most
    65536.
    defines: macros, {"NAME": value}.
    header: CUDA C to put in front, whose lines do not count. file: the source's name in errors.

    Raises TypeError if the arguments do not fit the kernel's parameters, ValueError if an array has
    gaps or the source does not compile (with the compiler's errors, in the source's lines),
    RuntimeError if only some threads of a block reach a barrier, or if there is no compiler.

    >>> import numpy as np, minigrad as mg
    >>> saxpy = '''
    ... extern "C" __global__ void saxpy(float* y, const float* x, float a, int n)
    ... {
    ...     int i = blockIdx.x * blockDim.x + threadIdx.x;
    ...     if (i < n) y[i] += a * x[i];
    ... }
    ... '''
    >>> x, y = np.arange(4, dtype=np.float32), np.ones(4, np.float32)
    >>> mg.testing.run_cuda(saxpy, "saxpy", 4, y, x, 0.5, order="reversed")
    >>> y
    array([1. , 1.5, 2. , 2.5], dtype=float32)
    """
    if order not in cuda_on_cpu.ORDERS:
        raise ValueError(f'order={order!r}: expected "forward", "reversed" or "shuffled"')
    if problem():
        raise RuntimeError(f"run_cuda: {problem()}")
    macros = defines or {}
    text = header + source
    start = _compiled(text, kernel, macros, header.count("\n"), file)
    held = _held(text, kernel, [*args, count], macros)
    blocks = blocks or max(1, min(-(-count // block), MOST_BLOCKS))
    before, cuda_on_cpu.order = cuda_on_cpu.order, order
    try:
        start((blocks,), (block,), held)
    finally:
        cuda_on_cpu.order = before


def _held(text: str, kernel: str, args: list[Any], macros: Mapping[str, object]) -> tuple[Any, ...]:
    """The arguments as `RawModule` takes them: what holds an array, and numbers by value."""
    signature.check(text, kernel, args, macros)
    return tuple(
        # As on a GPU, nothing comes back to an array that is read-only.
        SimpleNamespace(_host=a if a.flags.writeable else a.copy()) if isinstance(a, np.ndarray)
        else _number(a, signature.dtype_of(parameter, macros))
        for a, parameter in zip(args, signature.parameters_of(text, kernel), strict=True)
    )  # fmt: skip


def _number(value: Any, dtype: str | None) -> Any:
    if dtype is None:
        dtype = "float32" if isinstance(value, float | np.floating) else "int32"
    return np.array([value], dtype)


def _compiled(text: str, kernel: str, macros: Mapping[str, object], before: int, file: str) -> Any:
    """The kernel. Raises ValueError with what the compiler says, or with the names there are."""
    options = tuple(f"-D{name}={value}" for name, value in macros.items())
    try:
        names = cuda_on_cpu.kernel_names(text)
        if kernel in names:
            # A warning is no error to the compiler for GPUs, either.
            return cuda_on_cpu.RawModule(text, (*options, "-Wno-error")).get_function(kernel)
    except (SyntaxError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        message = f"{kernel} does not compile:\n{_errors(said, before, file)}"
        raise ValueError(message) from None
    raise ValueError(
        f"no kernel {kernel!r} in the source, which has {', '.join(names) or 'none'}; a kernel "
        'begins with: extern "C" __global__ void NAME('
    )


def _errors(said: str, before: int, file: str) -> str:
    """The compiler's errors, in the lines of the source or of the header in front of it."""

    def place(match: re.Match[str]) -> str:
        line = int(match[1])
        return f"{file}:{line - before}" if line > before else f"header:{line}"

    errors = [line for line in said.splitlines() if "error:" in line]
    own = [line for line in errors if re.match(r"(kernels\.cu|<stdin>):", line)]
    if not own:  # the compiler read on into what the emulation puts behind the source
        header = re.escape(str(Path(cuda_on_cpu.HEADER)))
        errors = [re.sub(header, cuda_on_cpu.HEADER.name, line) for line in errors]
        own = ["after its last line (is a bracket still open?):", *errors]
    return re.sub(r"(?:kernels\.cu|<stdin>):(\d+)", place, "\n".join(own))
