"""Matrix products, and how precisely those of float32 are computed.

- "float32": as it says, also where an environment variable asks NVIDIA's libraries for less.
- "tf32": a GPU's tensor cores take the operands with 10 bits of mantissa instead of 23 and add in
  float32. Needs compute capability 8.0; elsewhere, and on the CPU, it is plain float32.
- "float16": operands rounded to float16 (10 bits, up to 65504), products added up, and kept, in
  float32. Columns take half the memory.
- "bfloat16": the same with 7 bits and float32's range.

On the CPU the two 16-bit types round the operands and multiply in float32: the same numbers, no
gain. Only float32 products are affected: float64 and complex ones, and so `gradcheck`, never are.
PyTorch has the first two as `torch.set_float32_matmul_precision`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from ...arrays import Array, array_module, parse_device
from ...cuda.device import compute_capability
from .. import product as kernel
from .gemm import TENSOR_CORES, gemm
from .memory import empty

PRECISIONS = ("float32", "tf32", "float16", "bfloat16")
STORED = {"float16": np.dtype("float16"), "bfloat16": np.dtype("uint16")}  # CuPy's; bfloat16's bits
_default = "float32"
_inside: ContextVar[str | None] = ContextVar("minigrad_precision", default=None)


def get_precision() -> str:
    """Return how float32 matrix products are computed here: one of PRECISIONS."""
    return _inside.get() or _default


def set_precision(name: str) -> None:
    """Set how float32 matrix products are computed in all threads: one of PRECISIONS.

    Raises ValueError for another name.
    """
    global _default
    _default = _checked(name)


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Compute float32 matrix products inside as `name` says, one of PRECISIONS; per thread.

    Backward goes by where it is called, not by where forward was: put both inside.
    Raises ValueError for another name.
    """
    token = _inside.set(_checked(name))
    try:
        yield
    finally:
        _inside.reset(token)


def precision_problem(name: str, device: str | None) -> str | None:
    """Say why products on `device` cannot be computed as `name` says, or return None.

    tf32 and the CPU's 16 bits can be set all the same; they bring nothing there.
    Raises ValueError for another name, DeviceError for a device that cannot be used.
    """
    if _checked(name) == "float32":
        return None
    capability = compute_capability(device)
    if parse_device(device) == "cpu":
        return f"the CPU has no {name} products"
    if name != "float16" and capability < TENSOR_CORES:
        return f"this GPU has no {name} products: compute capability {capability / 10}, not 8.0"
    if name == "tf32" and os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":
        return "NVIDIA_TF32_OVERRIDE=0 switches tf32 off"
    return None


def _checked(name: str) -> str:
    if name not in PRECISIONS:
        raise ValueError(f"precision is {name!r}: use one of {', '.join(PRECISIONS)}")
    return name


def product(a: Array, b: Array, out: Array) -> Array:
    """out = a b, at the precision in force. a (m, k), b (k, n), out (m, n); returns `out`.

    a and b may come from `operand`.
    """
    xp = array_module(out)
    if out.dtype != np.float32:
        return xp.matmul(a, b, out=out)
    name = get_precision()
    if xp is np:
        return np.matmul(a, b, out=out) if name not in STORED else _emulated(a, b, out, name)
    return gemm(operand(a, out.dtype), operand(b, out.dtype), out, name == "tf32")


def _rounds(a: Array, b: Array) -> bool:
    """Whether a precision has a say in a @ b: for float32, on a GPU or in 16 bits."""
    on_cpu = array_module(a) is np
    return bool(
        np.result_type(a.dtype, b.dtype) == np.float32
        and not (on_cpu and get_precision() not in STORED)
    )


@kernel.matmul.instead(_rounds)
def matmul(a: Array, b: Array) -> Array:
    """a @ b at the precision in force. A batch on a GPU takes a launch for each of its matrices."""
    if b.ndim == 1:
        return matmul(a, b[:, None])[..., 0]
    if a.ndim == 1:
        return matmul(a[None, :], b)[..., 0, :]
    xp, batch = array_module(a), np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = empty(xp, (*batch, a.shape[-2], b.shape[-1]), np.float32)
    a, b = (xp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
    for index in np.ndindex(*batch):
        product(a[index], b[index], out[index])
    return out


def operand_type(xp: Any, dtype: Any) -> np.dtype[Any]:
    """The dtype in which `product` wants the operands of a result of `dtype`."""
    stored: np.dtype[Any] = np.dtype(dtype)
    if xp is not np and stored == np.float32:
        stored = STORED.get(get_precision(), stored)
    return stored


def operand(x: Array, dtype: Any) -> Array:
    """x as `product` wants it for a result of `dtype`: round once what enters several.

    A GPU has it in 16 bits, where the precision in force says so: bfloat16 as its bits, in uint16.
    """
    xp = array_module(x)
    stored = operand_type(xp, dtype)
    if xp is np or dtype != np.float32 or x.dtype == stored:
        return x
    if stored == np.uint16:
        return _bfloat16(xp, x.astype(np.float32, copy=False))
    with np.errstate(over="ignore"):  # beyond 65504: Inf, as on a GPU; loss scaling looks for it
        return x.astype(stored)


def _bfloat16(xp: Any, x: Array) -> Array:
    """The bits of x (float32) in bfloat16, in the same order of memory if that has no gaps."""
    if not x.flags.c_contiguous and x.T.flags.c_contiguous:
        return _bfloat16(xp, x.T).T
    return kernel.bfloat16_bits(xp.ascontiguousarray(x))


@np.errstate(all="ignore")  # Inf and what becomes of it, as above
def _emulated(a: Any, b: Any, out: Any, name: str) -> Any:
    """The product of a 16-bit precision, by NumPy."""
    return np.matmul(_rounded(a, name), _rounded(b, name), out=out)


def _rounded(x: Any, name: str) -> Any:
    """x rounded to a 16-bit type, as float32."""
    x = x.astype(np.float32, copy=False)
    if name == "float16":
        return x.astype(np.float16).astype(np.float32)
    return (kernel.bfloat16_bits(np.ascontiguousarray(x)).astype(np.uint32) << 16).view(np.float32)
