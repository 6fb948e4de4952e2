"""Local response normalisation: across channels (LRN), and within a map (its sibling).

What libraries call alpha differs. `lrn_forward` is the paper's formula; this is what to pass:

    | source                                       | k   | size | alpha on the plain sum |
    | -------------------------------------------- | --- | ---- | ---------------------- |
    | the paper, section 3.3 (alpha = 1e-4)        | 2   | 5    | 1e-4                   |
    | its own code, cuda-convnet (scale / size)    | 2   | 5    | 1e-4 / 5 = 2e-5        |
    | Caffe (alpha / size)                         | 1   | 5    | 1e-4 / 5 = 2e-5        |
    | PyTorch F.local_response_norm (alpha / size) | arg | arg  | alpha / size           |
    | TensorFlow (depth_radius r; bias is k)       | arg | 2r+1 | alpha                  |
    | Chainer, Theano's pylearn2                   | 2   | 5    | 1e-4                   |
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array, array_module
from . import cuda
from .fast.parallel import over_batch, scratch
from .layout import as_nchw, as_nhwc, empty_nhwc

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


def _halves(size: int) -> tuple[int, int]:
    """Channels before and after the centre: size // 2 before (PyTorch's rule for an even size)."""
    return size // 2, (size - 1) // 2


def _rows(array: Array, channels: int) -> int:
    return max(1, _CACHE // max(1, channels))


def _run(channels: int, *arrays: Array) -> int:
    """How many channels a thread of cuda/lrn.cu takes: they must be aligned in all its arrays."""
    return 4 if channels % 4 == 0 and all(array.data.ptr % 16 == 0 for array in arrays) else 1


def lrn_forward(
    x: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1, save: bool = True,
) -> tuple[Array, Array | None]:  # fmt: skip
    """b_i = a_i / (k + alpha * sum_j a_j^2)^beta, over the n channels j around i (paper, 3.3).

    x (N, C, H, W) -> y of the same shape and the scale s = k + alpha * sum, saved for backward
    (as many bytes as x). The window is clipped at the first and last channel; with `groups` it
    stops at the borders between that many equal parts (the towers). Alpha is on the plain sum.
    """
    xp = array_module(x)
    source = as_nhwc(x)
    channels = source.shape[3] // groups
    y = empty_nhwc(x, source.shape)
    scale = empty_nhwc(x, source.shape) if save else None
    if cuda.usable(y, source):
        place, run = y if scale is None else scale, _run(channels, y, source)
        cuda.launch("lrn.lrn_forward", y.size // run, y, place, source, channels, float(k),
                    float(alpha), float(beta), save, WINDOW=n, RUN=run)  # fmt: skip
        return as_nchw(y), None if scale is None else as_nchw(scale)
    a, b = source.reshape(-1, groups, channels), y.reshape(-1, groups, channels)
    s = None if scale is None else scale.reshape(-1, groups, channels)

    def task(chunks: list[slice]) -> None:
        for rows in chunks:
            bordered, square = _bordered(xp, "bordered", a[rows], *_halves(n))
            xp.multiply(a[rows], a[rows], out=square)
            sums = _window_sum(xp, bordered, n, channels)
            block = scratch(xp, "scale", sums.shape, a.dtype) if s is None else s[rows]
            xp.multiply(sums, a.dtype.type(alpha), out=block)
            block += a.dtype.type(k)
            powered = power(xp, block, beta, out=scratch(xp, "power", sums.shape, a.dtype))
            xp.divide(a[rows], powered, out=b[rows])

    over_batch(xp, task, a.shape[0], _rows(a, groups * channels))
    return as_nchw(y), None if scale is None else as_nchw(scale)


def lrn_backward(
    grad: Array, x: Array, scale: Array, n: int = 5, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1,
) -> Array:  # fmt: skip
    """da_i = g_i s_i^-beta - 2 alpha beta a_i * sum_j g_j a_j s_j^(-beta-1).

    The sum runs over the channels j whose window holds i: the mirrored window. All (N, C, H, W).
    """
    xp = array_module(x)
    g, a, s = as_nhwc(grad), as_nhwc(x), as_nhwc(scale)
    kind = np.result_type(g.dtype, a.dtype)  # complex above a real x: a second-order product
    dx = empty_nhwc(x, a.shape, kind)
    shape = (-1, groups, a.shape[3] // groups)
    if cuda.usable(dx, g, a, s):
        run = _run(shape[2], dx, g, a, s)
        cuda.launch("lrn.lrn_backward", dx.size // run, dx, g, a, s, shape[2], float(alpha),
                    float(beta), WINDOW=n, RUN=run)  # fmt: skip
        return as_nchw(dx)
    g, a, s, d = (array.reshape(shape) for array in (g, a, s, dx))
    before, after = _halves(n)

    def task(chunks: list[slice]) -> None:
        for rows in chunks:
            bordered, ratio = _bordered(xp, "bordered", d[rows], after, before)  # mirrored
            part = scratch(xp, "part", ratio.shape, kind)
            powered = power(xp, s[rows], beta, out=scratch(xp, "power", ratio.shape, s.dtype))
            xp.divide(g[rows], powered, out=d[rows])
            xp.multiply(d[rows], a[rows], out=part)
            xp.divide(part, s[rows], out=ratio)
            sums = _window_sum(xp, bordered, n, ratio.shape[-1])
            xp.multiply(sums, a[rows], out=part)
            part *= a.dtype.type(2 * alpha * beta)
            d[rows] -= part

    over_batch(xp, task, a.shape[0], _rows(a, math.prod(shape[1:])))
    return as_nchw(dx)


def lrn_naive(
    x: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, groups: int = 1
) -> Array:
    """The paper's formula, channel by channel."""
    y = np.empty_like(x)
    part = x.shape[1] // groups
    before, after = _halves(n)
    for i in range(x.shape[1]):
        first, last = i // part * part, i // part * part + part - 1
        total = np.zeros_like(x[:, i])
        for j in range(max(first, i - before), min(last, i + after) + 1):
            total += x[:, j] * x[:, j]
        y[:, i] = x[:, i] / (k + alpha * total) ** beta
    return y


def lrn_backward_naive(
    grad: Array, x: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1,
) -> Array:  # fmt: skip
    """The derivative of `lrn_naive`, pair of channels by pair of channels."""
    dx = np.zeros_like(x)
    part = x.shape[1] // groups
    before, after = _halves(n)
    for i in range(x.shape[1]):
        first, last = i // part * part, i // part * part + part - 1
        inside = range(max(first, i - before), min(last, i + after) + 1)
        scale = k + alpha * sum(x[:, j] * x[:, j] for j in inside)
        dx[:, i] += grad[:, i] * scale**-beta
        for j in inside:
            dx[:, j] -= (
                2 * alpha * beta * grad[:, i] * x[:, i] * scale ** (-beta - 1) * x[:, j]
            )
    return dx
