"""`cupy.cuda.cublas`, as far as it is used: a product of matrices at addresses, as a GPU rounds it.

Names, values and the order of arguments are those of CuPy 14.2; a test marked `gpu` compares them.
"""

from __future__ import annotations

import ctypes
import operator
from typing import Any, NamedTuple

import numpy as np

CONSTANTS = {
    "CUBLAS_OP_N": 0, "CUBLAS_OP_T": 1, "CUBLAS_DEFAULT_MATH": 0, "CUBLAS_GEMM_DEFAULT": -1,
    "CUBLAS_COMPUTE_32F": 68, "CUBLAS_COMPUTE_32F_PEDANTIC": 69, "CUBLAS_COMPUTE_32F_FAST_TF32": 77,
}  # fmt: skip
RUNTIME_CONSTANTS = {"CUDA_R_32F": 0, "CUDA_R_16F": 2, "CUDA_R_16BF": 14}
TF32_TENSOR_OP_MATH = 3  # the math mode that makes float32 tf32; CuPy has no name for it
_TYPES = {0: np.float32, 2: np.float16, 14: np.uint16}


class Call(NamedTuple):
    """A call of gemmEx: the types of operands and result, the compute type, op(A) and op(B)."""

    operands: int
    result: int
    compute: int
    operations: tuple[int, int]


calls: list[Call] = []


class CUBLASError(RuntimeError):
    """`cupy.cuda.cublas.CUBLASError`."""


class Cublas:
    """The module; with a math mode for its one handle."""

    CUBLASError = CUBLASError

    def __init__(self) -> None:
        self.mode = 0

    def __getattr__(self, name: str) -> int:
        if name not in CONSTANTS:
            raise AttributeError(f"the stand-in of cupy.cuda.cublas has no {name!r}")
        return CONSTANTS[name]

    def getMathMode(self, handle: int) -> int:
        return self.mode

    def setMathMode(self, handle: int, mode: int) -> None:
        self.mode = operator.index(mode)

    def gemmEx(self, *arguments: int) -> None:
        """C = op(A) op(B), all with columns in a row, alpha 1 and beta 0; float32 sums."""
        if len(arguments) != 19:
            raise TypeError(f"gemmEx() takes exactly 19 positional arguments ({len(arguments)})")
        (
            _, op_a, op_b, m, n, k, alpha, a, type_a, lda, b, type_b, ldb, beta, c, type_c, ldc,
            compute, _,
        ) = map(operator.index, arguments)  # fmt: skip
        assert (ctypes.c_float.from_address(alpha).value) == 1
        assert (ctypes.c_float.from_address(beta).value) == 0
        if type_a != type_b or type_c != 0 or compute not in CONSTANTS.values():
            raise CUBLASError("CUBLAS_STATUS_NOT_SUPPORTED")
        calls.append(Call(type_a, type_c, compute, (op_a, op_b)))
        tf32 = compute == 77 or (compute == 68 and self.mode == TF32_TENSOR_OP_MATH)
        left = _numbers(_matrix(a, type_a, *((k, m) if op_a else (m, k)), lda), tf32)
        right = _numbers(_matrix(b, type_b, *((n, k) if op_b else (k, n)), ldb), tf32)
        with np.errstate(all="ignore"):
            _matrix(c, type_c, m, n, ldc)[...] = (left.T if op_a else left) @ (
                right.T if op_b else right
            )


def _matrix(address: int, kind: int, rows: int, columns: int, leading: int) -> np.ndarray[Any, Any]:
    """The (rows, columns) at an address, `leading` elements from column to column."""
    if leading < max(1, rows) or min(rows, columns) < 1:
        raise CUBLASError("CUBLAS_STATUS_INVALID_VALUE")
    dtype = np.dtype(_TYPES[kind])
    count = (columns - 1) * leading + rows
    memory = (ctypes.c_char * (count * dtype.itemsize)).from_address(address)
    flat = np.frombuffer(memoryview(memory), dtype)
    return np.lib.stride_tricks.as_strided(
        flat, (rows, columns), (dtype.itemsize, leading * dtype.itemsize)
    )


def _numbers(matrix: np.ndarray[Any, Any], tf32: bool) -> np.ndarray[Any, Any]:
    """What the tensor cores take for the matrix, in float32."""
    if matrix.dtype == np.uint16:
        return (matrix.astype(np.uint32) << 16).view(np.float32)
    numbers = matrix.astype(np.float32)
    if tf32 and matrix.dtype == np.float32:
        bits = numbers.view(np.uint32)
        return (
            ((bits + (((bits >> 13) & 1) + 0xFFF)) & 0xFFFFE000).astype(np.uint32).view(np.float32)
        )
    return numbers
