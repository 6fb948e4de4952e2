"""Hand-written CUDA kernels, where the array version would cross the memory several times.

Each NAME.cu here holds the kernels of one operation. A file is compiled by CuPy when one of its
kernels is first launched, for float32 or float64, which the sources call `real`. The array versions
remain: they are the reference, and MINIGRAD_CUDA_KERNELS=off takes them.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...backend import Array, array_module

SWITCH = "MINIGRAD_CUDA_KERNELS"
BLOCK = 256  # threads
MOST_BLOCKS = 1 << 16  # beyond it, a thread takes several elements
_MOST = 1 << 31  # elements; indices are 32 bits wide, 64-bit division is slow on a GPU
_REAL = {"f": "float", "d": "double"}


def usable(*arrays: Array) -> bool:
    """Tell whether the kernels take these arrays: on a GPU, contiguous, all float32 or float64."""
    first = arrays[0]
    if isinstance(first, np.ndarray) or os.environ.get(SWITCH) == "off":
        return False
    return first.dtype.char in _REAL and all(
        a.dtype == first.dtype and a.flags.c_contiguous and a.size < _MOST for a in arrays
    )


def launch(kernel: str, count: int, *args: Any, defines: tuple[str, ...] = ()) -> None:
    """Run "FILE.FUNCTION" with a thread for each of `count` elements.

    args: what the function takes before `count`, which comes last: arrays, of which the first says
    what `real` is; Python's integers, as int, and floats, as `real`; NumPy's as they are.
    defines: NAME=VALUE, what the source is compiled with besides `real`.
    """
    if not 0 < count < _MOST:
        if count == 0:
            return
        raise ValueError(f"{kernel}: {count} elements in one launch: take fewer images at a time")
    first = args[0]
    real = first.dtype.type
    file, _, function = kernel.partition(".")
    plain = [
        real(a) if isinstance(a, float) else np.int32(a) if isinstance(a, int) else a
        for a in (*args, count)
    ]
    blocks = min(-(-count // BLOCK), MOST_BLOCKS)
    with first.device:
        module = _module(array_module(first), file, first.dtype.char, defines)
        module.get_function(function)((blocks,), (BLOCK,), tuple(plain))


def source(file: str) -> str:
    """The CUDA C of FILE.cu, with what all files share in front."""
    here = Path(__file__).parent
    return "\n".join((here / name).read_text("utf-8") for name in ("common.cuh", f"{file}.cu"))


def sources() -> list[str]:
    """The names of all files of kernels."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.cu"))


@functools.cache
def _module(cupy: ModuleType, file: str, char: str, defines: tuple[str, ...]) -> Any:
    options = ("--std=c++17", f"-Dreal={_REAL[char]}", *(f"-D{d}" for d in defines))
    return cupy.RawModule(code=source(file), options=options)
