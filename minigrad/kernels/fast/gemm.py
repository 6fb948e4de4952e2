"""out = a b on a GPU: cuBLAS's gemmEx, whose types and precision are chosen call by call.

CuPy's own matmul has one setting for the whole process (CUPY_TF32) and copies a result that is a
part of a larger array, as that of a group of a convolution is.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ...arrays import Array, array_module

TENSOR_CORES = 80  # compute capability, times 10, from which there are tf32 and bfloat16
# What makes cuBLAS compute float32 otherwise by itself, where the call does not forbid it.
OVERRIDES = ("NVIDIA_TF32_OVERRIDE", "CUBLAS_EMULATE_SINGLE_PRECISION")
_TYPES = {"float32": "CUDA_R_32F", "float16": "CUDA_R_16F", "uint16": "CUDA_R_16BF"}
_ONE, _ZERO = np.ones(1, np.float32), np.zeros(1, np.float32)  # cuBLAS reads them by address


def gemm(a: Array, b: Array, out: Array, tf32: bool = False) -> Array:
    """out = a b, added up in float32. a (m, k), b (k, n), out (m, n) float32; returns `out`.

    a and b are both float32, float16, or the bits of bfloat16 in uint16. `tf32` lets a GPU of
    compute capability 8.0 round float32 operands to 10 bits of mantissa.
    Raises RuntimeError for bfloat16 on an older GPU. Source: cuBLAS, cublasGemmEx.
    """
    if not out.size or not a.size:
        out[...] = 0
        return out
    xp = array_module(out)
    (across_c, ldc), target = _layout(out), out
    if across_c:
        ldc, target = out.shape[1], xp.empty(out.shape, out.dtype)
    (a, across_a, lda), (b, across_b, ldb) = _readable(xp, a), _readable(xp, b)
    cublas, runtime = xp.cuda.cublas, xp.cuda.runtime
    operand = getattr(runtime, _TYPES[a.dtype.name])
    with out.device:
        compute = _compute_type(cublas, a, tf32)
        handle = xp.cuda.get_cublas_handle()
        mode = cublas.getMathMode(handle)
        cublas.setMathMode(handle, cublas.CUBLAS_DEFAULT_MATH)  # somebody's TF32 must not be ours
        try:
            # cuBLAS counts columns first, so memory that is C by rows is C^T to it: C^T = B^T A^T.
            cublas.gemmEx(
                handle, across_b, across_a, out.shape[1], out.shape[0], a.shape[1],
                _ONE.ctypes.data, b.data.ptr, operand, ldb, a.data.ptr, operand, lda,
                _ZERO.ctypes.data, target.data.ptr, runtime.CUDA_R_32F, ldc,
                compute, cublas.CUBLAS_GEMM_DEFAULT,
            )  # fmt: skip
        finally:
            cublas.setMathMode(handle, mode)
    if target is not out:
        out[...] = target
    return out


def _compute_type(cublas: Any, a: Array, tf32: bool) -> int:
    """How cuBLAS is to compute, on the current device."""
    tensor_cores = int(a.device.compute_capability) >= TENSOR_CORES
    if a.dtype == np.uint16 and not tensor_cores:
        raise RuntimeError(
            "precision is 'bfloat16', but this GPU has compute capability "
            f"{int(a.device.compute_capability) / 10}, expected 8.0 or more: use 'float16'"
        )
    if a.dtype != np.float32:
        return int(cublas.CUBLAS_COMPUTE_32F)
    if tf32 and tensor_cores:
        return int(cublas.CUBLAS_COMPUTE_32F_FAST_TF32)
    if any(os.environ.get(name, "0") != "0" for name in OVERRIDES):
        return int(cublas.CUBLAS_COMPUTE_32F_PEDANTIC)  # the only one that takes no shortcut at all
    return int(cublas.CUBLAS_COMPUTE_32F)


def _readable(xp: Any, matrix: Array) -> tuple[Array, int, int]:
    """The matrix, or a copy without gaps in its rows, and its `_layout`."""
    across, leading = _layout(matrix)
    if not leading:
        matrix = xp.ascontiguousarray(matrix)
        across, leading = 0, matrix.shape[1]
    return matrix, across, leading


def _layout(matrix: Array) -> tuple[int, int]:
    """(0, elements from row to row), or (1, elements from column to column) where the columns are
    what has no gaps: cuBLAS's operation and leading dimension. (1, 0): neither."""
    (rows, columns), size = matrix.shape, matrix.dtype.itemsize
    down, right = (step // size for step in matrix.strides)
    if (columns == 1 or right == 1) and (rows == 1 or down >= columns):
        return 0, max(down, columns) if rows > 1 else columns
    if (rows == 1 or down == 1) and (columns == 1 or right >= rows):
        return 1, max(right, rows) if columns > 1 else rows
    return 1, 0
