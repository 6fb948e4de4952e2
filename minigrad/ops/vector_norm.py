"""The length of a vector."""

from __future__ import annotations

import math
from typing import Any

from .. import sums
from ..arrays import Array, array_module
from ..core import Context, Function, Tensor
from .elementwise import abs, astype, ne
from .reduce import Dim, amax, amin, axes_of, sum

__all__ = ["norm"]


class Norm(Function):
    """(sum of |a|^p)^(1/p). d/da = sign(a) |a|^(p-1) y^(1-p), and 0 where a is 0."""

    @staticmethod
    def forward(ctx: Context, a: Array, p: float, axes: tuple[int, ...], keepdim: bool) -> Array:
        xp = array_module(a)
        size = a * xp.sign(a.real)
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
        xp = array_module(a)
        sign = xp.sign(a.real)
        whole = grad.reshape(y.shape) * y ** (1 - ctx.p)
        return xp.where(sign == 0, 0, whole * sign * (a * sign) ** (ctx.p - 1))


def norm(input: Tensor, p: Any = "fro", dim: Dim = None, keepdim: bool = False) -> Tensor:
    """`(sum of abs(input)^p)^(1/p)` over all elements or the axes `dim`; "fro" is 2, inf the
    largest, -inf the smallest, 0 the count of what is not 0. The derivative at 0 is 0."""
    if input.dtype.kind not in "fc":
        raise RuntimeError(f"norm: got {input.dtype}, expected floats: use tensor.float().norm()")
    if p not in ("fro", None) and not isinstance(p, int | float):
        raise NotImplementedError(f"norm: p={p!r} is not supported: use a number or 'fro'")
    order = 2.0 if p in ("fro", None) else float(p)
    if math.isinf(order):
        return (amax if order > 0 else amin)(abs(input), dim, keepdim)
    if order == 0:
        return astype(sum(ne(input, 0), dim, keepdim), input.dtype)
    return Norm.apply(input, order, axes_of(dim, input.ndim, "norm"), keepdim)


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    norm = norm
