"""Activations and their derivatives, on arrays of any shape. Complex numbers: by real part."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Array, array_module
from .layout import masked


def relu_forward(x: Array) -> Array:
    """max(x, 0); keeps the memory order of x. NaN stays NaN."""
    xp = array_module(x)
    if x.dtype.kind == "c":
        return xp.where(x.real > 0, x, 0)
    return xp.maximum(x, x.dtype.type(0))


def relu_backward(grad: Array, y: Array) -> Array:
    """grad where y > 0, else 0: the derivative at 0 is 0. Needs only the output."""
    return masked(grad, y.real > 0)


def leaky_relu_forward(x: Array, slope: float) -> Array:
    """x where x > 0, else slope * x."""
    return array_module(x).where(x.real > 0, x, x * slope)


def leaky_relu_backward(grad: Array, x: Array, slope: float) -> Array:
    """grad where x > 0, else slope * grad."""
    return array_module(x).where(x.real > 0, grad, grad * slope)


def _per_channel(weight: Array, ndim: int) -> Array:
    """View the weight (C,) or (1,) so that it meets axis 1."""
    return weight.reshape((-1,) + (1,) * (ndim - 2)) if ndim > 1 else weight


def prelu_forward(x: Array, weight: Array) -> Array:
    """x where x > 0, else weight * x; weight (1,) or one for each channel (axis 1)."""
    return array_module(x).where(x.real > 0, x, x * _per_channel(weight, x.ndim))


def prelu_backward(grad: Array, x: Array, weight: Array) -> tuple[Array, Array]:
    """dx as leaky_relu; dweight = sum of grad * x where x <= 0."""
    xp = array_module(x)
    dx = xp.where(x.real > 0, grad, grad * _per_channel(weight, x.ndim))
    part = xp.where(x.real > 0, 0, grad * x)
    if weight.size == 1:
        return dx, part.sum().reshape(weight.shape)
    return dx, part.sum(axis=tuple(i for i in range(x.ndim) if i != 1))


def sigmoid_forward(x: Array) -> Array:
    """1 / (1 + exp(-x)), as exp(x) / (1 + exp(x)) for x < 0: nothing overflows."""
    xp = array_module(x)
    small = xp.exp(xp.where(x.real < 0, x, -x))
    return xp.where(x.real < 0, small, 1) / (1 + small)


def sigmoid_backward(grad: Array, y: Array) -> Array:
    """grad * y * (1 - y)."""
    return grad * y * (1 - y)


def tanh_forward(x: Array) -> Array:
    """Hyperbolic tangent."""
    return array_module(x).tanh(x)


def tanh_backward(grad: Array, y: Array) -> Array:
    """grad * (1 - y^2)."""
    return grad * (1 - y * y)


def relu_naive(x: Array) -> Array:
    """max(x, 0), element by element."""
    return np.array([v if v.real > 0 else 0 for v in x.ravel()], x.dtype).reshape(x.shape)


def sigmoid_naive(x: Array) -> Array:
    """1 / (1 + exp(-x)), element by element."""
    return np.array([1 / (1 + math.exp(-v)) for v in x.ravel()], x.dtype).reshape(x.shape)
