"""Arithmetic element by element, with broadcasting; the engine sums gradients back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import arrays
from ..arrays import DEFAULT_DTYPE, Array, array_module
from ..core import Context, Function, Tensor
from ..rules import check_no_bools

__all__ = [
    "abs", "add", "astype", "clone", "div", "exp", "log", "mul", "neg", "pow", "sqrt", "sub",
    "to_device",
]  # fmt: skip


_NUMBERS = (int, float, complex)


def operands(*values: Any) -> list[Tensor]:
    """Turn numbers and arrays into tensors on the device and of the float dtype of the tensors.

    A number never changes a dtype; an integer tensor meeting floats becomes a float one.
    """
    tensors = [v for v in values if isinstance(v, Tensor)]
    if len(tensors) == len(values) and len({t.data.dtype for t in tensors}) == 1:
        return tensors  # as nearly always
    floats = [t for t in tensors if t.data.dtype.kind in "fc"]
    device = tensors[0].device if tensors else "cpu"
    fractional = any(isinstance(v, float | complex | np.inexact) for v in values)
    if floats:
        dtype: Any = floats[0].dtype
    else:
        dtype = DEFAULT_DTYPE if fractional else None

    def convert(value: Any) -> Tensor:
        if isinstance(value, _NUMBERS):
            return _number(value, np.asarray(value), tensors, dtype, device)
        if not isinstance(value, Tensor):
            try:
                array = arrays.from_outside(value)
            except TypeError as error:
                raise TypeError(f"a tensor and {value!r}: {error}") from error
            if array.ndim == 0 or isinstance(value, list | tuple):
                return _number(value, array, tensors, dtype, device)
            value = Tensor(array)
        tensor: Tensor = value
        if dtype is not None and tensor.dtype.kind not in "fc":
            return Tensor(tensor.data.astype(dtype))
        return tensor

    return [convert(v) for v in values]


def _number(value: Any, number: Any, tensors: list[Tensor], dtype: Any, device: str) -> Tensor:
    """A number among tensors, whose dtype it takes: `dtype` where they are floats."""
    if dtype is not None:
        number = number.astype(complex_like(dtype, number))
    elif number.dtype.kind in "uO" and isinstance(value, int):  # what Python counts beyond int64
        raise OverflowError(f"{value} does not fit into int64, which whole numbers have")
    elif tensors and tensors[0].dtype.kind in "iu" and number.dtype.kind in "iu":
        number = number.astype(tensors[0].dtype)
    return Tensor(arrays.number_on(number, device))


def complex_like(dtype: Any, number: Any) -> Any:
    """The dtype for a number among tensors of `dtype`: complex of its width if it is complex."""
    return np.result_type(dtype, np.complex64) if number.dtype.kind == "c" else dtype


class Add(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        return a + b

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        return grad, grad


class Sub(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        return a - b

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        return grad, -grad if ctx.needs[1] else None


class Mul(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        ctx.save(a if ctx.needs[1] else None, b if ctx.needs[0] else None)
        return a * b

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        a, b = ctx.saved
        return grad * b if ctx.needs[0] else None, grad * a if ctx.needs[1] else None


class Div(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        ctx.save(a if ctx.needs[1] else None, b)
        return a / b

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        a, b = ctx.saved
        quotient = grad / b
        return quotient, -quotient * (a / b) if ctx.needs[1] else None


class Neg(Function):
    @staticmethod
    def forward(ctx: Context, a: Array) -> Array:
        return -a

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return -grad


class Pow(Function):
    """a ** b. d/da = b a^(b-1); d/db = a^b ln a, and 0 where a = 0 <= b (as PyTorch)."""

    broadcasts = True

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        y = a**b
        ctx.save(a, b, y if ctx.needs[1] else None)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        a, b, y = ctx.saved
        xp = array_module(grad)
        da = db = None
        if ctx.needs[0]:  # b = 0 has derivative 0 even where a = 0
            da = xp.where(b == 0, 0, grad * b * a ** xp.where(b == 0, 1, b - 1))
        if ctx.needs[1]:
            zero = (a == 0) & (b.real >= 0)
            db = xp.where(zero, 0, grad * y * xp.log(xp.where(zero, 1, a)))
        return da, db


class Exp(Function):
    @staticmethod
    def forward(ctx: Context, a: Array) -> Array:
        y = array_module(a).exp(a)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad * y


class Log(Function):
    @staticmethod
    def forward(ctx: Context, a: Array) -> Array:
        ctx.save(a)
        return array_module(a).log(a)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (a,) = ctx.saved
        return grad / a


class Sqrt(Function):
    @staticmethod
    def forward(ctx: Context, a: Array) -> Array:
        y = array_module(a).sqrt(a)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad / (2 * y)


class Abs(Function):
    """|a| with derivative 0 at 0 and (as in PyTorch) at NaN."""

    @staticmethod
    def forward(ctx: Context, a: Array) -> Array:
        ctx.save(a)
        return magnitude(a)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (a,) = ctx.saved
        return grad * sign(a)


def magnitude(a: Array) -> Array:
    """|a|. Of a complex number: the sign of its real part is flipped off, which is the analytic
    continuation that the complex step needs."""
    xp = array_module(a)
    return a * xp.sign(a.real) if a.dtype.kind == "c" else xp.abs(a)


def sign(a: Array) -> Array:
    """1, 0 or -1 by the real part; 0 of NaN."""
    xp = array_module(a)
    return xp.nan_to_num(xp.sign(a.real))


class Astype(Function):
    casts = True

    @staticmethod
    def forward(ctx: Context, a: Array, dtype: Any) -> Array:
        ctx.dtype = a.dtype
        return a.astype(dtype)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return grad.astype(ctx.dtype)


class ToDevice(Function):
    @staticmethod
    def forward(ctx: Context, a: Array, device: str) -> Array:
        ctx.device = arrays.device_of(a)
        return arrays.to_device(a, device)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return arrays.to_device(grad, ctx.device)


class Clone(Function):
    @staticmethod
    def forward(ctx: Context, a: Array) -> Array:
        return a.copy()

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return grad


def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input + alpha * other."""
    if alpha != 1:
        other = mul(other, alpha)
    return Add.apply(*operands(input, other))


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input - alpha * other."""
    if alpha != 1:
        other = mul(other, alpha)
    return Sub.apply(*operands(input, other))


def mul(input: Any, other: Any) -> Tensor:
    """input * other."""
    return Mul.apply(*operands(input, other))


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; integers become float32 first. Raises NotImplementedError for a rounding."""
    if rounding_mode is not None:
        raise NotImplementedError(
            f"div: rounding_mode={rounding_mode!r} is not supported: a // b rounds down"
        )
    a, b = operands(input, other)
    return Div.apply(*(t if t.dtype.kind in "fc" else astype(t, DEFAULT_DTYPE) for t in (a, b)))


