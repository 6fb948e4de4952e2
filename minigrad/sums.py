"""Sums over any axes that are as near to the exact ones as float32 can hold.

NumPy adds in a tree along what is contiguous in memory. Along other axes it adds one number after
the other: the mean over the rows of a (4,000,000, 2) array of 0.1 is off by 4 %.
"""

from __future__ import annotations

import numpy as np

from .arrays import Array

_IN_A_ROW = 64  # so many may be added one after the other: less than 1e-6 is lost
_FEW = 8192  # so many are added in float64 at once


def over(a: Array, axes: tuple[int, ...], keepdims: bool = False) -> Array:
    """`a.sum(axes, keepdims=keepdims)` whose rounding error does not grow with the length.

    Twice at most an axis is cut into sixteen parts that are added to each other, in long loops over
    contiguous memory; what is left, a 16th or a 256th, is added in float64.
    """
    if not isinstance(a, np.ndarray) or _is_near(a, axes):
        return a.sum(axis=axes, keepdims=keepdims)
    rounds = 0
    for axis in sorted(axes, key=lambda axis: -abs(a.strides[axis])):
        while a.size > _FEW and a.shape[axis] >= _IN_A_ROW // 2 and rounds < 2:
            a, rounds = _sixteen_parts(a.swapaxes(0, axis)).swapaxes(0, axis), rounds + 1
    wide = np.float64 if a.dtype.kind == "f" else np.complex128
    return a.sum(axis=axes, keepdims=keepdims, dtype=wide).astype(a.dtype)


def _is_near(a: Array, axes: tuple[int, ...]) -> bool:
    """Whether NumPy's own sum is near enough: whole numbers, or few that are added in a row."""
    if len(axes) == 1:  # the usual cases, at once
        (axis,) = axes
        if a.strides[axis] == a.itemsize or a.shape[axis] <= _IN_A_ROW:
            return True
    elif len(axes) == a.ndim and a.flags.forc:
        return True
    return a.dtype.kind not in "fc" or _in_a_row(a, axes) <= _IN_A_ROW


def _in_a_row(a: Array, axes: tuple[int, ...]) -> int:
    """How many numbers NumPy's sum adds one after the other: all but those of the run through
    memory that its innermost loop takes."""
    order = sorted((i for i, n in enumerate(a.shape) if n != 1), key=lambda i: abs(a.strides[i]))
    run, count = 0, 1
    for i in order:
        if i in axes and (run == 0 or abs(a.strides[i]) == run) and a.strides[i]:
            run = abs(a.strides[i]) * a.shape[i]
        else:
            run = -1
            count *= a.shape[i] if i in axes else 1
    return count


def _sixteen_parts(a: Array) -> Array:
    """`a` with axis 0 a sixteenth as long and the same sum over it."""
    rows = len(a) // 16
    parts = a[: 16 * rows].reshape(16, rows, *a.shape[1:]).sum(axis=0)
    parts[0] += a[16 * rows :].sum(axis=0)
    return parts
