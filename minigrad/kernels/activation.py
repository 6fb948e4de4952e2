"""ReLU, which a convolution applies to its own output. Complex numbers: by real part."""

from __future__ import annotations

import numpy as np

from ..arrays import Array, array_module
from .layout import masked


def relu_forward(x: Array) -> Array:
    """max(x, 0); keeps the memory order of x. NaN stays NaN."""
    xp = array_module(x)
    if x.dtype.kind == "c":
        return xp.where(x.real <= 0, 0, x)
    return xp.maximum(x, x.dtype.type(0))


def relu_backward(grad: Array, y: Array) -> Array:
    """grad where y, the output, is not 0: the derivative at 0 is 0, at NaN (as in PyTorch) 1."""
    return masked(grad, y.real != 0)


def relu_naive(x: Array) -> Array:
    """max(x, 0), element by element."""
    return np.array([0 if v.real <= 0 else v for v in x.ravel()], x.dtype).reshape(x.shape)
