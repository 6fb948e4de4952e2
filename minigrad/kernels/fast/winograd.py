"""3 x 3 convolution at stride 1 with 16 multiplications where the formula has 36.

Winograd's F(2 x 2, 3 x 3). In one dimension two neighbouring outputs of a kernel of three,

    y0 = d0 w0 + d1 w1 + d2 w2
    y1 = d1 w0 + d2 w1 + d3 w2

are six products. Four do, if sums are taken before and after:

    m0 = (d0 - d2) w0              m1 = (d1 + d2) (w0 + w1 + w2) / 2       y0 = m0 + m1 + m2
    m3 = (d1 - d3) w2              m2 = (d2 - d1) (w0 - w1 + w2) / 2       y1 = m1 - m2 - m3

As matrices, y = A^T [(G w) * (B^T d)], * element by element; in two dimensions, for a tile of 4 x 4
pixels and 2 x 2 outputs,

    Y = A^T [ (G w G^T) * (B^T d B) ] A

and summed over channels, * becomes 16 matrix products, each of (tiles, C) with (C, out). Backward
is the same chain with each step transposed. Numbers of one tile are mixed, so that an infinity or
a NaN of the input spreads over its tile's four outputs, and the rounding error is about 1.5 times
that of the plain sum. `MINIGRAD_WINOGRAD=off` goes without.

`docs/winograd.md` derives it. Sources: Winograd, Arithmetic Complexity of Computations (1980);
Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015), section 4.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ... import sums
from ...arrays import Array
from ..conv import Geometry, conv2d_backward, conv2d_forward, conv_geometry
from ..im2col import Pair
from ..layout import as_nchw, as_nhwc, pad_into
from .conv import ARRAY_STEPS
from .memory import empty, scratch
from .parallel import over_batch
from .product import STORED, get_precision

SWITCH = "MINIGRAD_WINOGRAD"
WORKSPACE = 8 * 1024**2  # bytes of transformed tiles per thread: measured
# From where it pays, measured (`benchmarks/winograd.py`):
SMALLEST = 128  # channels in and out, of a group: transforms take as long for fewer
FEWEST = 256  # tiles of a batch: the weights are transformed once
LEAST_SAVING = 1.8  # times fewer multiplications; 2.25 but for what the last tiles hang over


# ----- the three transforms along one axis, and their adjoints -----


def input_transform(d: list[Array], out: Array) -> None:
    """out = B^T d, for the four d along an axis."""
    np.subtract(d[0], d[2], out=out[0])
    np.add(d[1], d[2], out=out[1])
    np.subtract(d[2], d[1], out=out[2])
    np.subtract(d[1], d[3], out=out[3])


def input_adjoint(m: Array, even: Array, odd: Array) -> None:
    """d += B m for overlapping tiles along an axis: tile t holds d of even t, odd t, even t + 1
    and odd t + 1. m (4, ...); even and odd have one place more than there are tiles, in axis 0."""
    even[:-1], odd[:-1] = m[0], m[1]
    even[-1], odd[-1] = 0, 0
    odd[:-1] -= m[2]
    odd[:-1] += m[3]
    even[1:] -= m[0]
    even[1:] += m[1]
    even[1:] += m[2]
    odd[1:] -= m[3]


def kernel_transform(w: Array, out: Array) -> None:
    """out = G w, for the three w along axis 0."""
    ends = (w[0] + w[2]) / 2
    half = w[1] / 2
    out[0], out[3] = w[0], w[2]
    np.add(ends, half, out=out[1])
    np.subtract(ends, half, out=out[2])


def kernel_adjoint(u: Array) -> Array:
    """G^T u, for the four u along axis 0."""
    ends, half = (u[1] + u[2]) / 2, (u[1] - u[2]) / 2
    return np.stack([u[0] + ends, half, ends + u[3]])


def output_adjoint(first: Array, second: Array, out: Array) -> None:
    """out = A y, for the two y along an axis."""
    out[0] = first
    np.add(first, second, out=out[1])
    np.subtract(first, second, out=out[2])
    np.negative(second, out=out[3])


# ----- tiles of a few images; n images, th x tw tiles of each -----


def tiles_of(geometry: Geometry) -> tuple[int, int]:
    """th, tw: how many tiles of 2 x 2 outputs an image has; the last may hang over."""
    oh, ow = geometry.outputs
    return -(-oh // 2), -(-ow // 2)


def transformed_input(x: Array, geometry: Geometry) -> Array:
    """B^T d B of every tile. x (n, H, W, C) of one group -> (4, 4, n * th * tw, C), in scratch."""
    (n, *_, channels), (th, tw) = x.shape, tiles_of(geometry)
    padded = scratch(np, "padded", (n, 2 * th + 2, 2 * tw + 2, channels), x.dtype)
    pad_into(padded, x, geometry.window.padding)
    columns = scratch(np, "columns", (4, n, 2 * th + 2, tw, channels), x.dtype)
    input_transform([padded[:, :, j : j + 2 * tw - 1 : 2] for j in range(4)], columns)
    out = scratch(np, "tiles", (4, 4, n, th, tw, channels), x.dtype)
    input_transform([columns[:, :, i : i + 2 * th - 1 : 2] for i in range(4)], out)
    return out.reshape(4, 4, -1, channels)


def add_input_gradient(m: Array, geometry: Geometry, dx: Array) -> None:
    """dx = B m B^T, overlapping tiles added up; the adjoint of `transformed_input`."""
    (n, *_, channels), (th, tw) = dx.shape, tiles_of(geometry)
    m = m.reshape(4, 4, n, th, tw, channels)
    columns = scratch(np, "columns", (4, n, 2 * th + 2, tw, channels), dx.dtype)
    along = np.moveaxis(columns, 2, 0)  # rows first
    input_adjoint(np.moveaxis(m, 3, 1), along[0::2], along[1::2])
    padded = scratch(np, "padded", (n, 2 * th + 2, 2 * tw + 2, channels), dx.dtype)
    along = np.moveaxis(padded, 2, 0)
    input_adjoint(np.moveaxis(columns, 3, 1), along[0::2], along[1::2])
    (top, left), (height, width) = geometry.window.padding, geometry.inputs
    dx[...] = padded[:, top : top + height, left : left + width]


def output(m: Array, geometry: Geometry, y: Array) -> None:
    """y = A^T m A of every tile. m (4, 4, n * th * tw, out) -> y (n, oh, ow, out) of one group."""
    (n, *_, channels), (th, tw) = y.shape, tiles_of(geometry)
    m = m.reshape(4, 4, n, th, tw, channels)
    rows = scratch(np, "rows", (2, *m.shape[1:]), m.dtype)
    np.add(m[0], m[1], out=rows[0])
    rows[0] += m[2]
    np.subtract(m[1], m[2], out=rows[1])
    rows[1] -= m[3]
    for u, part in enumerate(rows):
        even, odd = y[:, u::2, 0::2], y[:, u::2, 1::2]
        inside = part[:, :, : even.shape[1]]  # what hangs over is dropped
        np.add(inside[0], inside[1], out=even)
        even += inside[2]
        inside = inside[..., : odd.shape[2], :]
        np.subtract(inside[1], inside[2], out=odd)
        odd -= inside[3]


def transformed_gradient(g: Array, geometry: Geometry) -> Array:
    """A g A^T of every tile, the adjoint of `output`. g (n, oh, ow, out) of one group ->
    (4, 4, n * th * tw, out), in scratch."""
    (n, *_, channels), (th, tw) = g.shape, tiles_of(geometry)
    if g.shape[1:3] != (2 * th, 2 * tw):
        g = pad_into(scratch(np, "whole", (n, 2 * th, 2 * tw, channels), g.dtype), g, (0, 0))
    columns = scratch(np, "gcolumns", (4, n, 2 * th, tw, channels), g.dtype)
    output_adjoint(g[:, :, 0::2], g[:, :, 1::2], columns)
    out = scratch(np, "gtiles", (4, 4, n, th, tw, channels), g.dtype)
    output_adjoint(columns[:, :, 0::2], columns[:, :, 1::2], out)
    return out.reshape(4, 4, -1, channels)


def transformed_weight(weight: Array, groups: int) -> Array:
    """G w G^T. weight (out, C/g, 3, 3) -> (4, 4, groups, C/g, out/g)."""
    out, channels = weight.shape[:2]
    w = weight.reshape(groups, out // groups, channels, 3, 3).transpose(3, 4, 0, 2, 1)
    w = np.ascontiguousarray(w)
    rows = np.empty((4, *w.shape[1:]), w.dtype)
    kernel_transform(w, rows)
    u = np.empty((4, 4, *w.shape[2:]), w.dtype)
    kernel_transform(rows.swapaxes(0, 1), u)
    return u.swapaxes(0, 1)


def weight_gradient(du: Array, shape: tuple[int, ...]) -> Array:
    """G^T du G, the adjoint of `transformed_weight`: a gradient of `shape` (out, C/g, 3, 3)."""
    dw = kernel_adjoint(kernel_adjoint(du).swapaxes(0, 1)).swapaxes(0, 1)
    return np.ascontiguousarray(dw.transpose(2, 4, 3, 0, 1).reshape(shape))


# ----- the convolution -----


def pays(
    x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int,
    *others: Array | None,
) -> bool:  # fmt: skip
    """Whether this way can be taken, and is faster."""
    if weight.shape[2:] != (3, 3) or tuple(stride) != (1, 1) or tuple(dilation) != (1, 1):
        return False
    arrays = (x, weight, *others)
    if any(a is not None and (type(a) is not np.ndarray or a.dtype != np.float32) for a in arrays):
        return False
    if min(weight.shape[1], weight.shape[0] // groups) < SMALLEST:
        return False
    oh, ow = (size + 2 * p - 2 for size, p in zip(x.shape[2:], padding, strict=True))
    tiles = -(-oh // 2) * -(-ow // 2)
    return (
        len(x) * tiles >= FEWEST
        and 9 * oh * ow >= LEAST_SAVING * 16 * tiles
        and get_precision() not in STORED
        and os.environ.get(SWITCH) != "off"
    )


def _forward_pays(
    x: Array, weight: Array, bias: Array | None = None, stride: Pair = (1, 1),
    padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1, relu: bool = False,
) -> bool:  # fmt: skip
    return pays(x, weight, stride, padding, dilation, groups, bias)


def _backward_pays(
    grad: Array, x: Array, weight: Array, stride: Pair = (1, 1), padding: Pair = (0, 0),
    dilation: Pair = (1, 1), groups: int = 1, relu_output: Array | None = None,
    needs: tuple[bool, bool, bool] = (True, True, True),
) -> bool:  # fmt: skip
    return (needs[0] or needs[1]) and pays(x, weight, stride, padding, dilation, groups, grad)


def _chunk(geometry: Geometry) -> int:
    """Images whose transformed tiles fit the workspace."""
    th, tw = tiles_of(geometry)
    channels = geometry.channels + geometry.out_channels
    return max(1, WORKSPACE // (16 * 4 * th * tw * channels // geometry.groups))


@conv2d_forward.instead(_forward_pays, "winograd")
def forward(
    x: Array, weight: Array, bias: Array | None = None, stride: Pair = (1, 1),
    padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1, relu: bool = False,
) -> Array:  # fmt: skip
    """`conv2d_forward`."""
    geometry = conv_geometry(x.shape, weight.shape, stride, padding, dilation, groups)
    source, u = as_nhwc(x), transformed_weight(weight, groups)
    y = empty(np, (len(x), *geometry.outputs, geometry.out_channels), x.dtype)
    finish = ARRAY_STEPS.bias_and_relu(geometry, y, bias, relu)

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            for group in range(groups):
                d = transformed_input(geometry.of_group(source[part], group), geometry)
                m = scratch(np, "products", (*d.shape[:3], u.shape[-1]), d.dtype)
                np.matmul(d, u[:, :, group], out=m)
                output(m, geometry, geometry.of_group(y[part], group))
            finish(y[part])

    over_batch(np, task, len(x), _chunk(geometry))
    return as_nchw(y)


@conv2d_backward.instead(_backward_pays, "winograd")
def backward(
    grad: Array, x: Array, weight: Array, stride: Pair = (1, 1), padding: Pair = (0, 0),
    dilation: Pair = (1, 1), groups: int = 1, relu_output: Array | None = None,
    needs: tuple[bool, bool, bool] = (True, True, True),
) -> tuple[Array | None, Array | None, Array | None]:  # fmt: skip
    """`conv2d_backward`: with E = A g A^T, dw = G^T [(B^T d B) * E] G and dx = B [(G w G^T) * E]
    B^T."""
    geometry = conv_geometry(x.shape, weight.shape, stride, padding, dilation, groups)
    source, dy = as_nhwc(x), as_nhwc(grad)
    u = transformed_weight(weight, groups) if needs[0] else None
    sizes = (4, 4, groups, weight.shape[1], len(weight) // groups)
    y = None if relu_output is None else as_nhwc(relu_output)
    dx = empty(np, source.shape, x.dtype) if needs[0] else None

    def task(chunks: list[slice]) -> tuple[Any, list[Array]]:
        du, dbiases = np.zeros(sizes, x.dtype) if needs[1] else None, []
        for part in chunks:
            g = dy[part] if y is None else ARRAY_STEPS.relu_backward(dy[part], y[part])
            if needs[2]:
                dbiases.append(sums.over(g.reshape(-1, geometry.out_channels), (0,)))
            for group in range(groups):
                e = transformed_gradient(geometry.of_group(g, group), geometry)
                if du is not None:
                    d = transformed_input(geometry.of_group(source[part], group), geometry)
                    m = scratch(np, "dproducts", (4, 4, *sizes[3:]), e.dtype)
                    du[:, :, group] += np.matmul(d.swapaxes(2, 3), e, out=m)
                if dx is not None and u is not None:
                    m = scratch(np, "tiles", (*e.shape[:3], sizes[3]), e.dtype)
                    np.matmul(e, u[:, :, group].swapaxes(2, 3), out=m)
                    add_input_gradient(m, geometry, geometry.of_group(dx[part], group))
        return du, dbiases

    done = over_batch(np, task, len(x), _chunk(geometry))
    dweight = None
    if needs[1]:
        dweight = weight_gradient(sum((d for d, _ in done[1:]), done[0][0]), weight.shape)
    dbiases = [b for _, several in done for b in several]
    dbias = sums.over(np.stack(dbiases), (0,)) if needs[2] else None
    return None if dx is None else as_nchw(dx), dweight, dbias
