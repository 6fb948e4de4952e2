"""The products of the fully connected layer, each split over the CPU threads where it is large.

Every thread computes its own slice of the result, so that nothing is summed across threads. BLAS's
own threads are left asleep: they go on spinning for a while, in the way of the next kernel's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import sums
from ...arrays import Array, array_module
from .. import linear
from ..ways import always
from .memory import empty
from .parallel import get_num_threads, one_blas_thread, over_batch
from .product import operand, product

SMALL = 2**24  # multiplications; fewer are done before another thread has begun: measured


def _split(xp: Any, multiply: Any, size: int, work: int) -> None:
    """Call `multiply(part)` for as many equal parts of range(size) as there are threads; for the
    whole where `work`, the number of multiplications, is small."""
    if xp is np and work < SMALL:
        with one_blas_thread():
            multiply(slice(None))
        return

    def task(parts: list[slice]) -> None:
        for part in parts:
            multiply(part)

    over_batch(xp, task, size, max(1, -(-size // get_num_threads()) if xp is np else size))


@linear.linear_forward.instead(always)
def forward(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """`linear_forward`."""
    xp = array_module(x)
    rows = linear.as_rows(x)
    work = len(rows) * weight.size
    dtype = np.result_type(*(a.dtype for a in (x, weight, bias) if a is not None))
    y = empty(xp, (rows.shape[0], weight.shape[0]), dtype)

    left, right = operand(rows, dtype), operand(weight, dtype).T
    _split(xp, lambda part: product(left, right[:, part], y[:, part]), len(weight), work)
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
    work = len(rows) * weight.size
    dx = dweight = None
    if needs[0]:
        dx = empty(xp, rows.shape, np.result_type(grad.dtype, weight.dtype))
        a, b = operand(g, dx.dtype), operand(weight, dx.dtype)
        _split(xp, lambda part: product(a, b[:, part], dx[:, part]), x.shape[-1], work)
        dx = dx.reshape(x.shape)
    if needs[1]:
        dweight = empty(xp, weight.shape, np.result_type(grad.dtype, x.dtype))
        c, d = operand(g, dweight.dtype), operand(rows, dweight.dtype)
        _split(xp, lambda part: product(c[:, part].T, d, dweight[part]), len(weight), work)
    return dx, dweight, sums.over(g, (0,)) if needs[2] else None
