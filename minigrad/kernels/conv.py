"""2-D convolution (cross-correlation, as every network means it) as one matrix product.

    y[n,o,i,j] = bias[o] + sum_{c,u,v} weight[o,c,u,v] x[n, c, i*sh + u*dh - ph, j*sw + v*dw - pw]

(with groups, the sum runs over the input channels c of o's group). `columns` lays side by side what
each output pixel sees; then y = columns @ weight + bias.

`@Kernel` says: this is the plain way, which defines what is computed; `fast/conv.py` and
`cuda/conv.py` may compute it instead (see `ways.py`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .. import sums
from ..arrays import Array, array_module
from .activation import relu_backward, relu_forward
from .im2col import Pair, Window, col2im, windows
from .layout import as_nchw, as_nhwc  # the axes in another order, nothing moved in memory
from .ways import Kernel


@Kernel
def conv2d_forward(
    x: Array, weight: Array, bias: Array | None = None, stride: Pair = (1, 1),
    padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1, relu: bool = False,
) -> Array:  # fmt: skip
    """Forward of the formula above; with `relu`, max(y, 0).

    x (N, C, H, W), weight (out, C/groups, kh, kw), bias (out,) -> (N, out, oh, ow), channels-last
    in memory. Backward needs x and weight (and y if relu), which `ops/conv.py` saves, and makes the
    columns again: those of a whole batch are large, 562 MB in conv1 of AlexNet for 128 images.
    """
    geometry = conv_geometry(x.shape, weight.shape, stride, padding, dilation, groups)
    y = columns(x, geometry) @ as_matrices(weight, groups)  # (groups, N*oh*ow, out/groups)
    y = y.swapaxes(0, 1).reshape(len(x), *geometry.outputs, len(weight))
    y = as_nchw(y if bias is None else y + bias)
    return relu_forward(y) if relu else y


@Kernel
def conv2d_backward(
    grad: Array, x: Array, weight: Array, stride: Pair = (1, 1), padding: Pair = (0, 0),
    dilation: Pair = (1, 1), groups: int = 1, relu_output: Array | None = None,
    needs: tuple[bool, bool, bool] = (True, True, True),
) -> tuple[Array | None, Array | None, Array | None]:  # fmt: skip
    """(dx, dweight, dbias), each None unless asked for by `needs`.

    With g = grad (where relu_output > 0, if given) as rows (N*oh*ow, out):
    dweight = columns^T g, dx = pixels(g weight^T), dbias = sum of the rows of g.
    """
    geometry = conv_geometry(x.shape, weight.shape, stride, padding, dilation, groups)
    grad = grad if relu_output is None else relu_backward(grad, relu_output)
    g = as_nhwc(grad).reshape(-1, groups, len(weight) // groups).swapaxes(0, 1)
    dx = dweight = None
    if needs[0]:
        dx = pixels(g @ as_matrices(weight, groups).swapaxes(1, 2), geometry)
    if needs[1]:
        dweight = as_weight(columns(x, geometry).swapaxes(1, 2) @ g, weight.shape)
    dbias = sums.over(grad, (0, 2, 3)) if needs[2] else None
    return dx, dweight, dbias


def columns(x: Array, geometry: Geometry) -> Array:
    """(groups, N*oh*ow, kh*kw*C/groups): row (n, i, j) is what output pixel (i, j) of image n sees,
    a group's channels at a time."""
    xp, groups, (top, left) = array_module(x), geometry.groups, geometry.window.padding
    padded = xp.pad(as_nhwc(x), ((0, 0), (top, top), (left, left), (0, 0)))
    seen = windows(padded, geometry.window, geometry.outputs)  # (N, oh, ow, kh, kw, C)
    split = seen.reshape(*seen.shape[:5], groups, geometry.channels // groups)
    return xp.moveaxis(split, 5, 0).reshape(groups, -1, geometry.row_length)


def pixels(dcol: Array, geometry: Geometry) -> Array:
    """dx (N, C, H, W): each number of dcol back to the pixel it was taken from, where they add up;
    the adjoint of `columns`."""
    xp, (top, left), (height, width) = array_module(dcol), geometry.window.padding, geometry.inputs
    padded = xp.empty((geometry.images, *geometry.padded_size, geometry.channels), dcol.dtype)
    for group, col in enumerate(dcol):
        col2im(col, geometry.window, geometry.outputs, geometry.of_group(padded, group))
    return as_nchw(padded[:, top : top + height, left : left + width])


def as_matrices(weight: Array, groups: int) -> Array:
    """weight (out, C/g, kh, kw) as (groups, kh*kw*C/g, out/g): what columns are multiplied with."""
    out, channels, kh, kw = weight.shape
    split = weight.reshape(groups, out // groups, channels, kh, kw).transpose(0, 3, 4, 2, 1)
    return split.reshape(groups, kh * kw * channels, out // groups)


def as_weight(matrices: Array, shape: tuple[int, ...]) -> Array:
    """The inverse of `as_matrices`: (groups, kh*kw*C/g, out/g) as a weight of `shape`."""
    out, channels, kh, kw = shape
    split = matrices.reshape(len(matrices), kh, kw, channels, out // len(matrices))
    return split.transpose(0, 4, 3, 1, 2).reshape(shape)


# ----- sizes, and what does not fit -----


class Geometry(NamedTuple):
    """Sizes of one convolution, checked."""

    window: Window
    groups: int
    images: int
    inputs: Pair
    channels: int
    outputs: Pair
    out_channels: int

    @property
    def row_length(self) -> int:
        """Of the columns: kernel height * width * channels of a group."""
        return math.prod(self.window.kernel) * (self.channels // self.groups)

    @property
    def padded_size(self) -> Pair:
        """Size of the padded map."""
        (height, width), (top, left) = self.inputs, self.window.padding
        return height + 2 * top, width + 2 * left

    def of_group(self, array: Array, group: int) -> Array:
        """The last axis of `array`, cut down to one group."""
        size = array.shape[-1] // self.groups
        return array[..., group * size : (group + 1) * size]


def conv_geometry(
    x: tuple[int, ...], weight: tuple[int, ...], stride: Pair = (1, 1), padding: Pair = (0, 0),
    dilation: Pair = (1, 1), groups: int = 1,
) -> Geometry:  # fmt: skip
    """Sizes of a convolution of these shapes. Raises ValueError that names what does not fit."""
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
    window = Window((weight[2], weight[3]), stride, padding, dilation)
    outputs = window.output(x[2], x[3])
    if min(outputs) < 1:
        raise ValueError(
            f"conv2d: a kernel that spans {window.extent} does not fit into {x[2:]} "
            f"with padding {window.padding}"
        )
    return Geometry(window, groups, x[0], (x[2], x[3]), x[1], outputs, weight[0])


# ----- the formula in loops -----


def conv2d_naive(
    x: Array, weight: Array, bias: Array | None = None, stride: Pair = (1, 1),
    padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1, grad: Array | None = None,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """The formula, one output element at a time: (y, dx, dweight, dbias) for `grad` (or zeros)."""
    geometry = conv_geometry(x.shape, weight.shape, stride, padding, dilation, groups)
    window, (top, left), (height, width) = geometry.window, padding, geometry.inputs
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
    dpadded, dweight = np.zeros_like(padded), np.zeros_like(weight)
    y = np.zeros((len(x), len(weight), *geometry.outputs), x.dtype)
    g = np.zeros_like(y) if grad is None else grad
    channels, out_channels = x.shape[1] // groups, len(weight) // groups  # of one group
    for n, o, i, j in np.ndindex(*y.shape):
        c, row, column = o // out_channels * channels, i * stride[0], j * stride[1]
        down = slice(row, row + window.extent[0], dilation[0])
        right = slice(column, column + window.extent[1], dilation[1])
        seen = (n, slice(c, c + channels), down, right)
        y[n, o, i, j] = (weight[o] * padded[seen]).sum() + (0 if bias is None else bias[o])
        dweight[o] += g[n, o, i, j] * padded[seen]
        dpadded[seen] += g[n, o, i, j] * weight[o]
    dx = dpadded[:, :, top : top + height, left : left + width]
    return y, dx, dweight, g.sum((0, 2, 3))
