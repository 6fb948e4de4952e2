"""One of several numbers in each place: the larger, what lies within bounds, by a condition."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array, array_module
from ..core import Context, Function, Tensor
from .elementwise import astype, floating, operands

__all__ = ["clamp", "clip", "maximum", "minimum", "where"]


class Maximum(Function):
    """The larger of two by real part; a tie gives half the gradient to each (as PyTorch)."""

    broadcasts = True

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        ctx.save(a, b)
        xp = array_module(a)
        return xp.where((a.real > b.real) | _is_nan(a), a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        a, b = ctx.saved
        return _to_larger(grad, a, b), _to_larger(grad, b, a)


class Minimum(Function):
    """The smaller of two by real part; a tie gives half the gradient to each (as PyTorch)."""

    broadcasts = True

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        ctx.save(a, b)
        return array_module(a).where((a.real < b.real) | _is_nan(a), a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        a, b = ctx.saved
        return _to_larger(grad, b, a), _to_larger(grad, a, b)


def _to_larger(grad: Array, a: Array, b: Array) -> Array:
    """0 where a < b, half the gradient in a tie, else the gradient, also where one is NaN."""
    xp = array_module(grad)
    return xp.where(a.real < b.real, 0, xp.where(a.real == b.real, grad * 0.5, grad))


def _is_nan(a: Array) -> Array:
    """Where the real part is NaN, which is passed on, as PyTorch does."""
    return a.real != a.real


class Clamp(Function):
    """min <= a <= max by real part; the gradient passes inside and on the bounds (as PyTorch)."""

    @staticmethod
    def forward(ctx: Context, a: Array, low: float | None, high: float | None) -> Array:
        xp = array_module(a)
        inside = xp.ones(a.shape, dtype=bool)
        if low is not None:
            inside &= a.real >= low
        if high is not None:
            inside &= a.real <= high
        ctx.save(inside)
        ends = a.real if low is None else xp.maximum(a.real, a.real.dtype.type(low))
        ends = ends if high is None else xp.minimum(ends, ends.dtype.type(high))
        return xp.where(inside, a, ends)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (inside,) = ctx.saved
        return array_module(grad).where(inside, grad, 0)


class ClampBetween(Function):
    """`Clamp` to arrays, either may be None. What is no longer `a` has its gradient from the bound
    that it is, which is `high` where the bounds are the wrong way round (as in PyTorch)."""

    broadcasts = True
    operation = "clamp"

    @staticmethod
    def forward(ctx: Context, a: Array, low: Array | None, high: Array | None) -> Array:
        xp = array_module(a)
        above = False if high is None else a.real > high.real
        if low is not None and high is not None:
            above |= low.real > high.real
        below = False if low is None else (a.real < low.real) & xp.logical_not(above)
        ctx.save(xp.asarray(below), xp.asarray(above))
        y = a if low is None else xp.where(below | xp.isnan(low.real), low, a)
        return y if high is None else xp.where(above | xp.isnan(high.real), high, y)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        below, above = ctx.saved
        xp = array_module(grad)
        inside = xp.logical_not(below | above)
        return tuple(
            xp.where(mask, grad, 0) if need else None
            for need, mask in zip(ctx.needs, (inside, below, above), strict=True)
        )


class Where(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx: Context, condition: Array, a: Array, b: Array) -> Array:
        ctx.save(condition)
        return array_module(a).where(condition, a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        (condition,) = ctx.saved
        xp = array_module(grad)
        return None, xp.where(condition, grad, 0), xp.where(condition, 0, grad)


def maximum(input: Any, other: Any) -> Tensor:
    """The larger of two, element by element."""
    return Maximum.apply(*operands(input, other))


def minimum(input: Any, other: Any) -> Tensor:
    """The smaller of two, element by element."""
    return Minimum.apply(*operands(input, other))


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limit to [min, max]: numbers, or tensors that broadcast, which may get a gradient; either
    may be None."""
    if min is None and max is None:
        raise ValueError("clamp: give min, max or both")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        input, *bounds = operands(input, *(v for v in (min, max) if v is not None))
        low = None if min is None else bounds.pop(0)
        return ClampBetween.apply(input, low, bounds.pop() if bounds else None)
    if isinstance(min, float | np.floating) or isinstance(max, float | np.floating):
        input = floating(input)
    if input.dtype.kind == "b":
        input = astype(input, np.dtype(np.int64))
    if input.dtype.kind in "iu":  # a bound that the dtype cannot hold is as good as its last number
        ends = np.iinfo(input.dtype)
        min, max = (None if m is None else int(np.clip(m, ends.min, ends.max)) for m in (min, max))
    return Clamp.apply(input, min, max)


clip = clamp


def where(condition: Any, input: Any, other: Any) -> Tensor:
    """input where condition, else other."""
    a, b = operands(input, other)
    (c,) = operands(condition)
    return Where.apply(Tensor(c.data.astype(bool)), a, b)


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    clamp, clip, maximum, minimum = clamp, clip, maximum, minimum
