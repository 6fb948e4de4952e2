"""Softmax and cross-entropy by softmax.cu: a block of threads for each row."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import Array, array_module
from .. import cuda, softmax


def _has_rows(x: Array, *_: Any, **__: Any) -> bool:
    return bool(cuda.usable(x) and x.size)


def _by_rows(kernel: str, x: Array) -> Array:
    y, classes = array_module(x).empty(x.shape, x.dtype), x.shape[-1]
    cuda.launch(kernel, x.size // classes, y, x, classes, rows=True)
    return y


@softmax.softmax_forward.instead(_has_rows)
def softmax_forward(x: Array) -> Array:
    """`softmax_forward`."""
    return _by_rows("softmax.softmax", x)


@softmax.log_softmax_forward.instead(_has_rows)
def log_softmax_forward(x: Array) -> Array:
    """`log_softmax_forward`."""
    return _by_rows("softmax.log_softmax", x)


@softmax.cross_entropy_forward.instead(_has_rows)
def cross_entropy_forward(x: Array, labels: Array, smoothing: float = 0.0) -> tuple[Array, Array]:
    """`cross_entropy_forward`."""
    xp, (rows, classes) = array_module(x), x.shape
    loss, log_p = xp.empty(rows, x.dtype), xp.empty(x.shape, x.dtype)
    cuda.launch("softmax.cross_entropy", rows, loss, log_p, x, _as_int64(labels),
                float(smoothing), classes, rows=True)  # fmt: skip
    return loss, log_p


def _one_dtype(grad: Array, log_p: Array, *_: Any, **__: Any) -> bool:
    return cuda.usable(log_p) and cuda.supported(log_p, grad)


@softmax.cross_entropy_backward.instead(_one_dtype)
def cross_entropy_backward(
    grad: Array, log_p: Array, labels: Array, smoothing: float = 0.0
) -> Array:
    """`cross_entropy_backward`."""
    xp, classes = array_module(log_p), log_p.shape[1]
    row_grad = xp.ascontiguousarray(grad)  # that of a mean is one number, seen N times
    dx = xp.empty(log_p.shape, log_p.dtype)
    cuda.launch("softmax.cross_entropy_backward", dx.size, dx, row_grad, log_p,
                _as_int64(labels), float(smoothing), classes)  # fmt: skip
    return dx


def _as_int64(labels: Array) -> Array:
    return array_module(labels).ascontiguousarray(labels, np.int64)
