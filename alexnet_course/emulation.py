"""Notebook 12's CUDA kernels, run where they can be: on a GPU, or emulated by a C++ compiler.

The emulation, and the stand-in for CuPy, are those of the project's tests.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from minigrad import arrays
from minigrad.cuda import device
from minigrad.cuda.device import on_gpu
from minigrad.kernels import cuda

from . import signature
from .checks import close

EMULATION = Path(__file__).resolve().parents[1] / "tests" / "cuda_emulation"
# The emulation's threads run one after the other, so nobody interrupts them. On line 1 of a source.
ATOMIC = (
    "template <class T, class V> T atomicAdd(T* at, V value) "
    "{ T old = *at; *at += value; return old; } "
)

# ----- where kernels run -----


def _module(name: str) -> Any:
    """A module of tests/cuda_emulation."""
    sys.path.append(str(EMULATION))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EMULATION))


@functools.cache
def emulation_problem() -> str | None:
    """Why CUDA C cannot be emulated here, or None."""
    if not (EMULATION / "emulate.py").is_file():
        return "the emulation is not here: it comes with a clone of the repository"
    emulate = _module("emulate")
    if emulate.COMPILER is None:
        return "the emulation needs a C++ compiler (g++ or clang++)"
    try:
        emulate.library('extern "C" __global__ void probe(int* x) { *x = 1; }', (), "")
    except (OSError, SyntaxError, subprocess.CalledProcessError):
        return "the C++ compiler here cannot build the emulation"
    return None


def where() -> str:
    """What `run` runs kernels on."""
    if device.is_available():
        return "on the GPU, by CuPy; where an order is asked for, " + (
            emulation_problem() or "emulated by a C++ compiler"
        )
    return emulation_problem() or "emulated: CUDA C through a C++ compiler, on the CPU"


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
    Raises TypeError if the arguments do not fit the kernel's parameters, and ValueError if the
    emulation cannot compile it. Nobody checks the places that it reads and writes.
    """
    if order not in (None, "forward", "reversed", "shuffled"):
        raise ValueError(f'order={order!r}: expected "forward", "reversed" or "shuffled"')
    file = kernel.partition(".")[0]
    text = _edited(cuda.source(file) if code is None else _common() + code, *edit)
    on_gpu = order is None and device.is_available()
    problem = None if on_gpu else emulation_problem()
    if problem:
        _say(f"not run: {problem}")
        return None
    plain = [_plain(a) for a in (*args, count)]
    grid = (min(-(-count // cuda.BLOCK), cuda.MOST_BLOCKS),)
    options = cuda.options("f", **defines)
    if on_gpu:
        _on_gpu(text, kernel, options, grid, plain)
    else:
        _emulated(text, kernel, options, grid, plain, order or "forward")
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


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value
    return np.float32(value) if isinstance(value, float | np.floating) else np.int32(value)


def _on_gpu(
    text: str, kernel: str, options: tuple[str, ...], grid: tuple[int], args: list[Any]
) -> None:
    function = kernel.partition(".")[2]
    with on_gpu() as cupy:
        start = cupy.RawModule(code=text, options=options).get_function(function)
        signature.check(text, function, args)
        there = [cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in args]
        start(grid, (cuda.BLOCK,), tuple(there))
        for host, device in zip(args, there, strict=True):
            if isinstance(host, np.ndarray) and host.flags.writeable:
                host[...] = arrays.to_numpy(device)


def _emulated(
    text: str,
    kernel: str,
    options: tuple[str, ...],
    grid: tuple[int],
    args: list[Any],
    order: str,
) -> None:
    emulate = _module("emulate")
    start = _compiled(emulate, ATOMIC + text, kernel, options)
    signature.check(text, kernel.partition(".")[2], args)
    before, emulate.order = emulate.order, order
    try:  # an array, to the emulation, is what holds a NumPy array under this name
        held = [SimpleNamespace(_host=a) if isinstance(a, np.ndarray) else a for a in args]
        start(grid, (cuda.BLOCK,), tuple(held))
    finally:
        emulate.order = before


def _compiled(emulate: Any, text: str, kernel: str, options: tuple[str, ...]) -> Any:
    """The kernel. Raises ValueError with what the compiler says, or with the names there are."""
    file, _, function = kernel.partition(".")
    try:
        names = emulate.kernel_names(text)
        if function in names:
            return emulate.RawModule(text, options).get_function(function)
    except (SyntaxError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise ValueError(f"{kernel} does not compile:\n{_errors(said, file)}") from None
    raise ValueError(
        f"no kernel {function!r} in the source, which has {', '.join(names) or 'none'}; a kernel "
        'begins with: extern "C" __global__ void NAME('
    )


def _errors(said: str, file: str) -> str:
    """The compiler's errors, in the lines of FILE.cu or of the learner's code: common.cuh is in
    front of both."""
    before = _common().count("\n")

    def place(match: re.Match[str]) -> str:
        line = int(match[1])
        return f"{file}.cu:{line - before}" if line > before else f"common.cuh:{line}"

    errors = [line for line in said.splitlines() if "error:" in line]
    own = [line for line in errors if re.match(r"(kernels\.cu|<stdin>):", line)]
    if not own:  # the compiler read on into what the emulation puts behind the source
        own = ["after its last line (is a bracket still open?):", *errors]
    return re.sub(r"(?:kernels\.cu|<stdin>):(\d+)", place, "\n".join(own))


# ----- a GPU that is none -----


def on_pretended_gpu(call: Callable[[Any], Any]) -> Any:
    """Return call(transfers), while "cuda" is a stand-in for CuPy that computes with NumPy.

    transfers: how often numbers went "to device" and "to host", a Counter. Without a clone of
    the repository, returns a text that says so.
    """
    if not (EMULATION / "standin.py").is_file():
        return "not run: the stand-in for CuPy comes with a clone of the repository"
    standin, pool = _module("standin"), _module("standin_memory").pool
    hooks, pool.hooks = pool.hooks, {}  # of a stand-in before this one
    cupy, switch = sys.modules.get("cupy"), os.environ.get(cuda.SWITCH)
    sys.modules["cupy"] = standin.make()
    os.environ[cuda.SWITCH] = "off"  # the array versions: they need no compiler
    arrays.require_cupy.cache_clear()
    standin.transfers.clear()
    try:
        return call(standin.transfers)
    finally:
        del sys.modules["cupy"], os.environ[cuda.SWITCH]
        if cupy is not None:
            sys.modules["cupy"] = cupy
        if switch is not None:
            os.environ[cuda.SWITCH] = switch
        arrays.require_cupy.cache_clear()
        pool.hooks = hooks
