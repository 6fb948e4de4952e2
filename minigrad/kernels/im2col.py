"""im2col and col2im: a sliding window as a matrix, and its adjoint.

Row (n, i, j) of the column matrix holds the window that output pixel (i, j) of image n sees, in the
order (kernel row, kernel column, channel):

    col[(n, i, j), (u, v, c)] = x[n, i*stride + u*dilation, j*stride + v*dilation, c]

so that a convolution is `col @ weight`. Arrays here are (N, H, W, C), already padded (a window's
`padding` is for `output`, and for whoever pads). `im2col` fills memory that `fast/conv.py` reuses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Array, array_module

Pair = tuple[int, int]


class Window(NamedTuple):
    """A sliding window over a map: size, step, zero border and spacing, each (rows, columns)."""

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @property
    def extent(self) -> Pair:
        """Pixels between the first and last tap of a window, both included."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1

    def output(self, height: int, width: int) -> Pair:
        """Output size: floor((size + 2 padding - extent) / stride) + 1. May be < 1."""
        return (
            (height + 2 * self.padding[0] - self.extent[0]) // self.stride[0] + 1,
            (width + 2 * self.padding[1] - self.extent[1]) // self.stride[1] + 1,
        )


def windows(padded: Array, window: Window, out: Pair) -> Array:
    """View padded (N, H, W, C) as (N, out rows, out columns, kh, kw, C) without copying."""
    n, _, _, channels = padded.shape
    along_n, along_h, along_w, along_c = padded.strides
    (sh, sw), (dh, dw) = window.stride, window.dilation
    return array_module(padded).lib.stride_tricks.as_strided(
        padded,
        (n, *out, *window.kernel, channels),
        (along_n, along_h * sh, along_w * sw, along_h * dh, along_w * dw, along_c),
    )


def im2col(padded: Array, window: Window, out: Pair, col: Array) -> Array:
    """Fill `col` (N*oh*ow, kh*kw*C) with the windows of padded (N, H, W, C); returns it.

    One strided copy: at dilation 1 a row of a window is one run of kw*C numbers.
    """
    view = windows(padded, window, out)
    col.reshape(view.shape)[...] = view
    return col


def col2im(col: Array, window: Window, out: Pair, padded: Array) -> Array:
    """Add each window back to the pixels it was taken from: im2col's adjoint; returns `padded`.

    For one kernel row u, output row i meets a map row of its own, i*stride + u*dilation; along it,
    windows `apart` = ceil(extent / stride) places from each other share no pixel. So one strided
    addition takes row u (kw*C numbers) of all of them. Every sum has a fixed order and needs no
    atomics. `padded` (N, H, W, C) is overwritten.
    """
    target, kh = windows(padded, window, out), window.kernel[0]
    source = col.reshape(target.shape)  # both (N, oh, ow, kh, kw, C)
    apart = -(-window.extent[1] // window.stride[1])
    padded[...] = 0
    for u in range(kh):
        for first in range(min(apart, out[1])):
            target[:, :, first::apart, u] += source[:, :, first::apart, u]
    return padded


def im2col_naive(padded: Array, window: Window, out: Pair) -> Array:
    """im2col by its formula, element by element."""
    n, _, _, channels = padded.shape
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation
    col = np.empty((n, *out, kh, kw, channels), padded.dtype)
    for image, i, j, u, v, c in np.ndindex(*col.shape):
        col[image, i, j, u, v, c] = padded[image, i * sh + u * dh, j * sw + v * dw, c]
    return col.reshape(n * out[0] * out[1], kh * kw * channels)


def col2im_naive(col: Array, window: Window, out: Pair, shape: tuple[int, int, int, int]) -> Array:
    """col2im by its formula, element by element, into a new array of `shape` (N, H, W, C)."""
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation
    padded = np.zeros(shape, col.dtype)
    source = col.reshape(shape[0], *out, kh, kw, shape[3])
    for image, i, j, u, v, c in np.ndindex(*source.shape):
        padded[image, i * sh + u * dh, j * sw + v * dw, c] += source[image, i, j, u, v, c]
    return padded
