"""Pooling over the CPU threads, a few images that fit the cache at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...arrays import Array, array_module
from .. import pool
from ..im2col import Pair, Window
from ..layout import as_nchw, as_nhwc, masked, pad_into
from ..ways import always
from .memory import empty, scratch
from .parallel import over_batch


def _padded(image: Array, window: Window, out: Pair, value: float) -> Array:
    """`image` (n, H, W, C) itself if every window lies inside it, else a padded copy in scratch."""
    n, height, width, channels = image.shape
    rows, columns = pool.touched(window, out)
    if window.padding == (0, 0) and rows <= height and columns <= width:
        return image
    shape = pool.padded_shape((n, channels, height, width), window, out)
    xp = array_module(image)
    return pad_into(scratch(xp, "pool", shape, image.dtype), image, window.padding, value)


def _images(array: Array, cache: int = 1 << 20) -> int:
    """How many images of an (N, H, W, C) array fit into about a megabyte of cache."""
    image: int = math.prod(array.shape[1:]) * array.dtype.itemsize
    return max(1, cache // max(1, image))


@pool.max_pool2d_forward.instead(always)
def max_forward(
    x: Array, kernel: Pair, stride: Pair | None = None, padding: Pair = (0, 0),
    dilation: Pair = (1, 1), ceil_mode: bool = False, winners: bool = True,
) -> tuple[Array, Array | None]:  # fmt: skip
    """`max_pool2d_forward`: three passes over y for each tap."""
    xp, window = array_module(x), Window(kernel, stride or kernel, padding, dilation)
    out = pool.pool_output(x, window, ceil_mode)
    source, (n, channels) = as_nhwc(x), x.shape[:2]
    y = empty(xp, (n, *out, channels), x.dtype)
    won = empty(xp, y.shape, pool.winner_dtype(kernel)) if winners else None
    first = pool.first_taps(xp, window, out) if winners else 0

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            padded = _padded(source[part], window, out, pool.lowest(x.dtype))
            if won is None:
                _max_taps(xp, padded, window, out, y[part], None)
                continue
            won[part] = first
            _max_taps(xp, padded, window, out, y[part], won[part])
            # Seldom: passes of their own. A GPU is not asked, the answer would be waited for.
            if xp is not np or (y[part].size and np.isnan(y[part].max())):
                for number, tap in enumerate(pool.taps_of(padded, window, out)):
                    won[part][xp.isnan(tap.real)] = number

    over_batch(xp, task, n, _images(y))
    return as_nchw(y), None if won is None else as_nchw(won)


def _max_taps(
    xp: Any, padded: Array, window: Window, out: Pair, best: Array, winner: Array | None
) -> None:
    kh, kw = window.kernel
    complex_ = padded.dtype.kind == "c"
    for tap in range(kh * kw):
        rows, columns = pool.tap_slices(tap // kw, tap % kw, window, out)
        if tap == 0:
            best[...] = padded[:, rows, columns]
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


@pool.max_pool2d_backward.instead(always)
def max_backward(
    grad: Array, winners: Array, shape: tuple[int, int, int, int], kernel: Pair,
    stride: Pair | None = None, padding: Pair = (0, 0), dilation: Pair = (1, 1),
) -> Array:  # fmt: skip
    """`max_pool2d_backward`."""
    xp, window = array_module(grad), Window(kernel, stride or kernel, padding, dilation)
    dy, won = as_nhwc(grad), as_nhwc(winners)

    def spread(part: slice, dtaps: list[Array]) -> None:
        mine = scratch(xp, "mine", dy[part].shape, bool)
        share = scratch(xp, "share", dy[part].shape, dy.dtype)
        for number, dtap in enumerate(dtaps):
            xp.equal(won[part], won.dtype.type(number), out=mine)
            dtap += masked(dy[part], mine, out=share)

    return _gathered(dy, shape, window, spread)


def _gathered(
    dy: Array, shape: tuple[int, int, int, int], window: Window,
    spread: Callable[[slice, list[Array]], None],
) -> Array:  # fmt: skip
    """dx (`shape`, channels-last) to whose taps, a few images at a time, `spread` has added."""
    xp, out, (n, channels, height, width) = array_module(dy), dy.shape[1:3], shape
    dx = empty(xp, (n, height, width, channels), dy.dtype)
    (top, left), (rows, columns) = window.padding, pool.touched(window, out)
    within = (top, left) == (0, 0) and rows <= height and columns <= width

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            target = dx[part]
            if not within:
                size = pool.padded_shape((len(target), *shape[1:]), window, out)
                target = scratch(xp, "pool", size, dx.dtype)
            target[...] = 0
            spread(part, pool.taps_of(target, window, out))
            if not within:
                dx[part] = target[:, top : top + height, left : left + width]

    over_batch(xp, task, n, _images(dy))
    return as_nchw(dx)


@pool.avg_pool2d_forward.instead(always)
def avg_forward(
    x: Array, kernel: Pair, stride: Pair | None = None, padding: Pair = (0, 0),
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Array:  # fmt: skip
    """`avg_pool2d_forward`."""
    xp, window = array_module(x), Window(kernel, stride or kernel, padding)
    out = pool.pool_output(x, window, ceil_mode)
    source, (n, channels) = as_nhwc(x), x.shape[:2]
    y = empty(xp, (n, *out, channels), x.dtype)
    share = pool.shares(x, x.shape[2:], window, out, count_include_pad, divisor_override)

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            padded, total = _padded(source[part], window, out, 0.0), y[part]
            total[...] = 0
            for tap in pool.taps_of(padded, window, out):
                total += tap
            total *= share

    over_batch(xp, task, n, _images(y))
    return as_nchw(y)


@pool.avg_pool2d_backward.instead(always)
def avg_backward(
    grad: Array, shape: tuple[int, int, int, int], kernel: Pair, stride: Pair | None = None,
    padding: Pair = (0, 0), count_include_pad: bool = True, divisor_override: int | None = None,
) -> Array:  # fmt: skip
    """`avg_pool2d_backward`."""
    xp, window, dy = array_module(grad), Window(kernel, stride or kernel, padding), as_nhwc(grad)
    out = dy.shape[1:3]
    share = pool.shares(dy, shape[2:], window, out, count_include_pad, divisor_override)

    def spread(part: slice, dtaps: list[Array]) -> None:
        each = xp.multiply(dy[part], share, out=scratch(xp, "share", dy[part].shape, dy.dtype))
        for dtap in dtaps:
            dtap += each

    return _gathered(dy, shape, window, spread)
