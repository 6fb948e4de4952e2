"""Softmax and losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arrays
from ..arrays import Array, array_module
from ..core import Context, Function, Tensor
from ..kernels import softmax as kernel
from ..rules import check_floats
from .elementwise import mul, sub
from .reduce import axes_of, mean, sum

__all__ = ["cross_entropy", "log_softmax", "mse_loss", "nll_loss", "softmax"]


class Softmax(Function):
    @staticmethod
    def forward(ctx: Context, x: Array, axis: int) -> Array:
        y = kernel.softmax_forward(x.swapaxes(axis, -1))
        ctx.save(y)
        ctx.axis = axis
        return y.swapaxes(axis, -1)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return kernel.softmax_backward(grad.swapaxes(ctx.axis, -1), y).swapaxes(ctx.axis, -1)


class LogSoftmax(Function):
    @staticmethod
    def forward(ctx: Context, x: Array, axis: int) -> Array:
        y = kernel.log_softmax_forward(x.swapaxes(axis, -1))
        ctx.save(y)
        ctx.axis = axis
        return y.swapaxes(axis, -1)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return kernel.log_softmax_backward(grad.swapaxes(ctx.axis, -1), y).swapaxes(ctx.axis, -1)


class CrossEntropy(Function):
    @staticmethod
    def forward(ctx: Context, x: Array, labels: Array, smoothing: float) -> Array:
        loss, log_p = kernel.cross_entropy_forward(x, labels, smoothing)
        ctx.save(log_p, labels)
        ctx.smoothing = smoothing
        return loss

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        log_p, labels = ctx.saved
        return kernel.cross_entropy_backward(grad, log_p, labels, ctx.smoothing)


class NllLoss(Function):
    @staticmethod
    def forward(ctx: Context, log_p: Array, labels: Array) -> Array:
        ctx.save(labels)
        ctx.shape = log_p.shape
        return -kernel.at_labels(log_p, labels)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (labels,) = ctx.saved
        xp = array_module(grad)
        dx = xp.zeros(ctx.shape, grad.dtype)
        dx[xp.arange(len(dx)), labels % dx.shape[1]] = -grad
        return dx


def _class_axis(input: Tensor, dim: int | None, operation: str) -> int:
    """The axis `dim`, or PyTorch's rule without it: 0 for 1-d and 3-d tensors, else 1."""
    if dim is None:
        dim = 0 if input.ndim in (1, 3) else 1
    return axes_of(dim, input.ndim, operation)[0]


def softmax(input: Tensor, dim: int | None = None) -> Tensor:
    """exp(input) / sum of exp(input) along `dim` (default: PyTorch's, 1 for (N, C))."""
    check_floats("softmax", input)
    if not input.ndim:
        return softmax(input.reshape(1), dim).reshape(())
    if not input.numel():
        return input.clone()
    return Softmax.apply(input, _class_axis(input, dim, "softmax"))


def log_softmax(input: Tensor, dim: int | None = None) -> Tensor:
    """Logarithm of softmax along `dim`, without overflow."""
    check_floats("log_softmax", input)
    if not input.ndim:
        return log_softmax(input.reshape(1), dim).reshape(())
    if not input.numel():
        return input.clone()
    return LogSoftmax.apply(input, _class_axis(input, dim, "log_softmax"))


def cross_entropy(
    input: Tensor, target: Any, reduction: str = "mean", label_smoothing: float = 0.0
) -> Tensor:
    """Softmax cross-entropy of logits (N, C) against integer labels (N,): a scalar.

    Raises IndexError for a label outside 0..C-1; on a GPU, which the host would have to wait for,
    its loss is NaN instead.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must be in [0, 1], got {label_smoothing}")
    labels = _labels(input, target, "cross_entropy")
    return _reduce(CrossEntropy.apply(input, labels, float(label_smoothing)), reduction)


def nll_loss(input: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """Negative log-likelihood of log-probabilities (N, C) for integer labels (N,)."""
    return _reduce(NllLoss.apply(input, _labels(input, target, "nll_loss")), reduction)


def mse_loss(input: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """Mean squared error."""
    shape = getattr(target, "shape", ())
    if shape != input.shape:
        raise ValueError(f"mse_loss: input has shape {input.shape}, target {shape}")
    error = sub(input, target)
    check_floats("mse_loss", error)
    return _reduce(mul(error, error), reduction)


def _labels(input: Tensor, target: Any, operation: str) -> Array:
    check_floats(operation, input)
    labels = target.data if isinstance(target, Tensor) else arrays.from_outside(target)
    if input.ndim != 2 or labels.shape != input.shape[:1]:
        raise ValueError(
            f"{operation}: got input {input.shape} and target {labels.shape}, "
            "expected (N, C) and (N,)"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{operation}: target is {labels.dtype}, expected integer class labels")
    if isinstance(target, Tensor) and target.device != input.device:
        raise arrays.DeviceError(
            f"{operation}: input is on {input.device}, target on {target.device}: "
            "move one with .to(device)"
        )
    on_host = arrays.device_of(labels) == "cpu"  # of a GPU's labels the loss tells, as NaN
    if on_host and labels.size and (labels.min() < 0 or labels.max() >= input.shape[1]):
        raise IndexError(
            f"{operation}: labels run from {labels.min()} to {labels.max()}, "
            f"expected 0 to {input.shape[1] - 1}"
        )
    # A copy, as the caller may edit the target; in uint8, 256 classes could not be counted.
    return arrays.to_device(labels, input.device).astype(np.int64)


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction {reduction!r} is unknown: use 'mean', 'sum' or 'none'")
    return mean(loss) if reduction == "mean" else sum(loss)


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    log_softmax, softmax = log_softmax, softmax
