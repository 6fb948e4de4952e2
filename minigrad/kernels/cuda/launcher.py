"""Compiling and launching the CUDA sources of this folder, and of those given to `add_sources`.

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
_FOLDERS = [Path(__file__).parent]


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


def add_sources(folder: Path) -> None:
    """Let `launch` find the kernels of the .cu files in another folder, too; twice is as once.

    Raises ValueError if one of them has the name of a file that is known already.
    """
    if folder in _FOLDERS:
        return
    taken = set(sources()) & {path.stem for path in folder.glob("*.cu")}
    if taken:
        raise ValueError(f"{folder}: {min(taken)}.cu is known already: give it another name")
    _FOLDERS.append(folder)


def source_path(file: str) -> Path:
    """Where FILE.cu lies. Raises KeyError for a name that `sources` does not list."""
    return _paths()[file]


def source(file: str) -> str:
    """The CUDA C of FILE.cu, with what all files share in front."""
    common = _FOLDERS[0] / "common.cuh"
    return "\n".join(path.read_text("utf-8") for path in (common, source_path(file)))


def sources() -> list[str]:
    """The names of all files of kernels."""
    return sorted(_paths())


def _paths() -> dict[str, Path]:
    return {path.stem: path for folder in _FOLDERS for path in folder.glob("*.cu")}


def _switched_on() -> bool:
    value = os.environ.get(SWITCH, "on")
    if value not in ("on", "off"):
        raise ValueError(f"{SWITCH}={value} in the environment: expected on (the default) or off")
    return value == "on"


@functools.cache
def _module(cupy: ModuleType, file: str, options: tuple[str, ...]) -> Any:
    return cupy.RawModule(code=source(file), options=options)
