"""Sorting."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Array, array_module
from ..core import Context, Function, Tensor
from ..rules import check_tensor
from .reduce import axes_of
from .shape import getitem

__all__ = ["argsort", "sort", "topk"]


class Sort(Function):
    """The elements along an axis in the order of `index`, which holds each place once."""

    @staticmethod
    def forward(ctx: Context, a: Array, index: Array, axis: int) -> Array:
        ctx.save(index)
        ctx.axis = axis
        return array_module(a).take_along_axis(a, index, axis)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (index,) = ctx.saved
        xp = array_module(grad)
        return xp.take_along_axis(grad, xp.argsort(index, axis=ctx.axis), ctx.axis)


class Sorted(NamedTuple):
    """What `sort` and `topk` return."""

    values: Tensor
    indices: Tensor


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Sorted:
    """(values, indices) in order along an axis; NaN is the largest. Always stable."""
    check_tensor("sort", input)
    if input.ndim == 0:
        return Sorted(*(t.reshape(()) for t in sort(input.reshape(1), 0, descending)))
    (axis,) = axes_of(dim, input.ndim, "sort")
    index = _order(input.data.real, axis, descending)
    return Sorted(Sort.apply(input, index.copy(), axis), Tensor(index))  # the caller may edit it


def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False
) -> Tensor:
    """The indices (int64) that sort along an axis; NaN is the largest. Always stable."""
    check_tensor("argsort", input)
    return sort(input.detach(), dim, descending).indices


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Sorted:
    """(values, indices) of the k largest or smallest along an axis, in order."""
    check_tensor("topk", input)
    (axis,) = axes_of(dim, input.ndim, "topk") or (0,)
    size = input.shape[axis] if input.ndim else 1
    if not 0 <= k <= size:
        raise ValueError(f"topk: k is {k}, expected 0 to {size}, the size of dim {dim}")
    both = sort(input, dim, descending=largest)
    if input.ndim == 0:
        return both
    first = (slice(None),) * axis + (slice(k),)
    return Sorted(*(getitem(t, first) for t in both))


def _order(values: Array, axis: int, descending: bool) -> Array:
    """The indices that sort. Descending is ascending from behind, so that ties keep their order."""
    xp, last = array_module(values), values.shape[axis] - 1
    if descending:
        values = xp.flip(values, axis)
    index = xp.argsort(values, axis=axis, kind="stable").astype(np.int64)
    return last - xp.flip(index, axis) if descending else index


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    argsort, sort, topk = argsort, sort, topk
