"""Max and average pooling over (overlapping) windows, forward and backward.

AlexNet pools 3x3 windows at stride 2, so that neighbours overlap and a pixel can win up to four
windows (paper section 3.4).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array, array_module
from . import cuda
from .fast.memory import empty
from .fast.parallel import over_batch, scratch
from .im2col import Pair, Window, pad_into
from .layout import as_nchw, as_nhwc, masked


def empty_nhwc(like, shape, dtype=None):
    return empty(array_module(like), shape, dtype or like.dtype)


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


def _needed(window: Window, out: Pair) -> Pair:
    """Rows and columns of the padded map that the windows touch."""
    return (
        (out[0] - 1) * window.stride[0] + window.extent[0],
        (out[1] - 1) * window.stride[1] + window.extent[1],
    )


def _padded(image: Array, window: Window, out: Pair, value: float) -> Array:
    """`image` (n, H, W, C) itself if every window lies inside it, else a padded copy in scratch."""
    n, height, width, channels = image.shape
    rows, columns = _needed(window, out)
    if window.padding == (0, 0) and rows <= height and columns <= width:
        return image
    (top, left) = window.padding
    shape = (n, max(rows, top + height), max(columns, left + width), channels)
    xp = array_module(image)
    return pad_into(scratch(xp, "pool", shape, image.dtype), image, window.padding, value)


def max_pool2d_forward(
    x: Array,
    kernel: Pair,
    stride: Pair | None = None,
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    ceil_mode: bool = False,
    winners: bool = True,
) -> tuple[Array, Array | None]:
    """y[n,c,i,j] = max over (u,v) of x[n, c, i*sh + u*dh - ph, j*sw + v*dw - pw].

    x (N, C, H, W) -> y (N, C, oh, ow) and the winners: which tap u*kw + v won, one byte an output
    (two if the window has more than 256 taps), the only thing backward needs. Padding counts as
    -inf; a tie goes to the first maximum in row-major order; a NaN makes its windows NaN. Complex
    numbers are compared by their real part. Cost: three passes over y for each tap.
    """
    xp = array_module(x)
    window = Window(kernel, stride or kernel, padding, dilation)
    out = pool_output(x, window, ceil_mode)
    source, (n, channels) = as_nhwc(x), x.shape[:2]
    y = empty_nhwc(x, (n, *out, channels))
    kind = xp.uint8 if math.prod(kernel) <= 256 else xp.uint16
    won = empty_nhwc(x, y.shape, kind) if winners else None
    if cuda.usable(y, source):
        place = xp.empty(1, kind) if won is None else won
        cuda.launch(f"pool.max_forward{8 * place.itemsize}", y.size, y, place, source,
                    *source.shape[1:], *_cuda(window, out), won is not None)  # fmt: skip
        return as_nchw(y), None if won is None else as_nchw(won)

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            padded = _padded(source[part], window, out, -math.inf)
            _max_taps(xp, padded, window, out, y[part], None if won is None else won[part])

    over_batch(xp, task, n, _images(y))
    return as_nchw(y), None if won is None else as_nchw(won)


def _cuda(window: Window, out: Pair) -> tuple[int, ...]:
    """The arguments that the kernels of cuda/pool.cu share, after the channels."""
    return (*window.kernel, *window.stride, *window.padding, *window.dilation, *out)


def _images(array: Array, cache: int = 1 << 20) -> int:
    """How many images of an (N, H, W, C) array fit into about a megabyte of cache."""
    image: int = math.prod(array.shape[1:]) * array.dtype.itemsize
    return max(1, cache // max(1, image))


def _max_taps(
    xp: Any, padded: Array, window: Window, out: Pair, best: Array, winner: Array | None
) -> None:
    kh, kw = window.kernel
    complex_ = padded.dtype.kind == "c"
    for tap in range(kh * kw):
        rows, columns = window.tap(tap // kw, tap % kw, out)
        if tap == 0:
            best[...] = padded[:, rows, columns]
            if winner is not None:
                winner[...] = 0
            continue
        candidate = scratch(xp, "candidate", best.shape, best.dtype)
        candidate[...] = padded[:, rows, columns]  # one strided pass instead of two slower ones
        if winner is not None or complex_:
            beats = scratch(xp, "beats", best.shape, bool)
            xp.greater(candidate.real, best.real, out=beats)
        if winner is not None:
            # Taps come in rising order, so the last that beat all before is the largest number.
            number = scratch(xp, "number", best.shape, winner.dtype)
            xp.multiply(beats.view(xp.uint8), winner.dtype.type(tap), out=number)
            xp.maximum(winner, number, out=winner)
        if complex_:
            best[...] = xp.where(beats, candidate, best)
        else:
            xp.maximum(best, candidate, out=best)


def max_pool2d_backward(
    grad: Array,
    winners: Array,
    shape: tuple[int, int, int, int],
    kernel: Pair,
    stride: Pair | None = None,
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
) -> Array:
    """dx: each output's gradient is added to the pixel that won. grad (N, C, oh, ow) -> `shape`.

    For each tap, the outputs it won pass their gradient to that tap's pixels; overlapping windows
    add up. Deterministic: kh*kw strided additions, no scatter.
    """
    xp = array_module(grad)
    window = Window(kernel, stride or kernel, padding, dilation)
    dy, won = as_nhwc(grad), as_nhwc(winners)
    n, channels, height, width = shape
    out = dy.shape[1:3]
    dx = empty_nhwc(grad, (n, height, width, channels))
    if cuda.usable(dx, dy):
        cuda.launch(f"pool.max_backward{8 * won.itemsize}", dx.size, dx, dy, won,
                    *dx.shape[1:], *_cuda(window, out))  # fmt: skip
        return as_nchw(dx)
    rows, columns = _needed(window, out)
    inside = window.padding == (0, 0) and rows <= height and columns <= width

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            target = dx[part]
            if not inside:
                (top, left) = padding
                size = (target.shape[0], max(rows, top + height), max(columns, left + width))
                target = scratch(xp, "pool", (*size, channels), dx.dtype)
            _spread_taps(xp, dy[part], won[part], window, out, target)
            if not inside:
                dx[part] = target[:, top : top + height, left : left + width]

    over_batch(xp, task, n, _images(dy))
    return as_nchw(dx)


def _spread_taps(xp: Any, dy: Array, won: Array, window: Window, out: Pair, dx: Array) -> None:
    kw = window.kernel[1]
    dx[...] = 0
    mine = scratch(xp, "mine", dy.shape, bool)
    share = scratch(xp, "share", dy.shape, dy.dtype)
    for tap in range(math.prod(window.kernel)):
        rows, columns = window.tap(tap // kw, tap % kw, out)
        xp.equal(won, won.dtype.type(tap), out=mine)
        dx[:, rows, columns] += masked(dy, mine, out=share)


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
                if inside and (winner is None or x[n, c, row, column].real > x[winner].real):
                    winner = (n, c, row, column)
        y[n, c, i, j] = -np.inf if winner is None else x[winner]
        if winner is not None:
            dx[winner] += 1 if grad is None else grad[n, c, i, j]
    return y, dx


def avg_pool2d_forward(
    x: Array,
    kernel: Pair,
    stride: Pair | None = None,
    padding: Pair = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """y[n,c,i,j] = sum of the window / its size. x (N, C, H, W) -> (N, C, oh, ow); saves nothing.

    The size counts zero padding or not (`count_include_pad`), never what hangs over beyond it.
    """
    xp = array_module(x)
    window = Window(kernel, stride or kernel, padding)
    out = pool_output(x, window, ceil_mode)
    source, (n, channels) = as_nhwc(x), x.shape[:2]
    y = empty_nhwc(x, (n, *out, channels))
    scale = _divisors(xp, x, window, out, count_include_pad, divisor_override)

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            padded, total = _padded(source[part], window, out, 0.0), y[part]
            total[...] = 0
            for tap in range(math.prod(kernel)):
                rows, columns = window.tap(tap // kernel[1], tap % kernel[1], out)
                total += padded[:, rows, columns]
            total *= scale

    over_batch(xp, task, n, _images(y))
    return as_nchw(y)


def avg_pool2d_backward(
    grad: Array,
    shape: tuple[int, int, int, int],
    kernel: Pair,
    stride: Pair | None = None,
    padding: Pair = (0, 0),
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """dx: a pixel gets grad / size from each window it lies in. grad (N, C, oh, ow) -> `shape`."""
    xp = array_module(grad)
    window = Window(kernel, stride or kernel, padding)
    dy, (n, channels, height, width) = as_nhwc(grad), shape
    out = dy.shape[1:3]
    like = empty(xp, (0, channels, height, width), grad.dtype)
    share = dy * _divisors(xp, like, window, out, count_include_pad, divisor_override)
    touched, (top, left) = _needed(window, out), padding
    size = (max(touched[0], top + height), max(touched[1], left + width))
    padded = xp.zeros((n, *size, channels), grad.dtype)
    for tap in range(math.prod(kernel)):
        rows, columns = window.tap(tap // kernel[1], tap % kernel[1], out)
        padded[:, rows, columns] += share
    return as_nchw(padded[:, top : top + height, left : left + width])


def _divisors(
    xp: Any, x: Array, window: Window, out: Pair, include_pad: bool, override: int | None
) -> Array:
    """1 / (number of pixels that count) for each window: (oh, ow, 1), in x's real dtype."""
    if override is not None:
        count = np.full(out, float(override))
    else:
        lengths = []
        for size, k, s, p, o in zip(
            x.shape[2:], window.kernel, window.stride, window.padding, out, strict=True
        ):
            start = np.arange(o) * s - p
            low, high = (-p, size + p) if include_pad else (0, size)
            lengths.append(np.minimum(start + k, high) - np.maximum(start, low))
        count = np.outer(*lengths).astype(float)
    return xp.asarray((1.0 / count)[:, :, None].astype(x.real.dtype))


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
