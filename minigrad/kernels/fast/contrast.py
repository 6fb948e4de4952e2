"""Normalisation within a map, a few images that fit the cache at a time, over the CPU threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...arrays import Array, array_module
from .. import contrast
from ..contrast import Saved
from ..layout import as_nchw, as_nhwc
from ..lrn import halves
from ..ways import always
from .lrn import power
from .memory import empty, scratch
from .parallel import over_batch

_CACHE = 1 << 18  # elements of a block: a few images, whose arrays stay near the caches


def _box_sum(xp: Any, q: Array, before: int, after: int, out: Array) -> Array:
    """Sum over the clipped window around each pixel of q (n, H, W, C): rows, then columns.

    Shifted additions, as in `lrn`: a running difference would leave rounding errors behind.
    """
    rows = _shifted_sum(q, before, after, scratch(xp, "rows", q.shape, q.dtype))
    _shifted_sum(rows.swapaxes(1, 2), before, after, out.swapaxes(1, 2))
    return out


def _shifted_sum(q: Array, before: int, after: int, out: Array) -> Array:
    """out[:, i] = q[:, i - before] + ... + q[:, i + after], as far as they are there."""
    out[...] = q
    for shift in range(1, min(before, q.shape[1] - 1) + 1):
        out[:, shift:] += q[:, :-shift]
    for shift in range(1, min(after, q.shape[1] - 1) + 1):
        out[:, :-shift] += q[:, shift:]
    return out


def _counts(x: Array, before: int, after: int) -> Array:
    """Number of pixels in each clipped window, (1, H, W, 1). x (N, H, W, C)."""
    xp = array_module(x)
    ones = xp.ones((1, *x.shape[1:3], 1), x.real.dtype)
    return _box_sum(xp, ones, before, after, empty(xp, ones.shape, ones.dtype))


def _images(x: Array) -> int:
    image: int = math.prod(x.shape[1:])
    return max(1, _CACHE // max(1, image))


@contrast.contrast_norm_forward.instead(always)
def forward(
    x: Array, size: int, alpha: float, beta: float, k: float, subtract_mean: bool
) -> tuple[Array, Saved]:
    """`contrast_norm_forward`."""
    xp, source = array_module(x), as_nhwc(x)
    before, after = halves(size)
    y, scale = (empty(xp, source.shape, x.dtype) for _ in range(2))
    u = empty(xp, source.shape, x.dtype) if subtract_mean else source
    counts = _counts(source, before, after) if subtract_mean else None

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            if counts is not None:
                _box_sum(xp, source[part], before, after, u[part])
                u[part] /= counts
                xp.subtract(source[part], u[part], out=u[part])
            square = scratch(xp, "square", u[part].shape, u.dtype)
            xp.multiply(u[part], u[part], out=square)
            s = _box_sum(xp, square, before, after, scale[part])
            s *= x.dtype.type(alpha / size**2)
            s += x.dtype.type(k)
            xp.divide(u[part], power(xp, s, beta, out=square), out=y[part])

    over_batch(xp, task, len(x), _images(source))
    return as_nchw(y), (as_nchw(u), as_nchw(scale))


@contrast.contrast_norm_backward.instead(always)
def backward(
    grad: Array, saved: Saved, size: int, alpha: float, beta: float, subtract_mean: bool
) -> Array:
    """`contrast_norm_backward`."""
    xp = array_module(grad)
    g, u, scale = as_nhwc(grad), as_nhwc(saved[0]), as_nhwc(saved[1])
    before, after = halves(size)
    dtype = np.result_type(g.dtype, u.dtype)  # complex above a real x: a second-order product
    dx = empty(xp, u.shape, dtype)
    counts = _counts(u, before, after) if subtract_mean else None
    factor = u.dtype.type(2 * alpha / size**2 * beta)

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            d, a, s = dx[part], u[part], scale[part]
            ratio, sums = (scratch(xp, name, d.shape, dtype) for name in ("ratio", "sums"))
            powered = power(xp, s, beta, out=scratch(xp, "power", s.shape, s.dtype))
            xp.divide(g[part], powered, out=d)
            xp.multiply(d, a, out=ratio)
            ratio /= s
            _box_sum(xp, ratio, after, before, sums)  # mirrored
            sums *= a
            sums *= factor
            d -= sums
            if counts is not None:
                xp.divide(d, counts, out=ratio)
                d -= _box_sum(xp, ratio, after, before, sums)

    over_batch(xp, task, len(dx), _images(u))
    return as_nchw(dx)
