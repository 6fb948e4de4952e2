"""Softmax, and the losses of logits or log-probabilities against classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arrays
from ..arrays import Array, array_module
from ..core import Context, Function, Tensor
from ..kernels import softmax as kernel
from ..rules import check_floats, check_tensor
from .choice import where
from .elementwise import add, astype, div, mul, neg
from .reduce import axes_of, mean, sum

__all__ = ["cross_entropy", "log_softmax", "nll_loss", "one_hot", "softmax"]


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
    """-log_p at the label, for log_p (N, C, ...) and labels (N, ...)."""

    @staticmethod
    def forward(ctx: Context, log_p: Array, labels: Array) -> Array:
        ctx.save(labels)
        rows = array_module(log_p).moveaxis(log_p, 1, -1)
        ctx.shape = rows.shape
        at = kernel.at_labels(rows.reshape(labels.size, rows.shape[-1]), labels.reshape(-1))
        return -at.reshape(labels.shape)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (labels,) = ctx.saved
        xp, classes = array_module(grad), ctx.shape[-1]
        dx = xp.zeros((labels.size, classes), grad.dtype)
        dx[xp.arange(len(dx)), labels.reshape(-1) % classes] = -grad.reshape(-1)
        return xp.moveaxis(dx.reshape(ctx.shape), -1, 1)


def _class_axis(input: Tensor, dim: int | None, operation: str) -> int:
    """The axis `dim`, or PyTorch's rule without it: 0 for 1-d and 3-d tensors, else 1."""
    if dim is None:
        dim = 0 if input.ndim in (1, 3) else 1
    return axes_of(dim, input.ndim, operation)[0]


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """exp(input) / sum of exp(input) along `dim` (default: PyTorch's, 1 for (N, C)); `dtype`: that
    input is converted to first."""
    input = input if dtype is None else astype(input, dtype)
    check_floats("softmax", input)
    if not input.ndim:
        return softmax(input.reshape(1), dim).reshape(())
    if not input.numel():
        return input.clone()
    return Softmax.apply(input, _class_axis(input, dim, "softmax"))


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Logarithm of softmax along `dim`, without overflow; `dtype` as for `softmax`."""
    input = input if dtype is None else astype(input, dtype)
    check_floats("log_softmax", input)
    if not input.ndim:
        return log_softmax(input.reshape(1), dim).reshape(())
    if not input.numel():
        return input.clone()
    return LogSoftmax.apply(input, _class_axis(input, dim, "log_softmax"))


def cross_entropy(
    input: Tensor, target: Any, weight: Any = None, *, ignore_index: int | None = -100,
    reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """Softmax cross-entropy of logits (N, C, d1, ...) or (C,): a scalar, or with reduction "none"
    the losses (N, d1, ...).

    `target`: integer labels (N, d1, ...), or probabilities of input's shape. `weight` (C,): a
    factor for each class. Labels equal to `ignore_index` count for nothing; None: there are none,
    which spares a GPU the count. The mean of labels is weighted: it divides by the sum of their
    weights. Raises IndexError for a label outside 0..C-1; on a GPU, which the host would have to
    wait for, its loss is NaN instead.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must be in [0, 1], got {label_smoothing}")
    target, smooth = _array_of(target), float(label_smoothing)
    if input.ndim == 1:
        loss = cross_entropy(
            input.unsqueeze(0), target[None], weight, ignore_index=ignore_index,
            reduction=reduction, label_smoothing=smooth,
        )  # fmt: skip
        return loss.reshape(()) if reduction == "none" else loss
    weight = _class_weights(input, weight, "cross_entropy")
    if target.dtype.kind in "fc" and target.shape == input.shape:
        if ignore_index is not None and ignore_index >= 0:
            raise ValueError("cross_entropy: ignore_index is for labels, the target holds floats")
        return reduced(_of_probabilities(input, target, weight, smooth), reduction)
    labels, kept = _labels(input, target, ignore_index, "cross_entropy")
    if weight is None and input.ndim == 2:
        losses = CrossEntropy.apply(input, labels, smooth)
    else:
        log_p = log_softmax(input, 1)
        losses = _weighted(NllLoss.apply(log_p, labels), labels, weight)
        if smooth:
            uniform = _of_classes(log_p, weight)
            losses = add(mul(losses, 1 - smooth), mul(uniform, smooth / input.shape[1]))
    return _reduce_kept(losses, labels, kept, weight, reduction)


def nll_loss(
    input: Tensor, target: Any, weight: Any = None, *, ignore_index: int | None = -100,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Negative log-likelihood of log-probabilities (N, C, d1, ...) or (C,) for integer labels
    (N, d1, ...) or (); arguments as for `cross_entropy`."""
    target = _array_of(target)
    if input.ndim == 1:
        loss = nll_loss(
            input.unsqueeze(0), target[None], weight, ignore_index=ignore_index, reduction=reduction
        )
        return loss.reshape(()) if reduction == "none" else loss
    weight = _class_weights(input, weight, "nll_loss")
    labels, kept = _labels(input, target, ignore_index, "nll_loss")
    losses = _weighted(NllLoss.apply(input, labels), labels, weight)
    return _reduce_kept(losses, labels, kept, weight, reduction)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Integer labels (...) as int64 (..., num_classes) with a 1 at the label.

    -1 takes the largest label + 1. Raises for a label outside 0..num_classes-1.
    """
    check_tensor("one_hot", tensor, "tensor")
    labels = tensor.data
    if labels.dtype.kind not in "iu":
        raise TypeError(f"one_hot: got {labels.dtype}, expected integer labels: use .long()")
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, -1)
    classes = high + 1 if num_classes == -1 else num_classes
    if classes < 1:
        raise ValueError(f"one_hot: num_classes is {num_classes} for {labels.size} labels: give it")
    if low < 0 or high >= classes:
        raise IndexError(f"one_hot: labels run from {low} to {high}, expected 0 to {classes - 1}")
    return Tensor((labels[..., None] == array_module(labels).arange(classes)).astype(np.int64))


