"""LRN of blocks of pixels that fit the cache, over the CPU threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...arrays import Array, array_module
from ..layout import as_nchw, as_nhwc
from ..lrn import halves, lrn_backward, lrn_forward
from ..ways import always
from .memory import empty, scratch
from .parallel import over_batch

_CACHE = 1 << 17  # elements of a block: its handful of arrays stays near the caches


def _bordered(xp: Any, name: str, like: Array, before: int, after: int) -> tuple[Array, Array]:
    """Scratch for rows of channels (rows, groups, C) with a border of zeros, and its inside."""
    rows, groups, channels = like.shape
    whole = scratch(xp, name, (rows, groups, before + channels + after), like.dtype)
    whole[..., :before] = 0
    whole[..., before + channels :] = 0
    return whole, whole[..., before : before + channels]


def _window_sum(xp: Any, bordered: Array, n: int, channels: int) -> Array:
    """Sums of n neighbours: total[..., i] = bordered[..., i] + ... + bordered[..., i+n-1].

    Added as one long row: the borders keep neighbouring pixels apart, and long runs are fast.
    Shifted additions, never a running difference: subtracting what leaves the window would leave
    rounding errors behind.
    """
    total = scratch(xp, "total", bordered.shape, bordered.dtype)
    flat, sums = bordered.reshape(-1), total.reshape(-1)
    count = flat.size - n + 1
    sums[count:] = 0  # beyond the last channel of the last row, which nobody reads
    xp.add(flat[:count], flat[1 : count + 1] if n > 1 else 0, out=sums[:count])
    for shift in range(2, n):
        sums[:count] += flat[shift : shift + count]
    return total[..., :channels]


def power(xp: Any, scale: Array, beta: float, out: Array) -> Array:
    """out = scale ** beta; 0.75 = 1/2 + 1/4 takes two square roots, several times cheaper."""
    if beta == 0.75:
        xp.sqrt(scale, out=out)
        root = xp.sqrt(out, out=scratch(xp, "root", out.shape, out.dtype))
        return xp.multiply(out, root, out=out)
    if beta == 0.5:
        return xp.sqrt(scale, out=out)
    return xp.power(scale, out.dtype.type(beta), out=out)


def _pixels(channels: int) -> int:
    """Pixels of a block."""
    return max(1, _CACHE // max(1, channels))


@lrn_forward.instead(always)
def forward(
    x: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1, save: bool = True,
) -> tuple[Array, Array | None]:  # fmt: skip
    """`lrn_forward`; without `save`, the scale stays in scratch."""
    xp, source = array_module(x), as_nhwc(x)
    channels = source.shape[3] // groups
    y = empty(xp, source.shape, x.dtype)
    scale = empty(xp, source.shape, x.dtype) if save else None
    a, b = source.reshape(-1, groups, channels), y.reshape(-1, groups, channels)
    s = None if scale is None else scale.reshape(-1, groups, channels)

    def task(chunks: list[slice]) -> None:
        for rows in chunks:
            bordered, square = _bordered(xp, "bordered", a[rows], *halves(n))
            xp.multiply(a[rows], a[rows], out=square)
            sums = _window_sum(xp, bordered, n, channels)
            block = scratch(xp, "scale", sums.shape, a.dtype) if s is None else s[rows]
            xp.multiply(sums, a.dtype.type(alpha), out=block)
            block += a.dtype.type(k)
            powered = power(xp, block, beta, out=scratch(xp, "power", sums.shape, a.dtype))
            xp.divide(a[rows], powered, out=b[rows])

    over_batch(xp, task, a.shape[0], _pixels(groups * channels))
    return as_nchw(y), None if scale is None else as_nchw(scale)


@lrn_backward.instead(always)
def backward(
    grad: Array, x: Array, scale: Array, n: int = 5, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1,
) -> Array:  # fmt: skip
    """`lrn_backward`."""
    xp = array_module(x)
    g, a, s = as_nhwc(grad), as_nhwc(x), as_nhwc(scale)
    dtype = np.result_type(g.dtype, a.dtype)  # complex above a real x: a second-order product
    dx = empty(xp, a.shape, dtype)
    shape = (-1, groups, a.shape[3] // groups)
    g, a, s, d = (array.reshape(shape) for array in (g, a, s, dx))
    before, after = halves(n)

    def task(chunks: list[slice]) -> None:
        for rows in chunks:
            bordered, ratio = _bordered(xp, "bordered", d[rows], after, before)  # mirrored
            part = scratch(xp, "part", ratio.shape, dtype)
            powered = power(xp, s[rows], beta, out=scratch(xp, "power", ratio.shape, s.dtype))
            xp.divide(g[rows], powered, out=d[rows])
            xp.multiply(d[rows], a[rows], out=part)
            xp.divide(part, s[rows], out=ratio)
            sums = _window_sum(xp, bordered, n, ratio.shape[-1])
            xp.multiply(sums, a[rows], out=part)
            part *= a.dtype.type(2 * alpha * beta)
            d[rows] -= part

    over_batch(xp, task, a.shape[0], _pixels(math.prod(shape[1:])))
    return as_nchw(dx)
