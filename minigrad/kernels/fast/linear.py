"""The products of the fully connected layer, each split over the CPU threads.

Every thread computes its own slice of the result, so that nothing is summed across threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import sums
from ...arrays import Array, array_module
from .. import linear
from ..ways import always
from .memory import empty, scratch
from .parallel import get_num_threads, over_batch
from .product import operand, product


def _split(xp: Any, multiply: Any, size: int) -> None:
    """Call `multiply(part)` for as many equal parts of range(size) as there are threads."""

    def task(parts: list[slice]) -> None:
        for part in parts:
            multiply(part)

    over_batch(xp, task, size, max(1, -(-size // get_num_threads()) if xp is np else size))


@linear.linear_forward.instead(always)
def forward(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """`linear_forward`."""
    xp = array_module(x)
    rows = linear.as_rows(x)
    dtype = np.result_type(*(a.dtype for a in (x, weight, bias) if a is not None))
    y = empty(xp, (rows.shape[0], weight.shape[0]), dtype)

    left, right = operand(weight, dtype), operand(rows, dtype).T

    def multiply(part: slice) -> None:
        # weight x^T, turned round: BLAS is a fifth faster when the large matrix stands in front
        shape = (weight[part].shape[0], rows.shape[0])
        y[:, part] = product(left[part], right, scratch(xp, "linear", shape, dtype)).T

    _split(xp, multiply, weight.shape[0])
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], weight.shape[0])


@linear.linear_backward.instead(always)
def backward(
    grad: Array, x: Array, weight: Array, needs: tuple[bool, bool, bool] = (True, True, True)
) -> tuple[Array | None, Array | None, Array | None]:
    """`linear_backward`."""
    xp = array_module(grad)
    g, rows = linear.as_rows(grad), linear.as_rows(x)
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
    return dx, dweight, sums.over(g, (0,)) if needs[2] else None
