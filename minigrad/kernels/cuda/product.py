"""Columns and operands cut to bfloat16 by bfloat16.cu: one pass over the memory."""

from __future__ import annotations

import numpy as np

from ...arrays import Array, array_module
from .. import cuda
from ..product import bfloat16_bits


@bfloat16_bits.instead(lambda x: cuda.usable(x))
def bits(x: Array) -> Array:
    """`bfloat16_bits`."""
    out = array_module(x).empty(x.shape, np.uint16)
    cuda.launch("bfloat16.bfloat16_bits", x.size, x, out)
    return out
