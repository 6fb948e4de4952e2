"""The fully connected layer: three matrix products, each split over the CPU threads.

Every thread computes its own slice of the result, so that nothing is summed across threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array, array_module
from .fast.memory import empty
from .fast.parallel import get_num_threads, over_batch, scratch
from .fast.product import operand, product


def _split(xp: Any, multiply: Any, size: int) -> None:
    """Call `multiply(part)` for as many equal parts of range(size) as there are threads."""

    def task(parts: list[slice]) -> None:
        for part in parts:
            multiply(part)

    over_batch(xp, task, size, -(-size // get_num_threads()) if xp is np else size)


def linear_forward(x: Array, weight: Array, bias: Array | None) -> Array:
    """y = x weight^T + bias. x (..., in), weight (out, in), bias (out,) -> (..., out)."""
    xp = array_module(x)
    rows = x.reshape(-1, x.shape[-1])
    kind = np.result_type(*(a.dtype for a in (x, weight, bias) if a is not None))
    y = empty(xp, (rows.shape[0], weight.shape[0]), kind)

    left, right = operand(weight, kind), operand(rows, kind).T

    def multiply(part: slice) -> None:
        # weight x^T, turned round: BLAS is a fifth faster when the large matrix stands in front
        shape = (weight[part].shape[0], rows.shape[0])
        y[:, part] = product(left[part], right, scratch(xp, "linear", shape, kind)).T

    _split(xp, multiply, weight.shape[0])
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], weight.shape[0])


def linear_backward(
    grad: Array, x: Array, weight: Array, needs: tuple[bool, bool, bool]
) -> tuple[Array | None, Array | None, Array | None]:
    """dx = g weight, dweight = g^T x, dbias = sum of g over the rows; what `needs` asks for."""
    xp = array_module(grad)
    g, rows = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    dx = dweight = None
    if needs[0]:
        dx = empty(xp, rows.shape, np.result_type(grad.dtype, weight.dtype))
        a, b = operand(g, dx.dtype), operand(weight, dx.dtype)
        _split(xp, lambda part: product(a, b[:, part], dx[:, part]), x.shape[-1])
        dx = dx.reshape(x.shape)
    if needs[1]:
        dweight = empty(xp, weight.shape, np.result_type(grad.dtype, x.dtype))
        c, d = operand(g, dweight.dtype), operand(rows, dweight.dtype)
        _split(xp, lambda part: product(c[:, part].T, d, dweight[part]), weight.shape[0])
    return dx, dweight, g.sum(axis=0) if needs[2] else None


def linear_naive(x: Array, weight: Array, bias: Array) -> Array:
    """y by its sum, element by element. x (N, in)."""
    y = np.empty((x.shape[0], weight.shape[0]), x.dtype)
    for n, o in np.ndindex(*y.shape):
        y[n, o] = bias[o] + sum(x[n, i] * weight[o, i] for i in range(x.shape[1]))
    return y
