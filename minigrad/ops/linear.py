"""Matrix products."""

from __future__ import annotations

from typing import Any

from .. import rules
from ..arrays import Array
from ..core import Context, Function, Tensor, unbroadcast
from ..kernels.linear import linear_backward, linear_forward
from ..kernels.product import matmul as product

__all__ = ["linear", "matmul"]


class Matmul(Function):
    """a @ b with batch dimensions that broadcast; 1-d arguments as in NumPy and PyTorch."""

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        ctx.save(a, b)
        return product(a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        a, b = ctx.saved
        # A vector is a matrix of one row (left) or one column (right) whose axis was dropped.
        left = a[None, :] if a.ndim == 1 else a
        right = b[:, None] if b.ndim == 1 else b
        if a.ndim == 1:
            grad = grad[..., None, :] if b.ndim > 1 else grad[..., None]
        if b.ndim == 1:
            grad = grad[..., None]
        da = db = None
        if ctx.needs[0]:
            da = product(grad, right.swapaxes(-1, -2))
            da = unbroadcast(da, left.shape).reshape(a.shape)
        if ctx.needs[1]:
            db = product(left.swapaxes(-1, -2), grad)
            db = unbroadcast(db, right.shape).reshape(b.shape)
        return da, db


class Linear(Function):
    @staticmethod
    def forward(ctx: Context, x: Array, weight: Array, bias: Array | None) -> Array:
        ctx.save(x, weight)
        return linear_forward(x, weight, bias)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        x, weight = ctx.saved
        return linear_backward(grad, x, weight, ctx.needs)  # type: ignore[arg-type]


def matmul(input: Any, other: Any) -> Tensor:
    """Matrix product of the last two axes; the others broadcast."""
    tensors = [t if isinstance(t, Tensor) else Tensor(t) for t in (input, other)]
    a, b = tensors
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError("matmul: a number has no matrix product: use *")
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        raise RuntimeError(
            f"matmul: shapes {a.shape} and {b.shape} do not fit: {a.shape[-1]} != {inner}"
        )
    return Matmul.apply(a, b)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input weight^T + bias. input (..., in), weight (out, in), bias (out,) -> (..., out)."""
    if weight.ndim != 2 or input.ndim < 1 or input.shape[-1] != weight.shape[1]:
        raise RuntimeError(
            f"linear: input of shape {input.shape} and weight of shape {weight.shape} do not fit: "
            "expected (..., in) and (out, in)"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise RuntimeError(f"linear: bias has shape {bias.shape}, expected {weight.shape[:1]}")
    if input.data.dtype.kind in "biu":
        raise TypeError(rules.describe_dtypes(Linear, [(0, input), (1, weight)]))
    return Linear.apply(input, weight, bias)


class Methods:
    """What of this file is an operator or a method of every tensor (`ops/methods.py`)."""

    matmul = matmul
    __matmul__ = matmul

    def __rmatmul__(self, other: Any) -> Tensor:
        return matmul(other, self)