def _array_of(target: Any) -> Any:
    """The target as a tensor or an array."""
    return target if isinstance(target, Tensor) else arrays.from_outside(target)


def _class_weights(input: Tensor, weight: Any, operation: str) -> Any:
    """The array of class weights on input's device, or None."""
    if weight is None:
        return None
    if isinstance(weight, str):
        raise TypeError(f"{operation}: weight is {weight!r}: did you mean reduction={weight!r}?")
    if isinstance(weight, Tensor) and weight.requires_grad:
        raise RuntimeError(f"{operation}: weight cannot get a gradient: use weight.detach()")
    array = weight.data if isinstance(weight, Tensor) else np.asarray(weight, input.data.real.dtype)
    if input.ndim < 2 or array.shape != input.shape[1:2]:
        raise ValueError(
            f"{operation}: weight has shape {array.shape}, expected one number for each of "
            f"{input.shape[1] if input.ndim > 1 else 0} classes"
        )
    if array.dtype != input.data.real.dtype:
        raise TypeError(f"{operation}: weight is {array.dtype}, input {input.dtype}: use .to()")
    return arrays.to_device(array, input.device)


def _labels(
    input: Tensor, target: Any, ignore_index: int | None, operation: str
) -> tuple[Array, Any]:
    """The labels as int64 on input's device, and where they count (None: everywhere)."""
    check_floats(operation, input)
    labels = target.data if isinstance(target, Tensor) else target
    if input.ndim < 2 or labels.shape != (input.shape[0], *input.shape[2:]):
        raise ValueError(
            f"{operation}: got input {input.shape} and target {labels.shape}, "
            "expected (N, C, ...) and (N, ...)"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{operation}: target is {labels.dtype}, expected integer class labels")
    if isinstance(target, Tensor) and target.device != input.device:
        raise arrays.DeviceError(
            f"{operation}: input is on {input.device}, target on {target.device}: "
            "move one with .to(device)"
        )
    kept = None
    if arrays.device_of(labels) != "cpu":  # of a GPU's labels the loss tells, as NaN
        kept = None if ignore_index is None else labels != ignore_index
    elif labels.size:
        kept = _checked(labels, input.shape[1], ignore_index, operation)
    labels = arrays.to_device(labels, input.device).astype(np.int64)  # a copy: his may be edited
    return labels, None if kept is None else arrays.to_device(kept, input.device)


def _checked(labels: Array, classes: int, ignore_index: int | None, operation: str) -> Any:
    """Where the labels are not `ignore_index` (None: nowhere). Raises if one is out of range."""
    low, high, kept = labels.min(), labels.max(), None
    if ignore_index is not None and low <= ignore_index <= high:
        kept = labels != ignore_index
        if kept.all():
            kept = None
        elif kept.any():
            low, high = labels[kept].min(), labels[kept].max()
        else:
            low, high = 0, classes - 1
    if low < 0 or high >= classes:
        raise IndexError(
            f"{operation}: labels run from {low} to {high}, expected 0 to {classes - 1}"
            + ("" if ignore_index is None else f" (or ignore_index, {ignore_index})")
        )
    return kept


def _of_probabilities(input: Tensor, target: Any, weight: Any, smoothing: float) -> Tensor:
    """-sum over classes of weight * target * log softmax(input), along axis 1."""
    target = target if isinstance(target, Tensor) else Tensor(target)
    if smoothing:
        target = add(mul(target, 1 - smoothing), smoothing / input.shape[1])
    return _of_classes(mul(log_softmax(input, 1), target), weight)


def _of_classes(values: Tensor, weight: Any) -> Tensor:
    """-sum over classes (axis 1) of weight * values."""
    if weight is not None:
        values = mul(values, Tensor(weight.reshape((-1,) + (1,) * (values.ndim - 2))))
    return neg(sum(values, 1))


def _weighted(losses: Tensor, labels: Array, weight: Any) -> Tensor:
    """Each loss times its class's weight."""
    return losses if weight is None else mul(losses, Tensor(weight[labels % len(weight)]))


def _reduce_kept(losses: Tensor, labels: Array, kept: Any, weight: Any, reduction: str) -> Tensor:
    """As `reduced`, without the losses of labels that do not count and by the labels' weights."""
    if kept is not None:
        losses = where(Tensor(kept), losses, 0.0)
    if reduction != "mean" or (kept is None and weight is None):
        return reduced(losses, reduction)
    xp, dtype = array_module(labels), losses.data.real.dtype
    shares = xp.ones(labels.shape, dtype) if weight is None else weight[labels % len(weight)]
    total = shares.sum() if kept is None else xp.where(kept, shares, 0).sum()
    return div(sum(losses), Tensor(arrays.as_array(total)))


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The losses themselves ("none"), their mean or their sum."""
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction {reduction!r} is unknown: use 'mean', 'sum' or 'none'")
    return mean(losses) if reduction == "mean" else sum(losses)


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    log_softmax, softmax = log_softmax, softmax
