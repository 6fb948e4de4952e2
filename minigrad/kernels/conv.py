"""2-D convolution (cross-correlation, as every network means it) by im2col and matrix products.

    y[n,o,i,j] = bias[o] + sum_{c,u,v} weight[o,c,u,v] x[n, c, i*sh + u*dh - ph, j*sw + v*dw - pw]

The column matrix of a whole batch is large (562 MB in conv1 of AlexNet for 128 images), so it is
made for a few images at a time in a workspace that fits the cache, used, and made again in
backward: nothing is kept. The images of a batch are shared out over the CPU threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array, array_module
from . import cuda
from .fast.parallel import over_batch, scratch
from .fast.product import STORED, operand, operand_type, product
from .im2col import Pair, Window, col2im, im2col, pad_into
from .layout import as_nchw, as_nhwc, empty_nhwc, masked

WORKSPACE = 4 * 1024**2  # bytes of columns per thread: measured, larger ones leave the cache
WORKSPACE_GPU = 64 * 1024**2  # bytes of columns on a GPU: a cap on memory, not measured yet
# What im2col.cu writes columns as.
_ELEMENTS: dict[Any, dict[str, Any]] = {kind: {"element": name} for name, kind in STORED.items()}


class Geometry(NamedTuple):
    """Sizes of one convolution, checked."""

    window: Window
    groups: int
    images: int
    inputs: Pair
    channels: int
    outputs: Pair
    features: int

    @property
    def taps(self) -> int:
        """Length of a column row: kernel height * width * channels of a group."""
        return math.prod(self.window.kernel) * (self.channels // self.groups)

    @property
    def cuda(self) -> tuple[int, ...]:
        """The arguments that the kernels of cuda/im2col.cu share, after the first channel."""
        window, channels = self.window, self.channels // self.groups
        return (channels, *window.kernel, *window.stride, *window.padding, *window.dilation,
                *self.outputs)  # fmt: skip

    @property
    def padded(self) -> Pair:
        """Size of the padded map."""
        (height, width), (top, left) = self.inputs, self.window.padding
        return height + 2 * top, width + 2 * left

    def chunk(self, xp: Any, itemsize: int) -> int:
        """Images whose columns fit the workspace."""
        space = WORKSPACE if xp is np else WORKSPACE_GPU
        return max(1, space // max(1, math.prod(self.outputs) * self.taps * itemsize))

    def of_group(self, array: Array, group: int) -> Array:
        """The last axis of `array`, cut down to one group."""
        size = array.shape[-1] // self.groups
        return array[..., group * size : (group + 1) * size]


def conv_geometry(
    x: tuple[int, ...], weight: tuple[int, ...], window: Window, groups: int
) -> Geometry:
    """Check the shapes of a convolution. Raises ValueError that names what does not fit."""
    if len(x) != 4 or len(weight) != 4:
        raise ValueError(
            f"conv2d: got x of shape {x} and weight of shape {weight}, "
            "expected (N, C, H, W) and (out, C / groups, kh, kw)"
        )
    if groups < 1 or x[1] % groups or weight[0] % groups:
        raise ValueError(
            f"conv2d: groups={groups} does not divide {x[1]} input and {weight[0]} output channels"
        )
    if weight[1] != x[1] // groups:
        raise ValueError(
            f"conv2d: x of shape {x} with groups={groups} needs a weight of shape "
            f"({weight[0]}, {x[1] // groups}, {weight[2]}, {weight[3]}), got {weight}"
        )
    outputs = window.output(x[2], x[3])
    if min(outputs) < 1:
        raise ValueError(
            f"conv2d: a kernel that spans {window.extent} does not fit into {x[2:]} "
            f"with padding {window.padding}"
        )
    return Geometry(window, groups, x[0], (x[2], x[3]), x[1], outputs, weight[0])


def _matrices(weight: Array, groups: int) -> Array:
    """weight (out, C/g, kh, kw) as (groups, kh*kw*C/g, out/g): what col is multiplied with."""
    out, channels, kh, kw = weight.shape
    split = weight.reshape(groups, out // groups, channels, kh, kw).transpose(0, 3, 4, 2, 1)
    return array_module(weight).ascontiguousarray(split).reshape(groups, -1, out // groups)


def _columns(xp: Any, images: Array, geometry: Geometry, group: int, kind: Any) -> Array:
    """The column matrix of one group of a few images (n, H, W, C), in scratch.

    `kind` is its dtype; 16 bits, where `operand_type` says so.
    Padding one group at a time puts its channels side by side, which makes im2col's runs longer.
    """
    window, part = geometry.window, geometry.of_group(images, group)
    rows = len(part) * math.prod(geometry.outputs)
    defines = {} if images.dtype == kind else _ELEMENTS.get(np.dtype(kind), {})
    if defines and not cuda.usable(images):  # the array version makes them of whole columns
        return operand(_columns(xp, images, geometry, group, images.dtype), images.dtype)
    col = scratch(xp, "col", (rows, geometry.taps), kind)
    if defines or cuda.usable(col, images):
        first = group * part.shape[-1]
        cuda.launch("im2col.im2col", col.size, images, col, *images.shape[1:], first,
                    *geometry.cuda, **defines)  # fmt: skip
        return col
    padded = pad_into(_padded(xp, part, geometry, kind), part, window.padding)
    return im2col(padded, window, geometry.outputs, col)


def _padded(xp: Any, part: Array, geometry: Geometry, kind: Any) -> Array:
    """Scratch for one group of a few images with their padding."""
    return scratch(xp, "padded", (len(part), *geometry.padded, part.shape[-1]), kind)


def _add_columns(xp: Any, col: Array, geometry: Geometry, group: int, images: Array) -> None:
    """Overwrite one group of `images` (n, H, W, C) with col2im(col)."""
    if cuda.usable(images, col):
        size = math.prod(images.shape[:3]) * (geometry.channels // geometry.groups)
        first = group * (geometry.channels // geometry.groups)
        cuda.launch("im2col.col2im", size, images, col, *images.shape[1:], first, *geometry.cuda)
        return
    (top, left), (height, width) = geometry.window.padding, geometry.inputs
    part = geometry.of_group(images, group)
    padded = _padded(xp, part, geometry, col.dtype)
    col2im(col, geometry.window, geometry.outputs, padded)
    part[...] = padded[:, top : top + height, left : left + width]


def conv2d_forward(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    relu: bool = False,
) -> Array:
    """Forward of the formula above; with `relu`, max(y, 0) while each chunk is in the cache.

    x (N, C, H, W), weight (out, C/groups, kh, kw), bias (out,) -> (N, out, oh, ow), channels-last
    in memory. Saves nothing; backward needs x and weight (and y if relu).
    """
    xp = array_module(x)
    window = Window((weight.shape[2], weight.shape[3]), stride, padding, dilation)
    geometry = conv_geometry(x.shape, weight.shape, window, groups)
    source, matrices = as_nhwc(x), _matrices(weight, groups)
    kind = np.result_type(*(a.dtype for a in (x, weight, bias) if a is not None))
    matrices = operand(matrices, kind)
    stored = operand_type(xp, kind) if source.dtype == kind else source.dtype
    y = empty_nhwc(x, (len(x), *geometry.outputs, geometry.features), kind)
    finish = _bias_and_relu(xp, geometry, y, bias, relu)

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            out = y[part].reshape(-1, geometry.features)
            for group in range(groups):
                col = _columns(xp, source[part], geometry, group, stored)
                product(col, matrices[group], geometry.of_group(out, group))
            finish(out)

    over_batch(xp, task, len(x), geometry.chunk(xp, min(kind.itemsize, stored.itemsize)))
    return as_nchw(y)


def _bias_and_relu(
    xp: Any, geometry: Geometry, y: Array, bias: Array | None, relu: bool
) -> Callable[[Array], None]:
    """What adds the bias to part of the output y and takes max(y, 0), if asked for, in place."""
    columns, features = geometry.outputs[1], geometry.features
    if cuda.usable(y) and (bias is None or cuda.usable(y, bias)):

        def launch(out: Array) -> None:
            cuda.launch("activation.bias_relu", out.size, out, out if bias is None else bias,
                        features, bias is not None, relu)  # fmt: skip

        return launch
    # Bias and zeros for a whole row of the map: NumPy takes 96 numbers, or one, at a time slowly.
    biases = None if bias is None else xp.tile(bias, columns)
    zeros = xp.zeros(columns * features, y.dtype)

    def finish(out: Array) -> None:
        rows = out.reshape(-1, columns * features)
        if biases is not None:
            rows += biases
        if relu and rows.dtype.kind == "c":
            rows[...] = xp.where(rows.real > 0, rows, 0)
        elif relu:
            xp.maximum(rows, zeros, out=rows)

    return finish


def conv2d_backward(
    grad: Array,
    x: Array,
    weight: Array,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    relu_output: Array | None = None,
    needs: tuple[bool, bool, bool] = (True, True, True),
) -> tuple[Array | None, Array | None, Array | None]:
    """(dx, dweight, dbias), each None unless asked for by `needs`.

    With g = grad (where relu_output > 0, if given) as rows (N*oh*ow, out):
    dweight = col^T g, dx = col2im(g weight^T), dbias = sum of the rows of g.
    Where that makes narrower columns, they are taken of g instead of x (`_columns_of_gradient`).
    Partial sums of dweight are added in a fixed order: deterministic for a number of threads.
    """
    xp = array_module(grad)
    window = Window((weight.shape[2], weight.shape[3]), stride, padding, dilation)
    geometry = conv_geometry(x.shape, weight.shape, window, groups)
    source, dy = as_nhwc(x), as_nhwc(grad)
    y = None if relu_output is None else as_nhwc(relu_output)
    kind = np.result_type(grad.dtype, x.dtype, weight.dtype)
    dx = empty_nhwc(x, source.shape, kind) if needs[0] else None
    turned = _turned_window(geometry) if needs[0] and needs[1] else None
    of_chunk, walk, kernel = _columns_of_input, geometry, weight
    if turned is not None:
        of_chunk, kernel = _columns_of_gradient, _turn(weight, groups)
        walk = conv_geometry((*grad.shape[:2], *geometry.outputs), kernel.shape, turned, groups)
    matrices = operand(_matrices(kernel, groups), kind)

    def task(chunks: list[slice]) -> tuple[Array, Array]:
        dmatrices = xp.zeros(matrices.shape, kind)
        dbias = xp.zeros(geometry.features, kind)
        for part in chunks:
            g = _passed(xp, dy[part], None if y is None else y[part])
            if needs[2]:
                row = g.reshape(-1, geometry.outputs[1] * geometry.features).sum(axis=0)
                dbias += row.reshape(-1, geometry.features).sum(axis=0)
            if needs[0] or needs[1]:
                dx_part = None if dx is None else dx[part]
                of_chunk(xp, g, source[part], walk, matrices, dx_part,
                         dmatrices if needs[1] else None)  # fmt: skip
        return dmatrices, dbias

    sums = over_batch(xp, task, len(x), walk.chunk(xp, kind.itemsize))
    dmatrices = sum((s[0] for s in sums[1:]), sums[0][0]) if sums else xp.zeros_like(matrices)
    dbias = sum((s[1] for s in sums[1:]), sums[0][1]) if sums else xp.zeros(len(weight), kind)
    dweight = _weight_of(dmatrices, kernel) if needs[1] else None
    if turned is not None and dweight is not None:
        # In the weight's order of memory: the optimizer walks through both as one.
        dweight = xp.ascontiguousarray(_turn(dweight, groups))
    return (
        None if dx is None else as_nchw(dx),
        dweight,
        dbias if needs[2] else None,
    )


def _passed(xp: Any, dy: Array, y: Array | None) -> Array:
    """The output gradient (n, oh, ow, out), less what ReLU blocked."""
    if y is None:
        return dy
    if cuda.usable(dy, y):
        out = scratch(xp, "gradient", dy.shape, dy.dtype)
        cuda.launch("activation.relu_backward", out.size, out, dy, y)
        return out
    passed = xp.greater(y.real, 0, out=scratch(xp, "passed", y.shape, bool))
    return masked(dy, passed, out=scratch(xp, "gradient", dy.shape, dy.dtype))


def _columns_of_input(
    xp: Any, g: Array, x: Array, geometry: Geometry, matrices: Array, dx: Array | None,
    dmatrices: Array | None,
) -> None:  # fmt: skip
    """dmatrices += col^T g and dx = col2im(g weight^T), for a few images (n, H, W, C)."""
    kind = np.result_type(g.dtype, x.dtype, matrices.dtype)
    rows = operand(g.reshape(-1, geometry.features), kind)
    for group in range(geometry.groups):
        g_group = geometry.of_group(rows, group)
        col = _columns(xp, x, geometry, group, operand_type(xp, kind))
        if dmatrices is not None:
            result = scratch(xp, "product", dmatrices.shape[1:], dmatrices.dtype)
            dmatrices[group] += product(col.T, g_group, result)
        if dx is not None:
            dcol = col if col.dtype == kind else scratch(xp, "dcol", col.shape, kind)
            product(g_group, matrices[group].T, dcol)
            _add_columns(xp, dcol, geometry, group, dx)


def _columns_of_gradient(
    xp: Any, g: Array, x: Array, geometry: Geometry, matrices: Array, dx: Array | None,
    dmatrices: Array | None,
) -> None:  # fmt: skip
    """dx = col weight and dmatrices += col^T x, for a few images, with columns of g and the turned
    weight: at stride 1, dx is the convolution of g with the kernel turned by 180 degrees.

    One im2col serves both products, and nothing has to be added up by col2im.
    """
    kind = np.result_type(g.dtype, x.dtype, matrices.dtype)
    rows = x.reshape(-1, geometry.features)
    rows = rows if dmatrices is None else operand(rows, kind)
    for group in range(geometry.groups):
        col = _columns(xp, g, geometry, group, operand_type(xp, kind))
        if dx is not None:
            out = dx.reshape(-1, geometry.features)
            product(col, matrices[group], geometry.of_group(out, group))
        if dmatrices is not None:
            result = scratch(xp, "product", dmatrices.shape[1:], dmatrices.dtype)
            x_group = geometry.of_group(rows, group)
            dmatrices[group] += product(col.T, x_group, result)


def _turned_window(geometry: Geometry) -> Window | None:
    """The window with which dx is a convolution of the output gradient, if that is worth it: at
    stride 1, and where a column row of the gradient is no longer than one of the input."""
    window = geometry.window
    border = (window.extent[0] - 1 - window.padding[0], window.extent[1] - 1 - window.padding[1])
    if window.stride != (1, 1) or geometry.features > geometry.channels or min(border) < 0:
        return None
    return Window(window.kernel, (1, 1), border, window.dilation)


def _turn(weight: Array, groups: int) -> Array:
    """weight (out, C/g, kh, kw), its kernels turned by 180 degrees and its ends swapped:
    (C, out/g, kh, kw). Its own inverse."""
    out, channels, kh, kw = weight.shape
    split = weight[:, :, ::-1, ::-1].reshape(groups, out // groups, channels, kh, kw)
    return split.swapaxes(1, 2).reshape(groups * channels, out // groups, kh, kw)


def _weight_of(matrices: Array, weight: Array) -> Array:
    """The inverse of `_matrices`: (groups, kh*kw*C/g, out/g) in the shape of `weight`."""
    groups = len(matrices)
    out, channels, kh, kw = weight.shape
    split = matrices.reshape(groups, kh, kw, channels, out // groups).transpose(0, 4, 3, 1, 2)
    return array_module(matrices).ascontiguousarray(split).reshape(weight.shape)


def conv2d_naive(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    grad: Array | None = None,
) -> tuple[Array, Array, Array, Array]:
    """The formula, one output element at a time: (y, dx, dweight, dbias) for `grad` (or zeros)."""
    window = Window((weight.shape[2], weight.shape[3]), stride, padding, dilation)
    geometry = conv_geometry(x.shape, weight.shape, window, groups)
    (top, left), (height, width) = padding, geometry.inputs
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
    dpadded, dweight = np.zeros_like(padded), np.zeros_like(weight)
    y = np.zeros((len(x), len(weight), *geometry.outputs), x.dtype)
    g = np.zeros_like(y) if grad is None else grad
    part, features = x.shape[1] // groups, len(weight) // groups
    for n, o, i, j in np.ndindex(*y.shape):
        first = o // features * part
        rows, columns = i * stride[0], j * stride[1]
        seen = (
            n,
            slice(first, first + part),
            slice(rows, rows + window.extent[0], dilation[0]),
            slice(columns, columns + window.extent[1], dilation[1]),
        )
        y[n, o, i, j] = (weight[o] * padded[seen]).sum() + (0 if bias is None else bias[o])
        dweight[o] += g[n, o, i, j] * padded[seen]
        dpadded[seen] += g[n, o, i, j] * weight[o]
    dx = dpadded[:, :, top : top + height, left : left + width]
    return y, dx, dweight, g.sum((0, 2, 3))
