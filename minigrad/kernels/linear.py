"""The fully connected layer: one matrix product with all BLAS threads."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from ..memory import empty


def linear_forward(x: Array, weight: Array, bias: Array | None) -> Array:
    """y = x weight^T + bias. x (..., in), weight (out, in), bias (out,) -> (..., out)."""
    xp = array_module(x)
    rows = x.reshape(-1, x.shape[-1])
    kind = np.result_type(x.dtype, weight.dtype)
    y = xp.matmul(rows, weight.T, out=empty(xp, (rows.shape[0], weight.shape[0]), kind))
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], weight.shape[0])


def linear_backward(
    grad: Array, x: Array, weight: Array, needs: tuple[bool, bool, bool]
) -> tuple[Array | None, Array | None, Array | None]:
    """dx = g weight, dweight = g^T x, dbias = sum of g over the rows; what `needs` asks for."""
    xp = array_module(grad)
    g, rows = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    dx = dweight = dbias = None
    if needs[0]:
        kind = np.result_type(grad.dtype, weight.dtype)
        dx = xp.matmul(g, weight, out=empty(xp, rows.shape, kind)).reshape(x.shape)
    if needs[1]:
        kind = np.result_type(grad.dtype, x.dtype)
        dweight = xp.matmul(g.T, rows, out=empty(xp, weight.shape, kind))
    if needs[2]:
        dbias = g.sum(axis=0)
    return dx, dweight, dbias


def linear_naive(x: Array, weight: Array, bias: Array) -> Array:
    """y by its sum, element by element. x (N, in)."""
    y = np.empty((x.shape[0], weight.shape[0]), x.dtype)
    for n, o in np.ndindex(*y.shape):
        y[n, o] = bias[o] + sum(x[n, i] * weight[o, i] for i in range(x.shape[1]))
    return y
