"""Compiling and launching the CUDA sources of this folder.

A file is compiled by CuPy when one of its kernels is first launched, for float32 or float64, which
the sources call `real`. Callers take `launch` from the package, where a test or a benchmark may
put another in its place.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...arrays import Array, array_module

SWITCH = "MINIGRAD_CUDA_KERNELS"
BLOCK = 256  # threads
MOST_BLOCKS = 1 << 16  # beyond it, a thread takes several elements
MOST = 1 << 31  # elements; indices are 32 bits wide, 64-bit division is slow on a GPU
_REAL = {"f": "float", "d": "double"}


def usable(*arrays: Array) -> bool:
    """Tell whether the kernels take these arrays: `supported`, and contiguous."""
    return supported(*arrays) and all(a.flags.c_contiguous for a in arrays)


def supported(*arrays: Array) -> bool:
    """Tell whether the kernels take these arrays in some order of memory: on a GPU, all float32 or
    all float64.

    Raises ValueError where the environment variable `SWITCH` is neither "on" nor "off".
    """
    first = arrays[0]
    if isinstance(first, np.ndarray) or not _switched_on():
        return False
    return first.dtype.char in _REAL and all(
        a.dtype == first.dtype and a.size < MOST for a in arrays
    )


def launch(
    kernel: str, count: int, *args: Any, rows: bool = False, like: Array | None = None,
    **defines: Any,
) -> None:  # fmt: skip
    """Run "FILE.FUNCTION" with a thread for each of `count` elements, or a block for each row.

    args: what the function takes before `count`, which comes last: arrays; Python's integers, as
    int, and floats, as `real`; NumPy's numbers as they are, and a NumPy structure by value.
    rows: `count` is a number of rows, each for a block of `BLOCK` threads.
    like: an array of the device and of the dtype that `real` is; the first argument by default.
    defines: macros, for what the compiler should know; each set of them is compiled once.
    """
    if not 0 < count < MOST:
        if count == 0:
            return
        raise ValueError(f"{kernel}: {count} elements in one launch: take fewer images at a time")
    like = args[0] if like is None else like
    real = like.dtype.type
    file, _, function = kernel.partition(".")
    plain = [
        real(a) if isinstance(a, float) else np.int32(a) if isinstance(a, int) else a
        for a in (*args, count)
    ]
    blocks = min(count if rows else -(-count // BLOCK), MOST_BLOCKS)
    with like.device:
        module = _module(array_module(like), file, options(like.dtype.char, **defines))
        module.get_function(function)((blocks,), (BLOCK,), tuple(plain))


def options(char: str, **defines: Any) -> tuple[str, ...]:
    """What the compiler is told: `char` is "f" or "d", and `defines` as for `launch`."""
    return (
        "--std=c++17", f"-Dreal={_REAL[char]}", *(f"-D{name}={n}" for name, n in defines.items())
    )  # fmt: skip


def source(file: str) -> str:
    """The CUDA C of FILE.cu, with what all files share in front."""
    here = Path(__file__).parent
    return "\n".join((here / name).read_text("utf-8") for name in ("common.cuh", f"{file}.cu"))


def sources() -> list[str]:
    """The names of all files of kernels."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.cu"))


def _switched_on() -> bool:
    value = os.environ.get(SWITCH, "on")
    if value not in ("on", "off"):
        raise ValueError(f"{SWITCH}={value} in the environment: expected on (the default) or off")
    return value == "on"


@functools.cache
def _module(cupy: ModuleType, file: str, options: tuple[str, ...]) -> Any:
    return cupy.RawModule(code=source(file), options=options)
