"""The learner's functions on whole batches: from their signature to that of a half of an operation.

A forward takes arrays and then options, and returns y and a tuple of the arrays that backward
needs; a backward takes dy, these arrays and the options, and returns a gradient for each array that
forward took (`needs` says which of them are wanted). The lessons' functions are simpler: of one
image, one map or one pixel. Nothing here computes what a lesson asks for: images are taken apart
and put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.kernels.threefry import Key, random_bits

Array = NDArray[Any]
Half = Callable[..., Any]
Function = Callable[..., Any]


# ----- convolution: lesson 04 -----


def conv_by_images(conv_forward: Function) -> Half:
    """`conv_forward`, image by image and group by group."""

    def forward(
        x: Array, weight: Array, bias: Array, stride: int, padding: int, groups: int
    ) -> tuple[Array, tuple[Array, ...]]:
        y = [
            np.concatenate(
                [
                    np.asarray(conv_forward(maps, filters, biases, stride, padding))
                    for maps, filters, biases in _groups(groups, image, weight, bias)
                ]
            )
            for image in x
        ]
        return np.stack(y), (x, weight)

    return forward


def conv_by_columns(columns: Function) -> Half:
    """The same by `columns` and one matrix product, for a square kernel."""

    def forward(
        x: Array, weight: Array, bias: Array, stride: int, padding: int, groups: int
    ) -> tuple[Array, tuple[Array, ...]]:
        size = weight.shape[2]
        side = [(length + 2 * padding - size) // stride + 1 for length in x.shape[2:]]
        y = np.empty((len(x), *side, len(weight)), x.dtype)
        for image, out in zip(_bordered(x, padding), y, strict=True):
            for maps, filters, biases, part in _groups(groups, image, weight, bias, out.T):
                col = np.asarray(columns(maps.transpose(1, 2, 0), size, stride))
                part.T[...] = (col @ _matrix(filters) + biases).reshape(*side, -1)
        return y.transpose(0, 3, 1, 2), (x, weight)

    return forward


def conv_back_by_images(conv_backward: Function) -> Half:
    """`conv_backward`, image by image and group by group."""

    def backward(
        grad: Array, x: Array, weight: Array, stride: int, padding: int, groups: int, needs: Any
    ) -> tuple[Array, Array, Array]:
        dx, dweight, dbias = (
            np.empty_like(x),
            np.zeros_like(weight),
            np.zeros_like(weight[:, 0, 0, 0]),
        )
        for image, out, g in zip(x, dx, grad, strict=True):
            for maps, filters, part, to_x, to_weight, to_bias in _groups(
                groups, image, weight, g, out, dweight, dbias
            ):
                found = conv_backward(part, maps, filters, stride, padding)
                to_x[...] = found[0]
                to_weight += np.asarray(found[1], weight.dtype)
                to_bias += np.asarray(found[2], weight.dtype)
        return dx, dweight, dbias

    return backward


def conv_back_by_columns(columns: Function) -> Half:
    """By `columns` alone: dweight is col^T g, and dx a convolution of g, spread out by the stride,
    with the turned kernel (lesson 04, "minigrad's fast code")."""

    def backward(
        grad: Array, x: Array, weight: Array, stride: int, padding: int, groups: int, needs: Any
    ) -> tuple[Array | None, Array, Array]:
        size, dweight = weight.shape[2], np.zeros_like(weight)
        for image, g in zip(_bordered(x, padding), grad, strict=True):
            for maps, part, to_weight in _groups(groups, image, g, dweight):
                col = np.asarray(columns(maps.transpose(1, 2, 0), size, stride))
                product = (col.T @ part.reshape(len(part), -1).T).reshape(size, size, len(maps), -1)
                to_weight += product.transpose(3, 2, 0, 1)
        dx = _turned(grad, x, weight, stride, padding, groups) if needs[0] else None
        return dx, dweight, grad.sum((0, 2, 3))

    def _turned(
        grad: Array, x: Array, weight: Array, stride: int, padding: int, groups: int
    ) -> Array:
        size, (rows, cols) = weight.shape[2], x.shape[2:]
        dx = np.empty_like(x)
        shape = (rows + 2 * padding + size - 1, cols + 2 * padding + size - 1)
        for g, out in zip(grad, dx, strict=True):
            spread = np.zeros((len(g), *shape), g.dtype)
            end = [size - 1 + (n - 1) * stride + 1 for n in g.shape[1:]]
            spread[:, size - 1 : end[0] : stride, size - 1 : end[1] : stride] = g
            for part, filters, to_x in _groups(groups, spread, weight, out):
                turned = filters[:, :, ::-1, ::-1].swapaxes(0, 1)
                col = np.asarray(columns(part.transpose(1, 2, 0), size, 1))
                whole = (col @ _matrix(turned)).reshape(rows + 2 * padding, cols + 2 * padding, -1)
                inner = whole[padding : padding + rows, padding : padding + cols]
                to_x[...] = inner.transpose(2, 0, 1)
        return dx

    return backward


def _groups(count: int, *arrays: Array) -> Iterator[tuple[Array, ...]]:
    """The parts of the arrays, cut along the first axis, that belong to each group; views."""
    return zip(*(np.split(array, count) for array in arrays), strict=True)


def _bordered(x: Array, padding: int) -> Array:
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def _matrix(weight: Array) -> Array:
    """weight (O, C, size, size) as a matrix with a column for each filter, rows u, v, c."""
    return weight.transpose(2, 3, 1, 0).reshape(-1, len(weight))


# ----- pooling: lesson 05 -----
# A batch's maps are put one below the other, so far apart that each begins where a window begins:
# one call for all of them. What windows across two maps give is thrown away.


def pool_all_maps(pool_forward: Function) -> Half:
    def forward(x: Array, size: int, stride: int) -> tuple[Array, tuple[Array, ...]]:
        apart, out = _apart(x, stride), _pooled(x, size, stride)
        tall = np.zeros((*x.shape[:2], apart, x.shape[3]), x.dtype)
        tall[:, :, : x.shape[2]] = x
        found = pool_forward(tall.reshape(-1, x.shape[3]), size, stride)
        y, winners = (_map_by_map(np.asarray(a), x, apart // stride, out) for a in found)
        return y, (x, winners.astype(np.int64))

    return forward


def pool_back_all_maps(pool_backward: Function) -> Half:
    def backward(
        grad: Array, x: Array, winners: Array, size: int, stride: int, needs: Any
    ) -> tuple[Array]:
        apart = _apart(x, stride)
        rows = (x.shape[0] * x.shape[1] * apart - size) // stride + 1
        one, other = (_below(a, apart // stride, rows) for a in (grad, winners.astype(np.int64)))
        shape = (x.shape[0] * x.shape[1] * apart, x.shape[3])
        dx = np.asarray(pool_backward(one, other, shape, size, stride))
        return (dx.reshape(*x.shape[:2], apart, x.shape[3])[:, :, : x.shape[2]],)

    return backward


def _apart(x: Array, stride: int) -> int:
    """Rows from one map to the next: whole steps."""
    return int(-(-x.shape[2] // stride) * stride)


def _pooled(x: Array, size: int, stride: int) -> tuple[int, ...]:
    return tuple((length - size) // stride + 1 for length in x.shape[2:])


def _map_by_map(tall: Array, x: Array, apart: int, out: tuple[int, ...]) -> Array:
    whole = np.zeros((x.shape[0] * x.shape[1] * apart, out[1]), tall.dtype)
    whole[: len(tall)] = tall
    return whole.reshape(*x.shape[:2], apart, out[1])[:, :, : out[0]]


def _below(maps: Array, apart: int, rows: int) -> Array:
    tall = np.zeros((*maps.shape[:2], apart, maps.shape[3]), maps.dtype)
    tall[:, :, : maps.shape[2]] = maps
    return tall.reshape(-1, maps.shape[3])[:rows]


# ----- LRN: lesson 07 -----


def lrn_all_pixels(normalise: Function) -> Half:
    def forward(
        x: Array, n: int, k: float, alpha: float, beta: float, groups: int
    ) -> tuple[Array, tuple[Array, ...]]:
        y, s = np.empty_like(x), np.empty_like(x)
        of_pixel = _all_pixels(lambda a: normalise(a, n, k, alpha, beta), 2)
        for part in _channels(x, groups):
            y[:, part], s[:, part] = of_pixel(x[:, part])
        return y, (x, s)

    return forward


def lrn_back_all_pixels(normalise_backward: Function) -> Half:
    def backward(
        grad: Array, x: Array, s: Array, n: int, k: float, alpha: float, beta: float, groups: int,
        needs: Any,
    ) -> tuple[Array]:  # fmt: skip
        dx = np.empty_like(x)
        of_pixel = _all_pixels(lambda g, a, b: (normalise_backward(g, a, b, n, alpha, beta),), 1)
        for part in _channels(x, groups):
            (dx[:, part],) = of_pixel(grad[:, part], x[:, part], s[:, part])
        return (dx,)

    return backward


def _channels(x: Array, groups: int) -> list[slice]:
    width = x.shape[1] // groups
    return [slice(g * width, (g + 1) * width) for g in range(groups)]


def _all_pixels(function: Function, results: int) -> Function:
    """A function of the channels (C,) of a pixel, for maps (N, C, H, W).

    Most such functions can do all pixels in one call: if the numbers of the channels are themselves
    arrays, one number for each pixel, + and * work on all of them (an array whose elements are
    arrays has dtype object). Those that cannot are called pixel by pixel.
    """

    def on_maps(*maps: Array) -> tuple[Array, ...]:
        first = maps[0]
        flat = [np.moveaxis(m, 1, 0).reshape(m.shape[1], -1) for m in maps]  # (C, pixels)
        found = _in_one_call(function, flat, results)
        if found is None:
            each = [function(*(f[:, i].copy() for f in flat)) for i in range(flat[0].shape[1])]
            found = [np.stack([one[r] for one in each], 1) for r in range(results)]
        back = (len(first), *first.shape[2:])
        return tuple(np.moveaxis(f.reshape(-1, *back), 0, 1) for f in found)

    return on_maps


def _in_one_call(function: Function, flat: list[Array], results: int) -> list[Array] | None:
    """The results for all pixels (C, pixels), or None where the function cannot do that."""
    elements = []
    for maps in flat:
        element = np.empty(len(maps), object)
        element[:] = list(maps)
        elements.append(element)
    try:
        got = function(*elements)
        found = [np.stack([np.asarray(a, float) for a in got[r]]) for r in range(results)]
        here = [0, flat[0].shape[1] // 2]
        alone = [function(*(f[:, i].copy() for f in flat)) for i in here]
    except Exception:  # it is the learner's, and may do anything with numbers that are none
        return None
    for result in range(results):
        expected = np.stack([np.asarray(a[result], float) for a in alone], 1)
        if found[result].shape != flat[0].shape:
            return None
        if not np.allclose(found[result][:, here], expected, rtol=1e-5, atol=0):
            return None
    return found


# ----- what works on whole arrays as it is -----


def from_y(backward_of_y: Function) -> Half:
    """A backward(grad, y): lesson 06's relu_backward and tanh_backward; an image is a row, as loops
    over rows and columns are an answer, too."""

    def backward(grad: Array, y: Array, needs: Any) -> tuple[Array]:
        found = backward_of_y(*(a.reshape(len(a), -1) for a in (grad, y)))
        return (np.asarray(found, y.dtype).reshape(y.shape),)

    return backward


def prelu_back(prelu_backward: Function) -> Half:
    def backward(grad: Array, x: Array, weight: Array, needs: Any) -> tuple[Array, Array]:
        dx, dweight = prelu_backward(grad, x, weight)
        return dx, dweight

    return backward


def dropout_of_key(inverted_dropout: Function) -> Half:
    """Its random numbers are those of the key, from which backward draws its mask again."""

    def forward(x: Array, p: float, key: Key) -> tuple[Array, tuple[Array, ...]]:
        u = random_bits(key, x.size).reshape(x.shape) / 2.0**32
        return inverted_dropout(x, u, p), ()

    return forward


def dropout_back(dropout_backward: Function) -> Half:
    def backward(grad: Array, p: float, key: Key, needs: Any) -> tuple[Array]:
        return (dropout_backward(grad, p, key),)

    return backward


def linear(linear_forward: Function) -> Half:
    def forward(x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, ...]]:
        return linear_forward(x, weight, bias), (x, weight)

    return forward


def linear_back(linear_backward: Function) -> Half:
    def backward(grad: Array, x: Array, weight: Array, needs: Any) -> Any:
        return tuple(linear_backward(grad, x, weight))

    return backward


def loss_and_slope(cross_entropy: Function) -> Half:
    """The mean loss; its slope is there already, and backward has only to hand it on."""

    def forward(logits: Array, labels: Array) -> tuple[Array, tuple[Array, ...]]:
        loss, dlogits = cross_entropy(logits, labels)
        return np.asarray(loss), (np.asarray(dlogits, logits.dtype),)

    return forward


def sum_both(sum_to: Function) -> Half:
    """Of an addition that broadcasts: each gradient is dy, summed to its own shape."""

    def backward(grad: Array, a: Array, b: Array, needs: Any) -> tuple[Array, Array]:
        return sum_to(grad, a.shape), sum_to(grad, b.shape)

    return backward
