"""Activations."""

from __future__ import annotations

from typing import Any

from .. import sums
from ..arrays import Array, array_module
from ..core import Context, Function, Tensor
from ..kernels.activation import relu_backward, relu_forward
from ..rules import check_floats, check_no_bools, check_same_kind
from .elementwise import floating

__all__ = ["leaky_relu", "prelu", "relu", "sigmoid", "tanh"]


class Relu(Function):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = relu_forward(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return relu_backward(grad, y)


class LeakyRelu(Function):
    """x where x > 0, else slope * x."""

    @staticmethod
    def forward(ctx: Context, x: Array, slope: float) -> Array:
        ctx.save(x)
        ctx.slope = slope
        return array_module(x).where(x.real > 0, x, x * slope)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (x,) = ctx.saved
        return array_module(x).where(x.real > 0, grad, grad * ctx.slope)


class Prelu(Function):
    """x where x > 0, else weight * x; weight (1,) or one for each channel (axis 1)."""

    @staticmethod
    def forward(ctx: Context, x: Array, weight: Array) -> Array:
        ctx.save(x, weight)
        return array_module(x).where(x.real > 0, x, x * _on_axis_1(weight, x.ndim))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        x, weight = ctx.saved
        xp = array_module(x)
        dx = xp.where(x.real > 0, grad, grad * _on_axis_1(weight, x.ndim))
        part = xp.where(x.real > 0, 0, grad * x)
        if weight.size == 1:
            return dx, sums.over(part, tuple(range(x.ndim)), keepdims=True).reshape(weight.shape)
        return dx, sums.over(part, tuple(i for i in range(x.ndim) if i != 1))


def _on_axis_1(weight: Array, ndim: int) -> Array:
    """View the weight (C,) or (1,) so that it meets axis 1."""
    return weight.reshape((-1,) + (1,) * (ndim - 2) if ndim > 1 else ())


class Sigmoid(Function):
    """1 / (1 + exp(-x)), as exp(x) / (1 + exp(x)) for x < 0: nothing overflows."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        xp = array_module(x)
        small = xp.exp(xp.where(x.real < 0, x, -x))
        y = xp.where(x.real < 0, small, 1) / (1 + small)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad * y * (1 - y)


class Tanh(Function):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = array_module(x).tanh(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad * (1 - y * y)


def _not_in_place(operation: str, inplace: bool) -> None:
    if inplace:
        raise NotImplementedError(f"{operation}: inplace=True is not supported")


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0); the derivative at 0 is 0."""
    _not_in_place("relu", inplace)
    check_no_bools("relu", input)
    return Relu.apply(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where positive, else negative_slope * input."""
    _not_in_place("leaky_relu", inplace)
    check_floats("leaky_relu", input)
    return LeakyRelu.apply(input, negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """input where positive, else weight * input; weight (1,) or one for each channel (axis 1)."""
    check_same_kind("prelu", input=input, weight=weight)
    check_floats("prelu", input)
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise RuntimeError(
            f"prelu: weight has shape {weight.shape}, expected (1,) or ({channels},)"
        )
    return Prelu.apply(input, weight)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input))."""
    return Sigmoid.apply(floating(input))


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return Tanh.apply(floating(input))


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    relu, sigmoid, tanh = relu, sigmoid, tanh
