"""Normalisation within a map: LRN's sibling, over neighbouring pixels instead of channels.

    u = x - mean of x over the window     (local contrast)    or    u = x    (response only)
    y = u / (k + alpha / size^2 * sum of u^2 over the window)^beta

cuda-convnet has both (`cnorm` and `rnorm`); the 2012 network used the second after its second LRN.
Windows are clipped at the image's edge; the mean counts the pixels that are there.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Array, array_module
from .lrn import halves, window_sum
from .ways import Kernel

Saved = tuple[Array, Array]


@Kernel
def contrast_norm_forward(
    x: Array, size: int, alpha: float, beta: float, k: float, subtract_mean: bool
) -> tuple[Array, Saved]:
    """Forward of the formula above. x (N, C, H, W) -> y; saves u and the scale (twice x)."""
    before, after = halves(size)
    u = x - _box_sum(x, before, after) / _counts(x, before, after) if subtract_mean else x
    scale = k + alpha / size**2 * _box_sum(u * u, before, after)
    return u / scale**beta, (u, scale)


@Kernel
def contrast_norm_backward(
    grad: Array, saved: Saved, size: int, alpha: float, beta: float, subtract_mean: bool
) -> Array:
    """du = g s^-beta - 2 alpha/size^2 beta u * (mirrored window sum of g u s^(-beta-1)),
    then dx = du - mirrored window sum of du / count."""
    (u, scale), (before, after) = saved, halves(size)
    g = grad / scale**beta
    du = g - 2 * alpha / size**2 * beta * u * _box_sum(g * u / scale, after, before)
    if not subtract_mean:
        return du
    return du - _box_sum(du / _counts(u, before, after), after, before)


def _box_sum(x: Array, before: int, after: int) -> Array:
    """Sums over the clipped window around each pixel of x (N, C, H, W): columns, then rows."""
    return window_sum(window_sum(x, before, after, axis=2), before, after, axis=3)


def _counts(x: Array, before: int, after: int) -> Array:
    """Number of pixels in each clipped window, (1, 1, H, W)."""
    return _box_sum(array_module(x).ones((1, 1, *x.shape[2:]), x.real.dtype), before, after)


def contrast_norm_naive(
    x: Array, size: int, alpha: float, beta: float, k: float, subtract_mean: bool
) -> Array:
    """The formula, pixel by pixel."""
    before, after = size // 2, (size - 1) // 2
    height, width = x.shape[2:]

    def window(i: int, j: int) -> tuple[slice, slice, slice, slice]:
        rows = slice(max(0, i - before), min(height, i + after + 1))
        return slice(None), slice(None), rows, slice(max(0, j - before), min(width, j + after + 1))

    u, y = x.copy(), np.empty_like(x)
    if subtract_mean:
        for i, j in np.ndindex(height, width):
            u[:, :, i, j] -= x[window(i, j)].mean((2, 3))
    for i, j in np.ndindex(height, width):
        total = (u[window(i, j)] ** 2).sum((2, 3))
        y[:, :, i, j] = u[:, :, i, j] / (k + alpha / size**2 * total) ** beta
    return y