def pow(input: Any, exponent: Any) -> Tensor:
    """input ** exponent."""
    base, power = operands(input, exponent)
    if base.dtype.kind == power.dtype.kind == "b":
        check_no_bools("pow", base)
    return Pow.apply(base, power)


def neg(input: Tensor) -> Tensor:
    """-input."""
    check_no_bools("neg", input)
    return Neg.apply(input)


def exp(input: Tensor) -> Tensor:
    """e ** input."""
    return Exp.apply(floating(input))


def log(input: Tensor) -> Tensor:
    """Natural logarithm."""
    return Log.apply(floating(input))


def sqrt(input: Tensor) -> Tensor:
    """Square root."""
    return Sqrt.apply(floating(input))


def abs(input: Tensor) -> Tensor:
    """Absolute value; its derivative at 0 is 0."""
    check_no_bools("abs", input)
    return Abs.apply(input)


def astype(input: Tensor, dtype: Any) -> Tensor:
    """The tensor with another dtype; itself if it has it already."""
    return input if input.dtype == dtype else Astype.apply(input, dtype)


def to_device(input: Tensor, device: str) -> Tensor:
    """The tensor on another device; itself if it is there already."""
    return input if input.device == device else ToDevice.apply(input, device)


def clone(input: Tensor) -> Tensor:
    """A copy that is part of the graph."""
    return Clone.apply(input)


def floating(input: Tensor) -> Tensor:
    """The tensor, or a float32 one of whole numbers, for operations that promote them."""
    return input if input.dtype.kind in "fc" else astype(input, DEFAULT_DTYPE)


def reflected(operation: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
    """The operator's method of the right operand: `2 - x` is `x.__rsub__(2)`."""
    return lambda input, other: operation(other, input)


class Methods:
    """What of this file is an operator or a method of every tensor (`ops/methods.py`)."""

    abs, add, clone, div, exp, log = abs, add, clone, div, exp, log
    mul, neg, pow, sqrt, sub = mul, neg, pow, sqrt, sub

    __add__, __sub__, __mul__, __truediv__, __pow__ = add, sub, mul, div, pow
    __radd__, __rsub__, __rmul__ = reflected(add), reflected(sub), reflected(mul)
    __rtruediv__, __rpow__ = reflected(div), reflected(pow)
    __neg__, __abs__ = neg, abs
