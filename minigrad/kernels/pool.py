"""Max and average pooling over (overlapping) windows, forward and backward.

AlexNet pools 3x3 windows at stride 2, so that neighbours overlap and a pixel can win up to four
windows (paper section 3.4).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array, array_module
from .im2col import Pair, Window
from .layout import as_nchw, as_nhwc
from .ways import Kernel


@Kernel
def max_pool2d_forward(
    x: Array, kernel: Pair, stride: Pair | None = None, padding: Pair = (0, 0),
    dilation: Pair = (1, 1), ceil_mode: bool = False, winners: bool = True,
) -> tuple[Array, Array | None]:  # fmt: skip
    """y[n,c,i,j] = max over (u,v) of x[n, c, i*sh + u*dh - ph, j*sw + v*dw - pw].

    x (N, C, H, W) -> y (N, C, oh, ow) and the winners: which tap u*kw + v won, one byte an output
    (two if the window has more than 256 taps), the only thing backward needs. Padding counts as
    -inf and never wins; a tie goes to the first maximum in row-major order; a NaN makes its windows
    NaN, and the last of several wins. Complex numbers are compared by their real part.
    """
    xp, window = array_module(x), Window(kernel, stride or kernel, padding, dilation)
    out = pool_output(x, window, ceil_mode)
    taps = taps_of(pad(x, window, out, lowest(x.dtype)), window, out)
    best, won = taps[0], xp.empty(taps[0].shape, winner_dtype(kernel))
    won[...] = first_taps(xp, window, out)
    for number, tap in enumerate(taps[1:], 1):
        beats = (tap.real > best.real) | xp.isnan(tap.real)
        won[beats] = number
        best = xp.where(beats, tap, best)
    return as_nchw(best), as_nchw(won) if winners else None


@Kernel
def max_pool2d_backward(
    grad: Array, winners: Array, shape: tuple[int, int, int, int], kernel: Pair,
    stride: Pair | None = None, padding: Pair = (0, 0), dilation: Pair = (1, 1),
) -> Array:  # fmt: skip
    """dx: each output's gradient is added to the pixel that won. grad (N, C, oh, ow) -> `shape`.

    For each tap, the outputs it won pass their gradient to that tap's pixels; overlapping windows
    add up. kh*kw strided additions, no scatter.
    """
    xp, window = array_module(grad), Window(kernel, stride or kernel, padding, dilation)
    g, won = as_nhwc(grad), as_nhwc(winners)
    dpadded = xp.zeros(padded_shape(shape, window, g.shape[1:3]), grad.dtype)
    for number, dtap in enumerate(taps_of(dpadded, window, g.shape[1:3])):
        dtap += xp.where(won == number, g, 0)
    return inside(dpadded, shape, padding)


@Kernel
def avg_pool2d_forward(
    x: Array, kernel: Pair, stride: Pair | None = None, padding: Pair = (0, 0),
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Array:  # fmt: skip
    """y[n,c,i,j] = sum of the window / its size. x (N, C, H, W) -> (N, C, oh, ow); saves nothing.

    The size counts zero padding or not (`count_include_pad`), never what hangs over beyond it.
    """
    window = Window(kernel, stride or kernel, padding)
    out = pool_output(x, window, ceil_mode)
    share = shares(x, x.shape[2:], window, out, count_include_pad, divisor_override)
    return as_nchw(sum(taps_of(pad(x, window, out, 0.0), window, out)) * share)


@Kernel
def avg_pool2d_backward(
    grad: Array, shape: tuple[int, int, int, int], kernel: Pair, stride: Pair | None = None,
    padding: Pair = (0, 0), count_include_pad: bool = True, divisor_override: int | None = None,
) -> Array:  # fmt: skip
    """dx: a pixel gets grad / size from each window it lies in. grad (N, C, oh, ow) -> `shape`."""
    xp, window = array_module(grad), Window(kernel, stride or kernel, padding)
    g = as_nhwc(grad)
    g = g * shares(g, shape[2:], window, g.shape[1:3], count_include_pad, divisor_override)
    dpadded = xp.zeros(padded_shape(shape, window, g.shape[1:3]), grad.dtype)
    for dtap in taps_of(dpadded, window, g.shape[1:3]):
        dtap += g
    return inside(dpadded, shape, padding)


# ----- windows -----


def taps_of(padded: Array, window: Window, out: Pair) -> list[Array]:
    """Views of padded (N, H, W, C), one for each tap of the window, in row-major order: the pixels
    that it sees from all outputs (N, oh, ow, C)."""
    kh, kw = window.kernel
    places = (tap_slices(u, v, window, out) for u in range(kh) for v in range(kw))
    return [padded[:, rows, columns] for rows, columns in places]


def pad(x: Array, window: Window, out: Pair, value: float) -> Array:
    """x (N, C, H, W) as (N, H, W, C) with a border of `value`, as far as the windows reach."""
    xp, (height, width), (top, left) = array_module(x), x.shape[2:], window.padding
    padded = xp.full(padded_shape(x.shape, window, out), value, x.dtype)
    padded[:, top : top + height, left : left + width] = as_nhwc(x)
    return padded


def tap_slices(row: int, column: int, window: Window, out: Pair) -> tuple[slice, slice]:
    """The padded pixels that tap (row, column) of every window sees."""
    (sh, sw), (dh, dw) = window.stride, window.dilation
    top, left = row * dh, column * dw
    return (
        slice(top, top + (out[0] - 1) * sh + 1, sh),
        slice(left, left + (out[1] - 1) * sw + 1, sw),
    )


def padded_shape(
    shape: tuple[int, ...], window: Window, out: Pair
) -> tuple[int, int, int, int]:
    """(N, H, W, C) of a padded map: it holds the image (N, C, H, W) and all that windows touch."""
    n, channels, height, width = shape
    (top, left), (rows, columns) = window.padding, touched(window, out)
    return n, max(rows, top + height), max(columns, left + width), channels


def inside(padded: Array, shape: tuple[int, ...], padding: Pair) -> Array:
    """The image (N, C, H, W) of `shape` without its border."""
    (top, left), (height, width) = padding, shape[2:]
    return as_nchw(padded[:, top : top + height, left : left + width])


def touched(window: Window, out: Pair) -> Pair:
    """Rows and columns of the padded map that the windows touch."""
    return (
        (out[0] - 1) * window.stride[0] + window.extent[0],
        (out[1] - 1) * window.stride[1] + window.extent[1],
    )


def lowest(dtype: np.dtype[Any]) -> float:
    """What loses against every number of the dtype, or against none other than itself."""
    return int(np.iinfo(dtype).min) if dtype.kind in "iu" else -math.inf


def first_taps(xp: Any, window: Window, out: Pair) -> Any:
    """The first tap of each window that is no padding, (oh, ow, 1): what wins unless one is larger
    (where all are -inf, as the padding is, none is)."""
    if window.padding == (0, 0):
        return 0
    rows, columns = (
        np.maximum(-((np.arange(count) * step - before) // gap), 0)
        for count, step, before, gap in zip(
            out, window.stride, window.padding, window.dilation, strict=True
        )
    )
    return xp.asarray(np.add.outer(rows * window.kernel[1], columns)[:, :, None])


def flat_indices(winners: Array, width: int, window: Window) -> Array:
    """Where in its map (H, W) each winner stands, counted row by row: int64, (N, C, oh, ow)."""
    xp, (oh, ow) = array_module(winners), winners.shape[2:]
    (sh, sw), (ph, pw), (dh, dw) = window.stride, window.padding, window.dilation
    down, right = divmod(winners.astype(np.int64), window.kernel[1])
    rows = xp.arange(oh)[:, None] * sh - ph + down * dh
    return rows * width + xp.arange(ow) * sw - pw + right * dw


def winner_dtype(kernel: Pair) -> np.dtype[np.unsignedinteger]:
    """What holds the number of a tap."""
    return np.dtype(np.uint8 if math.prod(kernel) <= 256 else np.uint16)


def pooled_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool
) -> int:
    """Number of windows along one axis. With `ceil` a last window may hang over the far edge, but
    must begin inside the image or its near padding (PyTorch's rule)."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (span + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (count - 1) * stride >= size + padding:
        count -= 1
    return count


def pool_output(x: Array, window: Window, ceil_mode: bool) -> Pair:
    """Output size of pooling x (N, C, H, W). Raises ValueError if no window fits."""
    rows, columns = (
        pooled_size(
            x.shape[2 + axis], window.kernel[axis], window.stride[axis], window.padding[axis],
            window.dilation[axis], ceil_mode,
        )
        for axis in (0, 1)
    )  # fmt: skip
    if min(rows, columns) < 1:
        raise ValueError(
            f"pool: a window of {window.extent} does not fit into {x.shape[2:]} "
            f"with padding {window.padding}"
        )
    if any(2 * p > k for p, k in zip(window.padding, window.kernel, strict=True)):
        raise ValueError(
            f"pool: padding {window.padding} is more than half the kernel {window.kernel}"
        )
    return rows, columns


def shares(
    like: Array, sizes: tuple[int, ...], window: Window, out: Pair, include_pad: bool,
    override: int | None,
) -> Array:  # fmt: skip
    """1 / (number of pixels that count) for each window over an image of `sizes` (H, W):
    (oh, ow, 1), in the real dtype of `like`."""
    if override is not None:
        count = np.full(out, float(override))
    else:
        lengths = []
        for size, k, s, p, o in zip(
            sizes, window.kernel, window.stride, window.padding, out, strict=True
        ):
            start = np.arange(o) * s - p
            low, high = (-p, size + p) if include_pad else (0, size)
            lengths.append(np.minimum(start + k, high) - np.maximum(start, low))
        count = np.outer(*lengths).astype(float)
    return array_module(like).asarray((1.0 / count)[:, :, None].astype(like.real.dtype))


# ----- the formulas in loops -----


def max_pool2d_naive(
    x: Array,
    kernel: Pair,
    stride: Pair | None = None,
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    ceil_mode: bool = False,
    grad: Array | None = None,
) -> tuple[Array, Array]:
    """Max-pooling by its formula, one window at a time: returns y, and dx for `grad` (or ones)."""
    window = Window(kernel, stride or kernel, padding, dilation)
    out = pool_output(x, window, ceil_mode)
    y = np.empty((*x.shape[:2], *out), x.dtype)
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*y.shape):
        winner = None
        for u in range(kernel[0]):
            for v in range(kernel[1]):
                row = i * window.stride[0] + u * dilation[0] - padding[0]
                column = j * window.stride[1] + v * dilation[1] - padding[1]
                inside = 0 <= row < x.shape[2] and 0 <= column < x.shape[3]
                if not inside:
                    continue
                value = x[n, c, row, column].real
                if winner is None or value > x[winner].real or np.isnan(value):
                    winner = (n, c, row, column)
        y[n, c, i, j] = -np.inf if winner is None else x[winner]
        if winner is not None:
            dx[winner] += 1 if grad is None else grad[n, c, i, j]
    return y, dx


def avg_pool2d_naive(
    x: Array, kernel: Pair, stride: Pair | None = None, padding: Pair = (0, 0)
) -> Array:
    """Average pooling by its formula (padding counted, no ceil mode), one window at a time."""
    window = Window(kernel, stride or kernel, padding)
    out = pool_output(x, window, False)
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    y = np.empty((*x.shape[:2], *out), x.dtype)
    for i, j in np.ndindex(*out):
        top, left = i * window.stride[0], j * window.stride[1]
        y[:, :, i, j] = padded[:, :, top : top + kernel[0], left : left + kernel[1]].mean((2, 3))
    return y
