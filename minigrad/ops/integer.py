"""Division with a rest, rounding, and the bits of whole numbers."""

from __future__ import annotations

from typing import Any

from ..arrays import Array, array_module, as_array
from ..core import Context, Function, Tensor
from .elementwise import operands, reflected

__all__ = ["bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "floor_divide", "remainder",
           "round"]  # fmt: skip


class Remainder(Function):
    """a - b floor(a / b), with the sign of b. floor is constant: d/da = 1, d/db = -floor(a / b)."""

    broadcasts = True

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        if a.dtype.kind != "c" and b.dtype.kind != "c":
            ctx.save(a, b)
            return array_module(a).remainder(a, b)
        ctx.save(a.real, b.real)
        return a - b * array_module(a).floor_divide(a.real, b.real)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        a, b = ctx.saved
        return grad, -grad * array_module(a).floor_divide(a, b) if ctx.needs[1] else None


class FloorDivide(Function):
    """floor(a / b). PyTorch has no derivative for it, and says so; so does this."""

    broadcasts = True

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        xp = array_module(a)
        return xp.floor_divide(a.real, b.real).astype(xp.result_type(a, b))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        raise NotImplementedError(
            "floor_divide: // has no derivative: use / for one, or detach() what is divided"
        )


class Round(Function):
    """To the nearest number of that many decimals, halves to the even one; the derivative is 0."""

    @staticmethod
    def forward(ctx: Context, a: Array, decimals: int) -> Array:
        return as_array(array_module(a).round(a.real, decimals)).astype(a.dtype)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return array_module(grad).zeros_like(grad)


def remainder(input: Any, other: Any) -> Tensor:
    """input % other, with the sign of `other`."""
    return Remainder.apply(*_divided(input, other, "remainder"))


def floor_divide(input: Any, other: Any) -> Tensor:
    """input // other, rounded down; as in PyTorch it has no derivative."""
    return FloorDivide.apply(*_divided(input, other, "floor_divide"))


def round(input: Tensor, decimals: int = 0) -> Tensor:
    """Round to `decimals` places, halves to even; the derivative is 0."""
    return Round.apply(input, decimals)


def bitwise_not(input: Tensor) -> Tensor:
    """~input: each bit of whole numbers, or not of booleans."""
    return Tensor(as_array(~_bits(input, "bitwise_not")))


def bitwise_and(input: Any, other: Any) -> Tensor:
    """input & other: bit by bit, of whole numbers or booleans."""
    return _bitwise(input, other, "bitwise_and")


def bitwise_or(input: Any, other: Any) -> Tensor:
    """input | other: bit by bit, of whole numbers or booleans."""
    return _bitwise(input, other, "bitwise_or")


def bitwise_xor(input: Any, other: Any) -> Tensor:
    """input ^ other: bit by bit, of whole numbers or booleans."""
    return _bitwise(input, other, "bitwise_xor")


def _divided(input: Any, other: Any, operation: str) -> list[Tensor]:
    """Both as tensors. A whole number divided by 0 is an error (a GPU is not waited for)."""
    a, b = operands(input, other)
    if a.dtype.kind in "biu" and b.dtype.kind in "biu" and b.device == "cpu" and not b.data.all():
        raise RuntimeError(f"{operation}: a whole number is divided by 0: use float() for inf")
    return [a, b]


def _bitwise(input: Any, other: Any, operation: str) -> Tensor:
    a, b = (_bits(t, operation) for t in operands(input, other))
    return Tensor(as_array(getattr(array_module(a), operation)(a, b)))


def _bits(tensor: Tensor, operation: str) -> Array:
    if tensor.dtype.kind not in "biu":
        raise TypeError(
            f"{operation}: got {tensor.dtype}, expected whole numbers or booleans: compare first, "
            "as in (x > 0) & (y > 0)"
        )
    return tensor.data


def _rounded(input: Tensor, ndigits: int | None = None) -> Tensor:
    """Python's `round(t)` and `round(t, 2)`, a tensor as well."""
    return round(input, ndigits or 0)


class Methods:
    """What of this file is an operator or a method of every tensor (`ops/methods.py`)."""

    bitwise_and, bitwise_not, bitwise_or = bitwise_and, bitwise_not, bitwise_or
    bitwise_xor, floor_divide, remainder, round = bitwise_xor, floor_divide, remainder, round

    __invert__, __and__, __or__, __xor__ = bitwise_not, bitwise_and, bitwise_or, bitwise_xor
    __rand__, __ror__, __rxor__ = bitwise_and, bitwise_or, bitwise_xor
    __floordiv__, __mod__ = floor_divide, remainder
    __rfloordiv__, __rmod__ = reflected(floor_divide), reflected(remainder)
    __round__ = _rounded
