"""CUDA C compiled by a C++ compiler and run on the CPU: `cupy.RawModule` for the stand-in."""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HEADER = Path(__file__).with_name("cuda_on_cpu.h")
COMPILER = shutil.which("g++") or shutil.which("clang++")
ORDERS = {"forward": 0, "reversed": 1, "shuffled": 2}
order = "forward"  # in which the threads of a launch run
workers = 1  # CPU threads that share them
sanitizer = ""  # "address" or "thread"
fibers = False  # a stack for each thread, without barriers too: the sanitizer tells them apart


@functools.cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="cuda_emulation_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@functools.cache
def kernel_names(code: str) -> list[str]:
    """Names of the kernels in a source, of those that a macro defines, too."""
    flat = subprocess.run(
        [str(COMPILER), "-E", "-P", "-x", "c++", "-D__global__=KERNEL", "-"],
        input=code, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return re.findall(r'extern "C" KERNEL void (\w+)', flat)


@functools.cache
def library(code: str, options: tuple[str, ...], sanitize: str) -> ctypes.CDLL:
    """The compiled source. An error of the compiler is raised with what it says."""
    exports = "\n".join(f"EMULATE({name})" for name in kernel_names(code))
    text = f'#include "{HEADER}"\n#line 1 "kernels.cu"\n{code}\n{exports}\n'
    name = hashlib.sha256(repr((text, options, sanitize)).encode()).hexdigest()[:16]
    source, built = _folder() / f"{name}.cpp", _folder() / f"{name}.so"
    source.write_text(text)
    flags = ["-std=c++17", "-O1", "-g", "-shared", "-fPIC", "-pthread", "-Wall", "-Werror",
             "-Wno-unknown-pragmas",
             *(o for o in options if o.startswith(("-D", "-W")))]  # fmt: skip
    if sanitize:
        flags += [f"-fsanitize={sanitize}", "-fno-omit-frame-pointer"]
    done = subprocess.run(
        [str(COMPILER), *flags, str(source), "-o", str(built)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SyntaxError(done.stderr)
    return ctypes.CDLL(str(built))


class RawModule:
    """`cupy.RawModule`: a source of kernels."""

    def __init__(self, code: str, options: tuple[str, ...] = ()) -> None:
        self._code, self._options = code, tuple(options)

    def get_function(self, name: str) -> Any:
        """A kernel, called as `kernel(grid, block, args)`."""
        function = getattr(library(self._code, self._options, sanitizer), f"{name}_emulated")
        barriers = "__syncthreads()" in self._code

        def launch(grid: tuple[int], block: tuple[int], args: tuple[Any, ...]) -> None:
            held = [_argument(value) for value in args]
            pointers = (ctypes.c_void_p * len(held))(*map(ctypes.addressof, held))
            line = function(grid[0], block[0], pointers, ORDERS[order], workers, barriers or fibers)
            if line:
                text = self._code.splitlines()[line - 1].strip()
                raise RuntimeError(
                    f"{name}: only some threads of a block reach the barrier in kernels.cu:{line} "
                    f"({text}); all of them must, or none"
                )

        return launch


_C_TYPES = {
    np.int32: ctypes.c_int32,
    np.uint32: ctypes.c_uint32,
    np.float32: ctypes.c_float,
    np.float64: ctypes.c_double,
}


def _argument(value: Any) -> Any:
    """An argument in memory; CuPy, too, takes only arrays and NumPy's numbers without surprises.

    A NumPy array of one element, which may be a structure, goes by value, as with CuPy.
    """
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise TypeError(f"a numpy.ndarray of shape {value.shape} as an argument of a kernel")
        return (ctypes.c_char * value.nbytes).from_buffer_copy(value.tobytes())
    if type(value) in _C_TYPES:
        return _C_TYPES[type(value)](value)
    host = value._host  # an array of the stand-in
    if not host.flags.c_contiguous:
        raise ValueError("a kernel was given an array with gaps")
    return ctypes.c_void_p(host.ctypes.data)
