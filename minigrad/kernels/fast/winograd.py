"""3 x 3 convolution at stride 1 with fewer multiplications: Winograd's minimal filtering.

F(2 x 2, 3 x 3): a tile of 2 x 2 outputs sees 4 x 4 inputs d. Instead of 36 products for each pair
of channels it takes 16, those of the elements of U and D:

    U = G g G^T,    D = B^T d B,    y = A^T (sum over channels of U * D) A

so that for each of the 16 places (i, j) there is one matrix product D[i, j] U[i, j] over all tiles.
What is left of the sums is additions. The input gradient is such a convolution, of the output
gradient with the flipped kernel. The weight gradient is the same three lines, backward, and
F(3 x 3, 2 x 2):

    E = A dy A^T,    dU = sum over tiles of D * E,    dg = G^T dU G

`docs/winograd.md` derives it. Rounding: B, G and A add and subtract up to 16 numbers, so that the
error is up to twice im2col's (`tests/minigrad/test_winograd.py` has the bound). A NaN or an Inf
reaches the same outputs and input gradients as with im2col, but an Inf arrives as NaN (Inf - Inf);
in a pixel at the edge it may reach more taps of the weight gradient.

Source: S. Winograd, Arithmetic Complexity of Computations, SIAM 1980; A. Lavin and S. Gray, Fast
Algorithms for Convolutional Neural Networks, 2015, arXiv:1509.09308.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from ... import sums
from ...arrays import Array
from ..conv import Geometry, as_matrices, as_weight, conv2d_backward, conv2d_forward, conv_geometry
from ..im2col import Pair
from ..layout import as_nchw, as_nhwc
from .conv import ARRAY_STEPS, flipped
from .memory import empty, scratch
from .parallel import get_num_threads, over_batch
from .product import STORED, get_precision, product

SWITCH = "MINIGRAD_WINOGRAD"
TILES = 512  # of a chunk and thread: the arrays on the way fit the caches, the products are large
FEWEST_CHANNELS, FEWEST_TILES = 32, 128  # measured (benchmarks/winograd.py): below, im2col is ahead

# One dimension, F(2, 3). As in the sources, but for the signs of B's last row and A's last column:
# so the last row of E is dy's own.
B_T = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]])
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
A_T = np.array([[1, 1, 1, 0], [0, 1, -1, 1]])

_ROWS_OF_B_T = ((0, np.subtract, 2), (1, np.add, 2), (2, np.subtract, 1), (3, np.subtract, 1))


def fits(weight: Array, stride: Pair, padding: Pair, dilation: Pair) -> bool:
    """Whether the formula is for this convolution."""
    return weight.shape[2:] == (3, 3) and stride == dilation == (1, 1) and max(padding) <= 2


def switched_on() -> bool:
    """Whether the environment leaves this way on; ValueError for what is neither on nor off."""
    value = os.environ.get(SWITCH, "on")
    if value not in ("on", "off"):
        raise ValueError(f"{SWITCH}={value} in the environment: expected on (the default) or off")
    return value == "on"


# ----- the transforms, as additions of what holds many tiles -----


def planes(x: Array, border: Pair, size: Pair, name: str) -> Array:
    """x (n, H, W, C) inside zeros, by parity of row and column: (2, 2, n, *size, C), in scratch.

    [r, s, :, i, j] is padded pixel (2i + r, 2j + s): neighbouring tiles lie side by side.
    """
    split = scratch(np, name, (2, 2, len(x), *size, x.shape[3]), x.dtype)
    split[...] = 0
    for r, s in np.ndindex(2, 2):
        (row, i), (column, j) = _first(r, border[0]), _first(s, border[1])
        part = x[:, row::2, column::2]
        split[r, s, :, i : i + part.shape[1], j : j + part.shape[2]] = part
    return split


def _first(parity: int, border: int) -> Pair:
    """The first pixel of x that lies in the plane of this parity, and where in it."""
    place = -(-(border - parity) // 2)
    return 2 * place + parity - border, place


def row_of_b(i: int, halves: Array, out: Array) -> Array:
    """Row i of B^T d for all tiles: the tile at k has d = even[k], odd[k], even[k+1], odd[k+1].

    halves (2, a, b, tiles + 1, ...): even and odd. Returns `out` (a, b, tiles, ...).
    """
    one, combine, other = _ROWS_OF_B_T[i]
    return combine(_of_tile(halves, one), _of_tile(halves, other), out=out)


def _of_tile(halves: Array, place: int) -> Array:
    half = halves[place % 2]
    return half[:, :, 1:] if place > 1 else half[:, :, :-1]


def row_of_a(i: int, halves: Array, out: Array) -> Array:
    """Row i of A dy for all tiles: dy's even or odd one, or their sum or difference in `out`."""
    if i in (0, 3):
        return halves[i // 3]
    return (np.add if i == 1 else np.subtract)(halves[0], halves[1], out=out)


def place_for(i: int, halves: Array, spare: Array) -> Array:
    """Where row i of what A^T is multiplied with is to be written, for `add_row`."""
    return halves[i] if i < 2 else spare


def add_row(i: int, halves: Array, row: Array) -> None:
    """halves (2, ...) += A^T's column i times `row`; rows come in order, 0 and 1 in their place."""
    if i == 1 or i == 2:
        halves[0] += row
    if i == 2:
        halves[1] -= row
    if i == 3:
        halves[1] += row


def transformed(weight: Array, groups: int, dtype: Any) -> Array:
    """U = G g G^T of a weight (out, C/groups, 3, 3): (4, 4, groups, C/groups, out/groups)."""
    g, (out, channels) = G.astype(dtype), weight.shape[:2]
    split = as_matrices(weight, groups).reshape(groups, 3, 3 * channels * out // groups)
    rows = (g @ split.astype(dtype, copy=False)).reshape(groups, 4, 3, -1)
    u = (g @ rows).reshape(groups, 4, 4, channels, out // groups)
    return np.ascontiguousarray(u.transpose(1, 2, 0, 3, 4))


def as_gradient(du: Array, shape: tuple[int, ...]) -> Array:
    """dg = G^T dU G, as the gradient of a weight of `shape`; dU as U of `transformed`."""
    g, groups = G.T.astype(du.dtype), du.shape[2]
    rows = (g @ du.reshape(4, -1)).reshape(3, 4, -1)
    both = (g @ rows).reshape(9, *du.shape[2:])
    matrices = both.swapaxes(0, 1).reshape(groups, -1, du.shape[4])
    return np.ascontiguousarray(as_weight(matrices, shape))


# ----- a few images -----


def tiles(geometry: Geometry) -> Pair:
    """Rows and columns of tiles of an image; the last ones may reach over the edge."""
    return -(-geometry.outputs[0] // 2), -(-geometry.outputs[1] // 2)


def filtered(x: Array, u: Array, geometry: Geometry, y: Array) -> None:
    """Overwrite y (n, oh, ow, out) with the convolution of x (n, H, W, C)."""
    (down, right), n, dtype = tiles(geometry), len(x), y.dtype
    out = geometry.out_channels
    split = planes(x, geometry.window.padding, (down + 1, right + 1), "planes")
    rows = scratch(np, "rows", (2, n, down, right + 1, geometry.channels), x.dtype)
    tile = scratch(np, "tile", (n, down, right, geometry.channels), x.dtype)
    result = scratch(np, "result", (2, 2, n, down, right, out), dtype)
    row_result = scratch(np, "row result", (2, n, down, right, out), dtype)
    spare = scratch(np, "spare", (n, down, right, out), dtype)
    flat = tile.reshape(-1, geometry.channels)
    for i in range(4):
        row_of_b(i, split, rows)
        sums_of_row = place_for(i, result, row_result)
        for j in range(4):
            row_of_b(j, rows, tile)
            m = place_for(j, sums_of_row, spare)
            for group in range(geometry.groups):
                m_group = geometry.of_group(m.reshape(-1, out), group)
                product(geometry.of_group(flat, group), u[i, j, group], m_group)
            add_row(j, sums_of_row, m)
        add_row(i, result, sums_of_row)
    for r, s in np.ndindex(2, 2):
        part = y[:, r::2, s::2]
        part[...] = result[r, s, :, : part.shape[1], : part.shape[2]]


def add_weight_gradient(x: Array, g: Array, geometry: Geometry, du: Array) -> None:
    """dU += the sum over the tiles of x (n, H, W, C) and of its gradient g (n, oh, ow, out)."""
    (down, right), n, out = tiles(geometry), len(x), geometry.out_channels
    split = planes(x, geometry.window.padding, (down + 1, right + 1), "planes")
    rows = scratch(np, "rows", (2, n, down, right + 1, geometry.channels), x.dtype)
    tile = scratch(np, "tile", (n, down, right, geometry.channels), x.dtype)
    gradients = planes(g, (0, 0), (down, right), "gradients")
    g_rows = scratch(np, "row result", (2, n, down, right, out), g.dtype)
    spare = scratch(np, "spare", (n, down, right, out), g.dtype)
    result = scratch(np, "product", du.shape[3:], du.dtype)
    flat = tile.reshape(-1, geometry.channels)
    for i in range(4):
        row_of_b(i, split, rows)
        g_row = row_of_a(i, gradients, g_rows)
        for j in range(4):
            row_of_b(j, rows, tile)
            e = row_of_a(j, g_row, spare).reshape(-1, out)
            for group in range(geometry.groups):
                d_group, e_group = geometry.of_group(flat, group), geometry.of_group(e, group)
                du[i, j, group] += product(d_group.T, e_group, result)


# ----- a batch -----


def pays(images: int, geometry: Geometry) -> bool:
    """Whether this way is the faster one: with little to multiply, the additions cost more."""
    channels = (geometry.channels // geometry.groups, geometry.out_channels // geometry.groups)
    return (
        min(channels) >= FEWEST_CHANNELS
        and max(channels) >= 2 * FEWEST_CHANNELS
        and images * math.prod(tiles(geometry)) >= FEWEST_TILES
    )


def _usable(
    first: Array, x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> bool:
    return (
        fits(weight, stride, padding, dilation)
        and all(type(a) is np.ndarray and a.dtype == np.float32 for a in (first, x, weight))
        and pays(len(x), conv_geometry(x.shape, weight.shape, stride, padding, dilation, groups))
        and get_precision() not in STORED
        and switched_on()
    )


def forward_usable(
    x: Array, weight: Array, bias: Array | None = None, stride: Pair = (1, 1),
    padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1, relu: bool = False,
) -> bool:  # fmt: skip
    """Whether `forward` takes this call: float32 only, so that float64 checks stay exact."""
    return _usable(x if bias is None else bias, x, weight, stride, padding, dilation, groups)


def backward_usable(
    grad: Array, x: Array, weight: Array, stride: Pair = (1, 1), padding: Pair = (0, 0),
    dilation: Pair = (1, 1), groups: int = 1, relu_output: Array | None = None,
    needs: tuple[bool, bool, bool] = (True, True, True),
) -> bool:  # fmt: skip
    """Whether `backward` takes this call."""
    return any(needs[:2]) and _usable(grad, x, weight, stride, padding, dilation, groups)


def chunk(images: int, geometry: Geometry) -> int:
    """Images of a chunk, but no more than leave each thread its part."""
    most = max(1, TILES // math.prod(tiles(geometry)))
    return max(1, min(most, -(-images // get_num_threads())))


@conv2d_forward.instead(forward_usable, "winograd")
@np.errstate(over="ignore", invalid="ignore")  # Inf - Inf: the loss shows it, as elsewhere
def forward(
    x: Array, weight: Array, bias: Array | None = None, stride: Pair = (1, 1),
    padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1, relu: bool = False,
) -> Array:  # fmt: skip
    """`conv2d_forward`, with bias and ReLU while each chunk is in the cache."""
    geometry = conv_geometry(x.shape, weight.shape, stride, padding, dilation, groups)
    source, dtype = as_nhwc(x), np.result_type(*(a for a in (x, weight, bias) if a is not None))
    u = transformed(weight, groups, dtype)
    y = empty(np, (len(x), *geometry.outputs, geometry.out_channels), dtype)
    finish = ARRAY_STEPS.bias_and_relu(geometry, y, bias, relu)

    def task(chunks: list[slice]) -> None:
        for part in chunks:
            filtered(source[part], u, geometry, y[part])
            finish(y[part])

    over_batch(np, task, len(x), chunk(len(x), geometry))
    return as_nchw(y)


@conv2d_backward.instead(backward_usable, "winograd")
@np.errstate(over="ignore", invalid="ignore")
def backward(
    grad: Array, x: Array, weight: Array, stride: Pair = (1, 1), padding: Pair = (0, 0),
    dilation: Pair = (1, 1), groups: int = 1, relu_output: Array | None = None,
    needs: tuple[bool, bool, bool] = (True, True, True),
) -> tuple[Array | None, Array | None, Array | None]:  # fmt: skip
    """`conv2d_backward`. Partial sums of dU are added in a fixed order: deterministic for a number
    of threads."""
    geometry = conv_geometry(x.shape, weight.shape, stride, padding, dilation, groups)
    source, dy, dtype = as_nhwc(x), as_nhwc(grad), np.result_type(grad, x, weight)
    y = None if relu_output is None else as_nhwc(relu_output)
    border = (2 - padding[0], 2 - padding[1])
    full = conv_geometry(grad.shape, (x.shape[1], len(weight) // groups, 3, 3), padding=border,
                         groups=groups)  # fmt: skip
    dx = empty(np, source.shape, dtype) if needs[0] else None
    u = transformed(flipped(weight, groups), groups, dtype) if needs[0] else None
    sizes = (4, 4, groups, weight.shape[1], len(weight) // groups)

    def task(chunks: list[slice]) -> tuple[Array, list[Array]]:
        du, dbiases = np.zeros(sizes if needs[1] else 0, dtype), []
        for part in chunks:
            g = dy[part] if y is None else ARRAY_STEPS.relu_backward(dy[part], y[part])
            if needs[2]:
                dbiases.append(sums.over(g.reshape(-1, geometry.out_channels), (0,)))
            if dx is not None:
                filtered(g, u, full, dx[part])
            if needs[1]:
                add_weight_gradient(source[part], g, geometry, du)
        return du, dbiases

    done = over_batch(np, task, len(x), chunk(len(x), geometry))
    dweight = dbias = None
    if needs[1]:
        du = done[0][0] if done else np.zeros(sizes, dtype)
        for other, _ in done[1:]:
            du += other
        dweight = as_gradient(du, weight.shape)
    if needs[2]:
        dbiases = [b for _, several in done for b in several] or [np.zeros(len(weight), dtype)]
        dbias = sums.over(np.stack(dbiases), (0,))
    return None if dx is None else as_nchw(dx), dweight, dbias
