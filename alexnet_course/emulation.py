"""Notebook 16's CUDA kernels, run where they can be: on a GPU, or emulated by a C++ compiler."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import arrays
from minigrad.cuda import device
from minigrad.cuda.device import on_gpu
from minigrad.kernels import cuda
from minigrad.testing import cupy_on_cpu, problem, run_cuda, signature, stand_in_for_cupy

from .checks import close

# ----- where kernels run -----


def where() -> str:
    """What `run` runs kernels on."""
    if device.is_available():
        return "on the GPU, by CuPy; where an order is asked for, " + (
            problem() or "emulated by a C++ compiler"
        )
    return problem() or "emulated: CUDA C through a C++ compiler, on the CPU"


def run(
    kernel: str,
    count: int,
    *args: Any,
    code: str | None = None,
    edit: tuple[str, str] = ("", ""),
    order: str | None = None,
    **defines: Any,
) -> Any:
    """Run the kernel "FILE.FUNCTION" with `count` elements, and return its first argument.

    args: what the kernel takes before `count`: NumPy arrays, in which it writes; integers; floats.
    code: CUDA C in place of the file's. edit: words of the source and what to put in their place.
    order: "forward", "reversed" or "shuffled": of the threads, which only the emulation can choose.
    defines: macros.
    Returns None where it cannot be run; the first time it says why.
    Raises TypeError if the arguments do not fit the kernel's parameters, and ValueError if there is
    no such file, an array has gaps, or the emulation cannot compile the kernel. Nobody checks the
    places that a kernel reads and writes.
    """
    if order not in (None, "forward", "reversed", "shuffled"):
        raise ValueError(f'order={order!r}: expected "forward", "reversed" or "shuffled"')
    for arg in args:
        _must_be_memory(arg)
    file, _, function = kernel.partition(".")
    source = _edited(_source(file) if code is None else code, *edit)
    on_gpu = order is None and device.is_available()
    if not on_gpu and problem():
        _say(f"not run: {problem()}")
        return None
    if on_gpu:
        _on_gpu(source, function, defines, [_plain(a) for a in (*args, count)])
    else:
        run_cuda(
            source, function, count, *args, order=order or "forward", header=_common(),
            defines={"real": "float", **defines}, file=f"{file}.cu",
        )  # fmt: skip
    return args[0]


def same(one: Any, other: Any) -> bool | str:
    """Whether two arrays are the same to the byte; "not run" where `run` gave no array."""
    if one is None or other is None:
        return "not run"
    return bool(one.dtype == other.dtype and one.tobytes() == other.tobytes())


def near(one: Any, other: Any, tolerance: float) -> bool | str:
    """As `same`, to `tolerance` times the largest number."""
    if one is None or other is None:
        return "not run"
    return close(one, other, tolerance)


def excerpt(file: str, first: str, last: str) -> str:
    """The lines of a source of kernels from the one with `first` to the next that begins with
    `last`."""
    lines = cuda.source(file).splitlines()
    begin = next(i for i, line in enumerate(lines) if first in line)
    end = next(i for i, line in enumerate(lines) if i >= begin and line.startswith(last))
    return "\n".join(lines[begin : end + 1])


@functools.cache
def _say(line: str) -> None:
    print(line)


def _edited(text: str, old: str, new: str) -> str:
    if old and text.count(old) != 1:
        raise ValueError(f"{old!r} is in the source {text.count(old)} times, expected once")
    return text.replace(old, new) if old else text


def _common() -> str:
    return (Path(cuda.__file__).with_name("common.cuh")).read_text("utf-8") + "\n"


def _source(file: str) -> str:
    """FILE.cu without what all files share."""
    if file not in cuda.sources():
        raise ValueError(f"no file {file!r} of kernels: there are {', '.join(cuda.sources())}")
    return cuda.source(file).removeprefix(_common())


def _must_be_memory(arg: Any) -> None:
    if isinstance(arg, list | tuple):
        raise TypeError("a kernel takes arrays and numbers, no lists: np.array(..., np.float32)")
    if isinstance(arg, np.ndarray) and not arg.flags.c_contiguous:
        raise ValueError(
            "an array with gaps, as transpose and slices leave them: a kernel counts the places of "
            "one row of memory. np.ascontiguousarray(...) copies it into one."
        )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value
    return np.float32(value) if isinstance(value, float | np.floating) else np.int32(value)


def _on_gpu(source: str, function: str, defines: dict[str, Any], args: list[Any]) -> None:
    text, options = _common() + source, cuda.options("f", **defines)
    grid = (min(-(-int(args[-1]) // cuda.BLOCK), cuda.MOST_BLOCKS),)
    with on_gpu() as cupy:
        start = cupy.RawModule(code=text, options=options).get_function(function)
        signature.check(text, function, args)
        there = [cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in args]
        start(grid, (cuda.BLOCK,), tuple(there))
        for host, device in zip(args, there, strict=True):
            if isinstance(host, np.ndarray) and host.flags.writeable:
                host[...] = arrays.to_numpy(device)


# ----- a GPU that is none -----


def on_pretended_gpu(call: Callable[[Any], Any]) -> Any:
    """Return call(transfers), while "cuda" is a stand-in for CuPy that computes with NumPy.

    transfers: how often numbers went "to device" and "to host", a Counter.
    """
    with stand_in_for_cupy():
        cupy_on_cpu.transfers.clear()
        return call(cupy_on_cpu.transfers)
