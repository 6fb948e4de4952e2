"""Sums, means and extremes over axes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import arrays, sums
from ..arrays import Array, array_module, as_array
from ..core import Context, Function, Tensor
from ..rules import check_floats, check_tensor
from .choice import maximum, minimum
from .elementwise import Sqrt, astype, clone, mul, sub

__all__ = ["amax", "amin", "argmax", "argmin", "max", "mean", "min", "std", "sum", "var"]

Dim = int | tuple[int, ...] | None


def axes_of(dim: Any, ndim: int, operation: str) -> tuple[int, ...]:
    """Return the axes as a sorted tuple of non-negative integers. Raises IndexError."""
    if dim is None:
        return tuple(range(ndim))
    given = (dim,) if type(dim) is int else arrays.integers((dim,), f"{operation}: dim")
    if isinstance(dim, bool) or (isinstance(dim, tuple | list) and any(d is True for d in dim)):
        raise TypeError(f"{operation}: dim is {dim}, expected integers")
    for axis in given:
        if not -(ndim or 1) <= axis < (ndim or 1):
            raise IndexError(f"{operation}: dim {axis} is out of range for {ndim} dimensions")
    axes = tuple(sorted(axis % ndim for axis in given)) if ndim else ()
    if len(set(axes)) != len(axes):
        raise ValueError(f"{operation}: dim {dim} names an axis twice")
    return axes


def _expanded(grad: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """A reduced array viewed at the shape from before the reduction."""
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return array_module(grad).broadcast_to(grad.reshape(kept), shape)


class Sum(Function):
    @staticmethod
    def forward(ctx: Context, a: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.shape, ctx.axes = a.shape, axes
        return sums.over(a, axes, keepdim)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return _expanded(grad, ctx.shape, ctx.axes)


class Deviation(Sqrt):
    """The root of a variance. Where that is 0 its slope is infinite and the gradient of what it
    came from 0; PyTorch settles their product as 0."""

    operation = "std"

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        xp = array_module(y)
        return xp.where(y == 0, 0, grad / xp.where(y == 0, 1, 2 * y))


class Extreme(Function):
    """The largest (sign = 1) or smallest (-1) by real part; ties share the gradient equally. Where
    there are NaN, they share it (`to_nan`), or it is NaN: PyTorch's max() does one, amax the other.
    """

    @staticmethod
    def forward(
        ctx: Context, a: Array, axes: tuple[int, ...], keepdim: bool, sign: int, to_nan: bool
    ) -> Array:
        xp = array_module(a)
        ctx.shape, ctx.axes = a.shape, axes
        best = (xp.max if sign > 0 else xp.min)(a.real, axis=axes, keepdims=True)
        if a.dtype.kind not in "fc":  # no derivative; in uint8 the winners could not be counted
            return best.reshape(_reduced(a.shape, axes, keepdim))
        winner = a.real == best
        if to_nan:
            winner |= xp.isnan(a.real)
        share = winner / winner.sum(axis=axes, keepdims=True).astype(a.real.dtype)
        ctx.save(share.astype(a.real.dtype))
        y = (a * share).sum(axis=axes, keepdims=keepdim) if a.dtype.kind == "c" else best
        return y.astype(a.dtype).reshape(_reduced(a.shape, axes, keepdim))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (share,) = ctx.saved
        return _expanded(grad, ctx.shape, ctx.axes) * share


class Take(Function):
    """One element along an axis for each place of the others, by index."""

    @staticmethod
    def forward(ctx: Context, a: Array, index: Array, axis: int) -> Array:
        ctx.save(index)
        ctx.shape, ctx.axis = a.shape, axis
        return array_module(a).take_along_axis(a, index, axis)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (index,) = ctx.saved
        xp = array_module(grad)
        places = xp.arange(ctx.shape[ctx.axis]).reshape(
            [-1 if i == ctx.axis else 1 for i in range(len(ctx.shape))]
        )
        return xp.where(places == index, grad, 0)


class Extremum(NamedTuple):
    """What `max(dim=...)` and `min(dim=...)` return."""

    values: Tensor
    indices: Tensor


def _reduced(shape: tuple[int, ...], axes: tuple[int, ...], keepdim: bool) -> tuple[int, ...]:
    return tuple(1 if i in axes else n for i, n in enumerate(shape) if keepdim or i not in axes)


def sum(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Sum over all elements, or over the axes `dim`."""
    if input.dtype.kind in "biu":
        input = astype(input, np.dtype(np.int64))
    return Sum.apply(input, axes_of(dim, input.ndim, "sum"), keepdim)


