"""The length of a vector."""

from __future__ import annotations

import math
from typing import Any

from .. import sums
from ..arrays import Array, array_module, as_array
from ..core import Context, Function, Tensor
from .elementwise import abs, magnitude, sign
from .reduce import Dim, axes_of, extreme

__all__ = ["norm"]


class Norm(Function):
    """(sum of |a|^p)^(1/p). d/da = sign(a) |a|^(p-1) y^(1-p), and 0 where a is 0."""

    @staticmethod
    def forward(ctx: Context, a: Array, p: float, axes: tuple[int, ...], keepdim: bool) -> Array:
        xp, size = array_module(a), magnitude(a)
        if p == 2:
            y = xp.sqrt(sums.over(size * size, axes, keepdims=True))
        else:
            y = sums.over(size**p, axes, keepdims=True) ** (1 / p)
        ctx.save(a, y)
        ctx.p = p
        return y if keepdim else y.squeeze(axes)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        a, y = ctx.saved
        whole = grad.reshape(y.shape) * y ** (1 - ctx.p)
        slope = whole * sign(a) * magnitude(a) ** (ctx.p - 1)
        return array_module(a).where(a.real == 0, 0, slope)


class Count(Function):
    """How many elements are not 0; its derivative is 0."""

    operation = "norm"

    @staticmethod
    def forward(ctx: Context, a: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.shape = a.shape
        return as_array((a != 0).sum(axis=axes, keepdims=keepdim)).astype(a.dtype)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return array_module(grad).zeros(ctx.shape, grad.dtype)


def norm(input: Tensor, p: Any = "fro", dim: Dim = None, keepdim: bool = False) -> Tensor:
    """`(sum of abs(input)^p)^(1/p)` over all elements or the axes `dim`; "fro" is 2, inf the
    largest, -inf the smallest, 0 the count of what is not 0. The derivative at 0 is 0."""
    if input.dtype.kind not in "fc":
        raise RuntimeError(f"norm: got {input.dtype}, expected floats: use tensor.float().norm()")
    if p not in ("fro", None) and not isinstance(p, int | float):
        raise NotImplementedError(f"norm: p={p!r} is not supported: use a number or 'fro'")
    order = 2.0 if p in ("fro", None) else float(p)
    if math.isinf(order):
        return extreme(abs(input), dim, keepdim, 1 if order > 0 else -1)
    axes = axes_of(dim, input.ndim, "norm")
    if order == 0:
        return Count.apply(input, axes, keepdim)
    return Norm.apply(input, order, axes, keepdim)


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    norm = norm
