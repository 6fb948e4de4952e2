"""Activations."""

from __future__ import annotations

from typing import Any

from ..arrays import Array
from ..core import Context, Function, Tensor
from ..kernels import activation as kernel

__all__ = ["leaky_relu", "prelu", "relu", "sigmoid", "tanh"]


class Relu(Function):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = kernel.relu_forward(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return kernel.relu_backward(grad, *ctx.saved)


class LeakyRelu(Function):
    @staticmethod
    def forward(ctx: Context, x: Array, slope: float) -> Array:
        ctx.save(x)
        ctx.slope = slope
        return kernel.leaky_relu_forward(x, slope)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (x,) = ctx.saved
        return kernel.leaky_relu_backward(grad, x, ctx.slope)


class Prelu(Function):
    @staticmethod
    def forward(ctx: Context, x: Array, weight: Array) -> Array:
        ctx.save(x, weight)
        return kernel.prelu_forward(x, weight)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        return kernel.prelu_backward(grad, *ctx.saved)


class Sigmoid(Function):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = kernel.sigmoid_forward(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return kernel.sigmoid_backward(grad, *ctx.saved)


class Tanh(Function):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = kernel.tanh_forward(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return kernel.tanh_backward(grad, *ctx.saved)


def _not_in_place(operation: str, inplace: bool) -> None:
    if inplace:
        raise NotImplementedError(f"{operation}: inplace=True is not supported")


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0); the derivative at 0 is 0."""
    _not_in_place("relu", inplace)
    return Relu.apply(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where positive, else negative_slope * input."""
    _not_in_place("leaky_relu", inplace)
    return LeakyRelu.apply(input, negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """input where positive, else weight * input; weight (1,) or one for each channel (axis 1)."""
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise RuntimeError(
            f"prelu: weight has shape {weight.shape}, expected (1,) or ({channels},)"
        )
    return Prelu.apply(input, weight)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input))."""
    return Sigmoid.apply(input)


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return Tanh.apply(input)


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    relu, sigmoid, tanh = relu, sigmoid, tanh
