"""Convolution of a few images at a time, over the CPU threads; on a GPU, one chunk after the other.

The column matrix of a whole batch is large, so it is made for as many images as fit a workspace
near the caches, used, and made again in backward: nothing is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import sums
from ...arrays import Array, array_module
from ..conv import (
    Geometry,
    as_matrices,
    as_weight,
    conv2d_backward,
    conv2d_forward,
    conv_geometry,
)
from ..im2col import Pair, Window, col2im, im2col
from ..layout import as_nchw, as_nhwc, masked, pad_into
from ..ways import always
from .memory import empty, scratch
from .parallel import over_batch
from .product import STORED, operand, operand_type, product

WORKSPACE = 4 * 1024**2  # bytes of columns per thread: measured, larger ones leave the cache
WORKSPACE_GPU = 64 * 1024**2  # bytes of columns on a GPU: a cap on memory, not measured yet


class Steps:
    """What the two passes do with a few images, in array code; `cuda/conv.py` launches kernels."""

    def columns(self, images: Array, geometry: Geometry, group: int, dtype: Any) -> Array:
        """The column matrix of one group of images (n, H, W, C), in scratch.

        16-bit columns are rounded from whole ones of the images' dtype. Padding one group at a time
        puts its channels side by side, which makes im2col's runs longer.
        """
        if dtype != images.dtype and np.dtype(dtype) in STORED.values():
            return operand(self.columns(images, geometry, group, images.dtype), images.dtype)
        window, part = geometry.window, geometry.of_group(images, group)
        col = column_scratch(images, geometry, dtype)
        padded = pad_into(padded_scratch(part, geometry, dtype), part, window.padding)
        return im2col(padded, window, geometry.outputs, col)

    def add_columns(self, col: Array, geometry: Geometry, group: int, images: Array) -> None:
        """Overwrite one group of `images` (n, H, W, C) with col2im(col)."""
        (top, left), (height, width) = geometry.window.padding, geometry.inputs
        part = geometry.of_group(images, group)
        padded = padded_scratch(part, geometry, col.dtype)
        col2im(col, geometry.window, geometry.outputs, padded)
        part[...] = padded[:, top : top + height, left : left + width]

    def bias_and_relu(
        self, geometry: Geometry, y: Array, bias: Array | None, relu: bool
    ) -> Callable[[Array], None]:
        """What adds the bias to part of the output y and takes max(y, 0), if asked for, in place.

        Bias and zeros are of a whole row of the map: NumPy takes 96 numbers, or one, at a time
        slowly.
        """
        xp, length = array_module(y), geometry.outputs[1] * geometry.out_channels
        biases = None if bias is None else xp.tile(bias, geometry.outputs[1])
        zeros = xp.zeros(length, y.dtype)

        def finish(out: Array) -> None:
            rows = out.reshape(-1, length)
            if biases is not None:
                rows += biases
            if relu and rows.dtype.kind == "c":
                rows[...] = xp.where(rows.real > 0, rows, 0)
            elif relu:
                xp.maximum(rows, zeros, out=rows)

        return finish

    def relu_backward(self, grad: Array, y: Array) -> Array:
        """grad (n, oh, ow, out) where y is not 0, else 0, in scratch."""
        xp = array_module(grad)
        passed = xp.not_equal(y.real, 0, out=scratch(xp, "passed", y.shape, bool))
        return masked(grad, passed, out=scratch(xp, "gradient", grad.shape, grad.dtype))


ARRAY_STEPS = Steps()


def column_scratch(images: Array, geometry: Geometry, dtype: Any) -> Array:
    """Scratch for the columns of one group of images (n, H, W, C)."""
    rows = len(images) * math.prod(geometry.outputs)
    return scratch(array_module(images), "col", (rows, geometry.row_length), dtype)


def padded_scratch(part: Array, geometry: Geometry, dtype: Any) -> Array:
    """Scratch for one group of a few images with their padding."""
    shape = (len(part), *geometry.padded_size, part.shape[-1])
    return scratch(array_module(part), "padded", shape, dtype)


def chunk(xp: Any, geometry: Geometry, itemsize: int) -> int:
    """Images whose columns fit the workspace."""
    space = WORKSPACE if xp is np else WORKSPACE_GPU
    return max(1, space // max(1, math.prod(geometry.outputs) * geometry.row_length * itemsize))


@conv2d_forward.instead(always)
def forward(
    x: Array, weight: Array, bias: Array | None = None, stride: Pair = (1, 1),
    padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1, relu: bool = False,
    *, steps: Steps = ARRAY_STEPS,
) -> Array:  # fmt: skip
    """`conv2d_forward`, with bias and ReLU while each chunk is in the cache."""
    xp = array_module(x)
    geometry = conv_geometry(x.shape, weight.shape, stride, padding, dilation, groups)
    source = as_nhwc(x)
    dtype = np.result_type(*(a.dtype for a in (x, weight, bias) if a is not None))
    matrices = operand(xp.ascontiguousarray(as_matrices(weight, groups)), dtype)
    stored = operand_type(xp, dtype) if source.dtype == dtype else source.dtype
    y = empty(xp, (len(x), *geometry.outputs, geometry.out_channels), dtype)
    finish = steps.bias_and_relu(geometry, y, bias, relu)

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            out = y[part].reshape(-1, geometry.out_channels)
            for group in range(groups):
                col = steps.columns(source[part], geometry, group, stored)
                product(col, matrices[group], geometry.of_group(out, group))
            finish(out)

    over_batch(xp, task, len(x), chunk(xp, geometry, min(dtype.itemsize, stored.itemsize)))
    return as_nchw(y)


@conv2d_backward.instead(always)
def backward(
    grad: Array, x: Array, weight: Array, stride: Pair = (1, 1), padding: Pair = (0, 0),
    dilation: Pair = (1, 1), groups: int = 1, relu_output: Array | None = None,
    needs: tuple[bool, bool, bool] = (True, True, True), *, steps: Steps = ARRAY_STEPS,
) -> tuple[Array | None, Array | None, Array | None]:  # fmt: skip
    """`conv2d_backward`; columns are taken of the gradient where that makes narrower ones.

    Partial sums of dweight are added in a fixed order: deterministic for a number of threads.
    """
    xp = array_module(grad)
    geometry = conv_geometry(x.shape, weight.shape, stride, padding, dilation, groups)
    source, dy = as_nhwc(x), as_nhwc(grad)
    y = None if relu_output is None else as_nhwc(relu_output)
    dtype = np.result_type(grad.dtype, x.dtype, weight.dtype)
    dx = empty(xp, source.shape, dtype) if needs[0] else None
    full = _full_convolution(geometry) if needs[0] and needs[1] else None
    add_gradients = _by_columns_of_input if full is None else _by_columns_of_gradient
    kernel = weight if full is None else _flipped(weight, groups)
    sizes = full or geometry  # of the convolution whose columns are made
    matrices = operand(xp.ascontiguousarray(as_matrices(kernel, groups)), dtype)

    def task(chunks: list[slice]) -> tuple[Array, list[Array]]:
        dmatrices, dbiases = xp.zeros(matrices.shape, dtype), []
        for part in chunks:
            g = dy[part] if y is None else steps.relu_backward(dy[part], y[part])
            if needs[2]:
                dbiases.append(sums.over(g.reshape(-1, geometry.out_channels), (0,)))
            if needs[0] or needs[1]:
                add_gradients(steps, g, source[part], sizes, matrices,
                              None if dx is None else dx[part],
                              dmatrices if needs[1] else None)  # fmt: skip
        return dmatrices, dbiases

    done = over_batch(xp, task, len(x), chunk(xp, sizes, dtype.itemsize))
    dmatrices = sum((d for d, _ in done[1:]), done[0][0]) if done else xp.zeros_like(matrices)
    dbiases = [b for _, several in done for b in several] or [xp.zeros(len(weight), dtype)]
    dbias = sums.over(xp.stack(dbiases), (0,)) if needs[2] else None
    dweight = None
    if needs[1]:
        dweight = as_weight(dmatrices, kernel.shape)
        # In the weight's order of memory: the optimizer walks through both as one.
        dweight = xp.ascontiguousarray(dweight if full is None else _flipped(dweight, groups))
    return None if dx is None else as_nchw(dx), dweight, dbias


def _by_columns_of_input(
    steps: Steps, g: Array, x: Array, geometry: Geometry, matrices: Array, dx: Array | None,
    dmatrices: Array | None,
) -> None:  # fmt: skip
    """dmatrices += col^T g and dx = col2im(g weight^T), for a few images (n, H, W, C)."""
    xp, dtype = array_module(g), np.result_type(g.dtype, x.dtype, matrices.dtype)
    rows = operand(g.reshape(-1, geometry.out_channels), dtype)
    for group in range(geometry.groups):
        g_group = geometry.of_group(rows, group)
        col = steps.columns(x, geometry, group, operand_type(xp, dtype))
        if dmatrices is not None:
            result = scratch(xp, "product", dmatrices.shape[1:], dmatrices.dtype)
            dmatrices[group] += product(col.T, g_group, result)
        if dx is not None:
            dcol = col if col.dtype == dtype else scratch(xp, "dcol", col.shape, dtype)
            product(g_group, matrices[group].T, dcol)
            steps.add_columns(dcol, geometry, group, dx)


def _by_columns_of_gradient(
    steps: Steps, g: Array, x: Array, geometry: Geometry, matrices: Array, dx: Array | None,
    dmatrices: Array | None,
) -> None:  # fmt: skip
    """dx = col weight and dmatrices += col^T x, for a few images, with columns of g and the flipped
    weight: one im2col serves both products, and nothing has to be added up by col2im."""
    xp, dtype = array_module(g), np.result_type(g.dtype, x.dtype, matrices.dtype)
    rows = x.reshape(-1, geometry.out_channels)
    rows = rows if dmatrices is None else operand(rows, dtype)
    for group in range(geometry.groups):
        col = steps.columns(g, geometry, group, operand_type(xp, dtype))
        if dx is not None:
            out = dx.reshape(-1, geometry.out_channels)
            product(col, matrices[group], geometry.of_group(out, group))
        if dmatrices is not None:
            result = scratch(xp, "product", dmatrices.shape[1:], dmatrices.dtype)
            x_group = geometry.of_group(rows, group)
            dmatrices[group] += product(col.T, x_group, result)


def _full_convolution(geometry: Geometry) -> Geometry | None:
    """The convolution of the output gradient with the flipped kernel that dx is at stride 1 (the
    "full" one); None where a column row of the gradient is longer than one of the input."""
    window = geometry.window
    border = (window.extent[0] - 1 - window.padding[0], window.extent[1] - 1 - window.padding[1])
    if window.stride != (1, 1) or geometry.out_channels > geometry.channels or min(border) < 0:
        return None
    return geometry._replace(
        window=Window(window.kernel, (1, 1), border, window.dilation),
        inputs=geometry.outputs, channels=geometry.out_channels,
        outputs=geometry.inputs, out_channels=geometry.channels,
    )  # fmt: skip


def _flipped(weight: Array, groups: int) -> Array:
    """weight (out, C/g, kh, kw), its kernels turned by 180 degrees and its ends swapped:
    (C, out/g, kh, kw). Its own inverse."""
    out, channels, kh, kw = weight.shape
    split = weight[:, :, ::-1, ::-1].reshape(groups, out // groups, channels, kh, kw)
    return split.swapaxes(1, 2).reshape(groups * channels, out // groups, kh, kw)
