"""Softmax and the losses on top of it, over the last axis of (rows, classes).

The row's own maximum is subtracted first: exp never overflows, and the largest term is 1.
"""

from __future__ import annotations

import math

import numpy as np

from .. import sums
from ..arrays import Array, array_module
from .ways import Kernel


@Kernel
def softmax_forward(x: Array) -> Array:
    """y_i = exp(x_i) / sum_j exp(x_j), over the last axis."""
    y = array_module(x).exp(_shifted(x))
    return y / _total(y)


def softmax_backward(grad: Array, y: Array) -> Array:
    """dx_i = y_i (g_i - sum_j g_j y_j)."""
    return y * (grad - _total(grad * y))


@Kernel
def log_softmax_forward(x: Array) -> Array:
    """y_i = x_i - log sum_j exp(x_j), over the last axis."""
    xp = array_module(x)
    shifted = _shifted(x)
    return shifted - xp.log(_total(xp.exp(shifted)))


def log_softmax_backward(grad: Array, y: Array) -> Array:
    """dx_i = g_i - exp(y_i) sum_j g_j."""
    return grad - array_module(y).exp(y) * _total(grad)


def at_labels(x: Array, labels: Array) -> Array:
    """x[n, labels[n]]; NaN where the label is out of range, so that a GPU need not be waited for to
    find that out."""
    xp, classes = array_module(x), x.shape[1]
    values = x[xp.arange(len(x)), labels % classes]
    return xp.where((labels >= 0) & (labels < classes), values, x.dtype.type(math.nan))


@Kernel
def cross_entropy_forward(x: Array, labels: Array, smoothing: float = 0.0) -> tuple[Array, Array]:
    """loss_n = -sum_i t_ni log softmax(x_n)_i with t = (1 - smoothing) one-hot + smoothing / C.

    x (N, C), labels (N,) integers -> loss (N,), NaN for a label out of range, and log softmax
    (N, C), saved for backward.
    """
    log_p = log_softmax_forward.plain(x)
    loss = -at_labels(log_p, labels)
    if smoothing:
        of_all = sums.over(log_p, (log_p.ndim - 1,))
        loss = loss * (1 - smoothing) - of_all * (smoothing / x.shape[1])
    return loss, log_p


@Kernel
def cross_entropy_backward(
    grad: Array, log_p: Array, labels: Array, smoothing: float = 0.0
) -> Array:
    """dx_ni = g_n (softmax(x_n)_i - t_ni). grad (N,) -> (N, C)."""
    xp, classes = array_module(log_p), log_p.shape[1]
    dx = xp.exp(log_p)
    if smoothing:
        dx -= smoothing / classes
    dx[xp.arange(len(dx)), labels % classes] -= 1 - smoothing
    dx *= grad[:, None]
    return dx


def _total(x: Array) -> Array:
    return sums.over(x, (x.ndim - 1,), keepdims=True)


def _shifted(x: Array) -> Array:
    """x less its row's maximum (by real part; a constant, so the derivative ignores it)."""
    return x - array_module(x).max(x.real, axis=-1, keepdims=True)


# ----- the formulas in loops -----


def softmax_naive(x: Array) -> Array:
    """softmax, row by row, by its formula."""
    y = np.empty_like(x)
    for row in np.ndindex(*x.shape[:-1]):
        total = math.fsum(math.exp(v - x[row].max()) for v in x[row])
        y[row] = [math.exp(v - x[row].max()) / total for v in x[row]]
    return y


def cross_entropy_naive(x: Array, labels: Array, smoothing: float = 0.0) -> Array:
    """Cross-entropy, row by row, by its formula."""
    p, classes = softmax_naive(x), x.shape[1]
    loss = np.zeros(len(x), x.dtype)
    for n in range(len(x)):
        for i in range(classes):
            target = (1 - smoothing) * (i == labels[n]) + smoothing / classes
            loss[n] -= target * math.log(p[n, i])
    return loss