def mean(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Mean over all elements, or over the axes `dim`; for float tensors."""
    if input.dtype.kind not in "fc":
        raise RuntimeError(f"mean: got {input.dtype}, expected floats: use tensor.float().mean()")
    axes = axes_of(dim, input.ndim, "mean")
    count = math.prod(input.shape[i] for i in axes)
    return mul(Sum.apply(input, axes, keepdim), 1.0 / count if count else math.nan)


def var(
    input: Tensor, dim: Dim = None, correction: int | None = 1, keepdim: bool = False, *,
    unbiased: bool | None = None,
) -> Tensor:  # fmt: skip
    """Variance over the axes `dim`, divided by n - correction (None: 1). `unbiased` is the older
    name of a correction of 1 or 0; PyTorch's var(True) means that, too."""
    check_floats("var", input)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    correction = 1 if correction is None else correction
    axes = axes_of(dim, input.ndim, "var")
    count = math.prod(input.shape[i] for i in axes)
    centred = sub(input, mean(input, axes, keepdim=True))
    scale = 1.0 / (count - correction) if count > correction else math.nan
    return mul(sum(mul(centred, centred), axes, keepdim), scale)


def std(
    input: Tensor, dim: Dim = None, correction: int | None = 1, keepdim: bool = False, *,
    unbiased: bool | None = None,
) -> Tensor:  # fmt: skip
    """Standard deviation, as `var`; where all are equal, the gradient is 0."""
    check_floats("std", input)
    return Deviation.apply(var(input, dim, correction, keepdim, unbiased=unbiased))


def amax(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Largest element over the axes `dim`; ties share the gradient."""
    return extreme(input, dim, keepdim, 1, to_nan=False)


def amin(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Smallest element over the axes `dim`; ties share the gradient."""
    return extreme(input, dim, keepdim, -1, to_nan=False)


def max(input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False) -> Any:
    """Largest element, or (values, indices) along one axis; the gradient goes to the index. Of two
    tensors their `maximum`."""
    if isinstance(dim, Tensor):
        return maximum(input, dim)
    return extreme(input, dim, False, 1) if dim is None else _along(input, dim, keepdim, 1)


def min(input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False) -> Any:
    """Smallest element, or (values, indices) along one axis; the gradient goes to the index. Of two
    tensors their `minimum`."""
    if isinstance(dim, Tensor):
        return minimum(input, dim)
    return extreme(input, dim, False, -1) if dim is None else _along(input, dim, keepdim, -1)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index (int64) of the first largest element, flat or along one axis."""
    return _arg(input, dim, keepdim, "argmax")


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index (int64) of the first smallest element, flat or along one axis."""
    return _arg(input, dim, keepdim, "argmin")


def extreme(
    input: Tensor, dim: Dim, keepdim: bool, sign: int, to_nan: bool = True
) -> Tensor:
    """The largest (sign = 1) or smallest (-1) element over the axes `dim`; see `Extreme`."""
    axes = axes_of(dim, input.ndim, "amax" if sign > 0 else "amin")
    if any(input.shape[i] == 0 for i in axes):
        raise IndexError(f"an extreme over an empty axis of shape {input.shape} does not exist")
    return Extreme.apply(input, axes, keepdim, sign, to_nan)


def _along(input: Tensor, dim: int, keepdim: bool, sign: int) -> Extremum:
    axes = axes_of(dim, input.ndim, "max" if sign > 0 else "min")
    if not axes:
        return Extremum(clone(input), _arg(input, None, False, "argmax"))
    (axis,) = axes
    index = _arg(input, dim, True, "argmax" if sign > 0 else "argmin")
    values = Take.apply(input, index.data.copy(), axis)  # the caller may edit the indices
    shape = _reduced(input.shape, (axis,), keepdim)
    return Extremum(values.reshape(shape), index.reshape(shape))


def _arg(input: Tensor, dim: int | None, keepdim: bool, how: str) -> Tensor:
    check_tensor(how, input)
    xp = array_module(input.data)
    axes = () if dim is None else axes_of(dim, input.ndim, how)
    axis = axes[0] if axes else None
    index = as_array(getattr(xp, how)(input.data.real, axis=axis)).astype("int64")
    if keepdim:
        axes = tuple(range(input.ndim)) if axis is None else (axis,)
        index = index.reshape(_reduced(input.shape, axes, True))
    return Tensor(index)


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    amax, amin, argmax, argmin, max = amax, amin, argmax, argmin, max
    mean, min, std, sum, var = mean, min, std, sum, var
