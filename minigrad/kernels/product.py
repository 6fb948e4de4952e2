"""The matrix product, and float32 cut to 16 bits for it. `fast/product.py` has the precisions."""

from __future__ import annotations

import numpy as np

from ..arrays import Array, array_module
from .ways import Kernel


@Kernel
def matmul(a: Array, b: Array) -> Array:
    """a @ b, with batch dimensions that broadcast; vectors as in NumPy."""
    return a @ b


@Kernel
def bfloat16_bits(x: Array) -> Array:
    """The upper half of float32's bits as uint16, rounded to nearest, ties to even; NaN stays NaN.
    x float32, C-contiguous."""
    xp, bits = array_module(x), x.view(np.uint32)
    rounded = (bits + (((bits >> 16) & 1) + 0x7FFF)) >> 16
    return xp.where(xp.isnan(x), np.uint32(0x7FC0), rounded).astype(np.uint16)
