"""Losses of an output against a target of the same shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arrays
from ..arrays import Array, array_module
from ..core import Context, Function, Tensor
from ..rules import check_floats
from .elementwise import abs, magnitude, mul, sub
from .loss import reduced

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "l1_loss", "mse_loss",
           "smooth_l1_loss"]  # fmt: skip

LEAST_LOG = -100.0  # what PyTorch takes for the logarithm of 0


class BinaryCrossEntropy(Function):
    """-(t log p + (1 - t) log(1 - p)), logarithms at least -100.

    d/dp = (p - t) / (p (1 - p)), the denominator at least 1e-12; d/dt = log(1 - p) - log p.
    """

    @staticmethod
    def forward(ctx: Context, p: Array, t: Array) -> Array:
        ctx.save(p, t)
        xp = array_module(p)
        return -(t * _log(xp.log(p)) + (1 - t) * _log(xp.log1p(-p)))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        p, t = ctx.saved
        xp = array_module(p)
        below = p * (1 - p)
        dp = grad * (p - t) / xp.where(below.real < 1e-12, 1e-12, below)
        return dp, grad * (xp.log1p(-p) - xp.log(p)) if ctx.needs[1] else None


class LogisticLoss(Function):
    """(1 - t) x + c log(1 + exp(-x)) with c = 1 + (q - 1) t: binary cross-entropy of the logit x,
    target t and weight q of the positive."""

    operation = "binary_cross_entropy_with_logits"

    @staticmethod
    def forward(ctx: Context, x: Array, t: Array, q: Array | None) -> Array:
        ctx.save(x, t, q)
        factor = 1 if q is None else 1 + (q - 1) * t
        return (1 - t) * x + factor * _softplus(-x)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        x, t, q = ctx.saved
        xp = array_module(x)
        small = xp.exp(xp.where(x.real > 0, -x, x))
        falling = xp.where(x.real > 0, small, 1) / (1 + small)  # 1 / (1 + exp(x)), no overflow
        factor = 1 if q is None else 1 + (q - 1) * t
        dx = grad * ((1 - t) - factor * falling)
        dt = None
        if ctx.needs[1]:
            dt = grad * (-x if q is None else (q - 1) * _softplus(-x) - x)
        return dx, dt


class SmoothL1(Function):
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2. Its slope is d / beta, at most 1."""

    operation = "smooth_l1_loss"

    @staticmethod
    def forward(ctx: Context, d: Array, beta: float) -> Array:
        ctx.save(d)
        ctx.beta, size = beta, magnitude(d)
        square = size * size * (0.5 / beta)
        return array_module(d).where(size.real < beta, square, size - 0.5 * beta)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (d,) = ctx.saved
        xp = array_module(d)
        flat = xp.abs(d.real) >= ctx.beta  # not at NaN, which is passed on
        return grad * xp.where(flat, xp.sign(d.real), d / ctx.beta)


def _log(values: Array) -> Array:
    """Logarithms, none below `LEAST_LOG` (by real part)."""
    return array_module(values).where(values.real < LEAST_LOG, LEAST_LOG, values)


def _softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    xp = array_module(x)
    positive = x.real > 0
    return xp.where(positive, x, 0) + xp.log1p(xp.exp(xp.where(positive, -x, x)))


def l1_loss(input: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """Mean absolute error."""
    return reduced(abs(_error(input, target, "l1_loss")), reduction)


def mse_loss(input: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """Mean squared error."""
    error = _error(input, target, "mse_loss")
    return reduced(mul(error, error), reduction)


def smooth_l1_loss(
    input: Tensor, target: Any, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """`error^2 / (2 beta)` where `abs(error) < beta`, else `abs(error) - beta / 2`."""
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta is {beta}, expected at least 0")
    if beta == 0:
        return l1_loss(input, target, reduction)
    losses = SmoothL1.apply(_error(input, target, "smooth_l1_loss"), float(beta))
    return reduced(losses, reduction)


def binary_cross_entropy(
    input: Tensor, target: Any, weight: Any = None, *, reduction: str = "mean"
) -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)) of probabilities, a logarithm being at
    least -100. `weight` broadcasts to input's shape. Raises RuntimeError for an input or a target
    that is not in [0, 1], as NaN; a GPU is not waited for: there an input outside gives NaN.
    """
    p, t = _pair(input, target, "binary_cross_entropy")
    for name, values in (("input", p.data.real), ("target", t.data.real)):
        if p.device == "cpu" and not ((values >= 0) & (values <= 1)).all():
            raise RuntimeError(
                f"binary_cross_entropy: {name} must be in [0, 1]: use sigmoid(), or better "
                "binary_cross_entropy_with_logits"
            )
    losses = BinaryCrossEntropy.apply(p, t)
    return reduced(_times(losses, weight, "binary_cross_entropy"), reduction)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Any, weight: Any = None, *, reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:  # fmt: skip
    """Binary cross-entropy of sigmoid(input), without overflow. `weight` broadcasts to input's
    shape; `pos_weight` (also broadcast) multiplies the term of the positive."""
    operation = "binary_cross_entropy_with_logits"
    x, t = _pair(input, target, operation)
    q = None if pos_weight is None else _like(pos_weight, x, "pos_weight", operation).data
    return reduced(_times(LogisticLoss.apply(x, t, q), weight, operation), reduction)


def _error(input: Tensor, target: Any, operation: str) -> Tensor:
    """input - target, of one shape."""
    _check_shape(input, target, operation)
    error = sub(input, target)
    check_floats(operation, error)
    return error


def _check_shape(input: Tensor, target: Any, operation: str) -> None:
    shape = getattr(target, "shape", ())
    if shape != input.shape:
        raise ValueError(f"{operation}: input has shape {input.shape}, target {shape}")


def _pair(input: Tensor, target: Any, operation: str) -> tuple[Tensor, Tensor]:
    """Input and target as float tensors of one shape."""
    _check_shape(input, target, operation)
    target = target if isinstance(target, Tensor) else Tensor(target)
    for name, tensor in (("input", input), ("target", target)):
        check_floats(operation, tensor, name)
    return input, target


def _like(value: Any, input: Tensor, name: str, operation: str) -> Tensor:
    """A weight as a tensor that broadcasts to input's shape."""
    if isinstance(value, str):
        raise TypeError(f"{operation}: {name} is {value!r}: did you mean reduction={value!r}?")
    if not isinstance(value, Tensor):
        array = np.asarray(value, input.data.real.dtype)
        value = Tensor(arrays.to_device(array, input.device))
    if value.requires_grad:
        raise RuntimeError(f"{operation}: {name} cannot get a gradient: use {name}.detach()")
    if value.dtype != input.data.real.dtype:
        raise TypeError(f"{operation}: {name} is {value.dtype}, input {input.dtype}: use .to()")
    try:
        fits = np.broadcast_shapes(value.shape, input.shape) == input.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{operation}: {name} has shape {value.shape}, which does not broadcast to the "
            f"input's {input.shape}"
        )
    return value  # type: ignore[no-any-return]


def _times(losses: Tensor, weight: Any, operation: str) -> Tensor:
    return losses if weight is None else mul(losses, _like(weight, losses, "weight", operation))
