"""The fully connected layer: one matrix product forward, two backward."""

from __future__ import annotations

import math

import numpy as np

from .. import sums
from ..arrays import Array
from .ways import Kernel


@Kernel
def linear_forward(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """y = x weight^T + bias. x (..., in), weight (out, in), bias (out,) -> (..., out)."""
    y = x @ weight.T
    return y if bias is None else y + bias


@Kernel
def linear_backward(
    grad: Array, x: Array, weight: Array, needs: tuple[bool, bool, bool] = (True, True, True)
) -> tuple[Array | None, Array | None, Array | None]:
    """dx = g weight, dweight = g^T x, dbias = sum of g over the rows; what `needs` asks for."""
    g, rows = as_rows(grad), as_rows(x)
    return (
        (g @ weight).reshape(x.shape) if needs[0] else None,
        g.T @ rows if needs[1] else None,
        sums.over(g, (0,)) if needs[2] else None,
    )


def as_rows(x: Array) -> Array:
    """x (..., n) as a matrix of rows (-1 would not do where n is 0)."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def linear_naive(x: Array, weight: Array, bias: Array) -> Array:
    """y by its sum, element by element. x (N, in)."""
    y = np.empty((x.shape[0], weight.shape[0]), x.dtype)
    for n, o in np.ndindex(*y.shape):
        y[n, o] = bias[o] + sum(x[n, i] * weight[o, i] for i in range(x.shape[1]))
    return y
