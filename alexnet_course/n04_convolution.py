"""Checks of notebook 04, convolution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels.conv import conv2d_backward, conv2d_forward
from minigrad.kernels.im2col import Window, im2col

from .checks import Function, Hint, close, exercise, generator, result_for_case
from .questions import Choice, Number


class _Case(NamedTuple):
    """A convolution to try: of an image (C, H, W) with a kernel (O, C, kh, kw).

    `sofar` says where the cases before it were right, `question` asks for what is new in it.
    """

    image: tuple[int, int, int]
    kernel: tuple[int, int, int, int]
    stride: int
    padding: int
    sofar: str = ""
    question: str = ""

    def __str__(self) -> str:
        return (
            f"For x of shape {self.image}, kernel {self.kernel[2:]}, stride {self.stride} and "
            f"padding {self.padding}"
        )

    def right(self, name: str) -> str:
        """The sentence on the cases before this one."""
        return f"{name} is right {self.sofar}. " if self.sofar else ""


_STRIDE = (
    "Window (i, j) begins at (i * stride, j * stride) and has kh rows and kw columns: do yours? "
    "Does the last one end inside the image?"
)
_PLACE = (
    "Is each index inside its axis? Does window (i, j) begin at row i * stride and column "
    "j * stride?"
)
_OBLONG = "kh belongs to u and the rows, kw to v and the columns: is one taken for the other?"
_PADDING = (
    "Has each channel a border of zeros, `padding` deep, on all four sides, and are there no more "
    "channels than before? Do the windows come from the padded image?"
)
_BOTH = (
    "Is the border of zeros `padding` deep, and does window (i, j) begin at "
    "(i * stride, j * stride) of the padded image?"
)
_BORDER = (
    "Has each channel of x a border of zeros, `padding` deep, on all four sides? Is dx added up in "
    "an array with the same border, and is this cut off at the end?"
)
# Sides differ, channels differ, no kernel is symmetric, and a stride leaves rows or columns over:
# what is nice about an input hides a mistake. Each case adds something to those before it, so that
# a hint can say which. In the last of _FORWARD, kh for kw changes the shape of y in spite of the
# stride; in that of _BACKWARD, nothing is left over, so that the windows reach the whole border.
_FORWARD = (
    _Case((2, 5, 7), (3, 2, 3, 3), 1, 0),
    _Case((2, 6, 9), (3, 2, 3, 3), 2, 0, "at stride 1", _STRIDE),
    _Case((2, 5, 7), (3, 2, 2, 3), 1, 0, "for square kernels", _OBLONG),
    _Case((2, 5, 6), (3, 2, 3, 3), 1, 1, "without padding", _PADDING),
    _Case((3, 8, 12), (2, 3, 2, 3), 2, 2, "with stride or padding alone", _BOTH),
)
_BACKWARD = (
    _Case((2, 6, 9), (3, 2, 3, 3), 3, 0),
    _Case((2, 5, 7), (3, 2, 3, 3), 1, 0, "where no windows overlap"),
    _Case((2, 5, 7), (3, 2, 2, 3), 1, 0, "for square kernels", _OBLONG),
    _Case((2, 6, 8), (3, 2, 3, 3), 2, 1, "without padding", _BORDER),
    _Case((3, 8, 9), (2, 3, 2, 3), 2, 2, "with padding 1", _BORDER),
)


def _random(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = generator(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def _conv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, case: _Case) -> np.ndarray:
    """minigrad's convolution of one image (C, H, W), with stride and padding of `case`."""
    pairs = (case.stride, case.stride), (case.padding, case.padding)
    return np.asarray(conv2d_forward(x[None], weight, bias, *pairs)[0])


def _gradients(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray, case: _Case
) -> tuple[np.ndarray, np.ndarray]:
    """minigrad's dx and dweight for one image, with stride and padding of `case`."""
    pairs = (case.stride, case.stride), (case.padding, case.padding)
    dx, dweight, _ = conv2d_backward(grad[None], x[None], weight, *pairs)
    assert dx is not None
    assert dweight is not None
    return dx[0], dweight


def _result_of_conv(learner: Function, case: _Case, *args: Any) -> Any:
    args = (*args, case.stride, case.padding)
    return result_for_case(learner, args, case, case.right("It"), case.question or _PLACE)


def _factor(got: Any, expected: np.ndarray) -> float | None:
    """The one number that `expected` is multiplied with in `got`, if there is one."""
    largest = np.unravel_index(np.argmax(np.abs(expected)), expected.shape)
    factor = float(got[largest] / expected[largest])
    return factor if close(got, factor * expected) else None


def _first_wrong(name: str, got: Any, expected: np.ndarray) -> tuple[tuple[int, ...], str]:
    """The first element that is wrong: its place, and a sentence about it."""
    wrong = ~(np.abs(got - expected) <= 1e-6 * np.abs(expected).max())
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    return place, (
        f"the first wrong number is {name}[{', '.join(map(str, place))}]: {got[place]:.4g}, "
        f"expected {expected[place]:.4g} ({wrong.sum()} of {wrong.size} are wrong)."
    )


def _only(weight: np.ndarray, part: Any) -> np.ndarray:
    """`weight` with zeros outside of `part`."""
    alone = np.zeros_like(weight)
    alone[part] = weight[part]
    return alone


def _fractions(name: str, got: Any) -> None:
    if got.dtype.kind in "biu":
        raise Hint(f"{name} has whole numbers (dtype {got.dtype}): make it with dtype float.")


@exercise
def conv_forward(learner: Function) -> None:
    """conv_forward(x, weight, bias, stride, padding) -> y (O, oh, ow), for an image x (C, H, W)."""
    for seed, case in enumerate(_FORWARD):
        x, weight, bias = _random(seed, case.image, case.kernel, case.kernel[:1])
        y = _conv(x, weight, bias, case)
        got = np.asarray(_result_of_conv(learner, case, x, weight, bias))
        if np.shape(got) != y.shape:
            raise Hint(
                f"{case}, y has shape {np.shape(got)}, expected {y.shape}: one map for each "
                "filter, with (H + 2 * padding - kh) // stride + 1 rows, and as many columns as W "
                "and kw give in the same way."
            )
        if close(got, y):
            continue
        _fractions("y", got)
        _check_bias(got, y, _conv(x, weight, None, case))
        if close(got, _conv(x, weight, np.full_like(bias, bias.sum()), case)):
            raise Hint("The sum of all biases is added to each map: map o has bias[o] alone.")
        for kernel, hint in _wrong_kernels(weight):
            if any(close(got, _conv(x, kernel, b, case)) for b in (bias, None)):
                raise Hint(hint)
        rows, columns = y.shape[1:]
        slow = _conv(x, weight, bias, case._replace(stride=1))[:, :rows, :columns]
        if case.stride > 1 and close(got, slow):
            raise Hint("The windows move by one pixel: window (i, j) begins at i * stride.")
        place, first = _first_wrong("y", got, y)
        question = "What is different there from the numbers before it?"
        if not any(place):
            question = (
                f"It is the sum of {weight[0].size} products, weight[0, c, u, v] * x[c, u, v], "
                "and of bias[0]: what do you add up there?"
            )
        raise Hint(f"{case.right('y')}{case}, {first} {case.question or question}")


def _check_bias(got: Any, y: np.ndarray, plain: np.ndarray) -> None:
    """Whether y is right but for the bias; `plain` is y without it."""
    if close(got, plain):
        raise Hint("y is right but for the bias: each map has one, added to all its pixels.")
    times = _factor(got - plain, y - plain)
    if times is not None:
        added = "subtracted from" if close(times, -1) else f"added {times:g} times to"
        raise Hint(
            f"y is right but for the bias, which is {added} each pixel: it is added there once, "
            "behind the sum over c, u and v."
        )


def _wrong_kernels(weight: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """Kernels with which the right forward does what a wrong one does, and the hints."""
    yield (
        weight[:, :, ::-1, ::-1],
        "The kernel is turned by 180 degrees: that is the convolution of the mathematics books. "
        "Networks mean the formula above: u and v count forwards in x and weight.",
    )
    if weight.shape[2] == weight.shape[3]:
        yield (
            weight.swapaxes(2, 3),
            "u and v are mixed up: u goes with the rows of x, v with its columns.",
        )
        for product, axes in (("window @ weight[o]", 3), ("weight[o] @ window", 2)):
            alike = weight.sum(axes, keepdims=True).swapaxes(2, 3)
            yield (
                np.broadcast_to(alike, weight.shape),
                f"y is the sum of the matrix product {product}: here the two are multiplied number "
                "by number, with *.",
            )
    yield weight / weight[0].size, "Each number of y is a mean of products: it must be their sum."
    for c in range(weight.shape[1]):
        yield (
            _only(weight, np.s_[:, c]),
            f"y is what channel {c} gives alone: the sum runs over all channels. Is something "
            "written (=) that should be added (+=)?",
        )
    yield (
        _only(weight, np.s_[:, -1, -1, -1]),
        "Each number of y has only its last product in it: is something written (=) that should be "
        "added (+=)?",
    )
    corner = np.zeros_like(weight)
    corner[:, :, 0, 0] = weight.sum((2, 3))
    yield (
        corner,
        "Every weight meets the first pixel of its window: weight[o, c, u, v] meets the one that "
        "is u rows below it and v columns to its right.",
    )


@exercise
def columns(learner: Function) -> None:
    """columns(x, size, stride) -> col (oh * ow, size * size * C), for an image x (H, W, C)."""
    for (height, width, channels), size, stride in (
        ((5, 6, 2), 3, 1), ((7, 10, 3), 2, 3),
    ):  # fmt: skip
        shape = (height, width, channels)
        x = np.arange(height * width * channels).reshape(shape) + 0.5
        col = _columns(x, size, stride)
        case = f"For x of shape {shape}, size {size} and stride {stride}"
        question = f"{_PLACE} Does the last one end inside the image?"
        got = np.asarray(result_for_case(learner, (x, size, stride), case, question=question))
        if np.shape(got) == col.shape[::-1] != col.shape:
            raise Hint(
                f"{case}, col has shape {np.shape(got)}, expected {col.shape}: a window is a row, "
                "not a column."
            )
        if np.shape(got) != col.shape:
            raise Hint(
                f"{case}, col has shape {np.shape(got)}, expected {col.shape}: a row for each "
                "window, and in it all size * size * C numbers that the window sees."
            )
        if close(got, col):
            continue
        _fractions("col", got)
        taps = col.reshape(-1, size, size, channels)
        out = ((height - size) // stride + 1, (width - size) // stride + 1)
        if close(got, taps.transpose(0, 3, 1, 2).reshape(col.shape)):
            raise Hint(
                "A row holds channel after channel: here the channels of one pixel stay side by "
                "side, so that the order is u, v, c."
            )
        if close(got, taps.swapaxes(1, 2).reshape(col.shape)):
            raise Hint("A row goes down the columns of its window: u comes first, then v, then c.")
        if close(got, col.reshape(*out, -1).swapaxes(0, 1).reshape(col.shape)):
            raise Hint(
                "The windows come column by column: row i * ow + j of col is window (i, j), so the "
                "loop over i is the outer one."
            )
        if stride > 1 and close(got, _columns(x, size, 1, out)):
            raise Hint("The windows move by one pixel: window (i, j) begins at i * stride.")
        raise Hint(
            f"The shape is right. For x = np.arange({x.size}).reshape{shape} + 0.5, size {size}, "
            f"stride {stride}, {_first_wrong('col', got, col)[1]} Which window, and which u, v and "
            "c belong there?"
        )


def _columns(
    x: np.ndarray, size: int, stride: int, out: tuple[int, int] | None = None
) -> np.ndarray:
    """minigrad's columns of one image (H, W, C); `out` windows of them, if given."""
    window = Window((size, size), (stride, stride))
    out = out or window.output(*x.shape[:2])
    col = np.empty((out[0] * out[1], size * size * x.shape[2]))
    return np.asarray(im2col(x[None], window, out, col))


@exercise
def conv_backward(learner: Function) -> None:
    """conv_backward(grad, x, weight, stride, padding) -> (dx, dweight, dbias), for one image."""
    for seed, case in enumerate(_BACKWARD):
        x, weight = _random(seed + 10, case.image, case.kernel)
        (grad,) = _random(seed + 20, _conv(x, weight, None, case).shape)
        got = _result_of_conv(learner, case, grad, x, weight)
        if not isinstance(got, tuple) or len(got) != 3:
            raise Hint("Expected three things, in this order: dx, dweight and dbias.")
        dx, dweight, dbias = map(np.asarray, got)
        _check_dbias(dbias, grad)
        _check_dweight(dweight, grad, x, weight, case)
        _check_dx(dx, grad, x, weight, case)


def _check_dbias(got: Any, grad: np.ndarray) -> None:
    dbias = grad.sum((1, 2))
    if np.shape(got) != dbias.shape:
        raise Hint(
            f"dbias has shape {np.shape(got)}, expected {dbias.shape}: one number for each filter."
        )
    if close(got, grad.mean((1, 2))):
        raise Hint(
            "dbias is the mean of grad over its map: the bias is added to every pixel, and the "
            "gradients of all its uses add up."
        )
    if not close(got, dbias):
        raise Hint("dbias is wrong: which outputs does bias[o] touch, and by how much each?")


def _check_dweight(
    got: Any, grad: np.ndarray, x: np.ndarray, weight: np.ndarray, case: _Case
) -> None:
    sofar, (_, dweight) = "dbias is right. ", _gradients(grad, x, weight, case)
    if np.shape(got) == x.shape:
        raise Hint(
            f"{sofar}dweight has the shape of x, {x.shape}: return dx first, then dweight, then "
            "dbias."
        )
    if np.shape(got) != dweight.shape:
        raise Hint(
            f"{sofar}dweight has shape {np.shape(got)}, expected that of weight, {dweight.shape}."
        )
    if close(got, dweight):
        return
    for wrong, hint in _wrong_dweights(grad, x, weight, case):
        if close(got, wrong):
            raise Hint(f"{sofar}{hint}")
    times = _factor(got, dweight)
    if times == 0:
        raise Hint(f"{sofar}dweight is 0 everywhere: each window must add its part.")
    if times is not None:
        raise Hint(f"{sofar}dweight is {times:g} times what it should be.")
    _, first = _first_wrong("dweight", got, dweight)
    raise Hint(
        f"{sofar}{case.right('dweight')}{case}, {first} weight[o, c, u, v] meets, in window "
        "(i, j), one pixel of the padded x. Which one? And which number of grad goes with it?"
    )


def _wrong_dweights(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray, case: _Case
) -> Iterator[tuple[np.ndarray, str]]:
    """What wrong backwards take for dweight, and the hints."""
    _, dweight = _gradients(grad, x, weight, case)
    last = _only(grad, np.s_[:, -1, -1])
    yield (
        _gradients(last, x, weight, case)[1],
        "dweight is what the last window gives: a weight is used in every window, so each of them "
        "adds (+=) its part.",
    )
    yield dweight[:, :, ::-1, ::-1], "dweight is turned by 180 degrees: nothing is turned here."
    yield dweight / grad[0].size, "dweight is a mean over the windows: it must be the sum."
    if weight.shape[2] == weight.shape[3]:
        yield dweight.swapaxes(2, 3), "In dweight u and v are mixed up: u goes with the rows of x."
    yield (
        np.broadcast_to(dweight.sum(0), dweight.shape),
        "Each filter's dweight is the sum over all filters: what grad[o] gives belongs into "
        "dweight[o] alone.",
    )
    yield (
        _gradients(np.ones_like(grad), x, weight, case)[1],
        "In dweight, grad is missing: by how much does L grow with y[o, i, j]?",
    )


def _check_dx(got: Any, grad: np.ndarray, x: np.ndarray, weight: np.ndarray, case: _Case) -> None:
    sofar, (dx, _) = "dbias and dweight are right. ", _gradients(grad, x, weight, case)
    whole = _padded_dx(grad, x, weight, case)
    _check_dx_shape(got, dx, whole, sofar)
    if close(got, dx):
        return
    for wrong, hint in _wrong_dxs(grad, x, weight, case):
        if close(got, wrong):
            raise Hint(f"{sofar}{hint}")
    ones = np.ones_like(weight[:1, :1])
    windows, _ = _gradients(np.ones_like(grad[:1]), x[:1], ones, case)
    once = np.broadcast_to(windows <= 1, dx.shape)
    if once.any() and not once.all() and close(got[once], dx[once]):
        raise Hint(
            f"{sofar}dx is right at pixels that lie in one window and wrong where windows overlap: "
            "each window must add (+=) its part, not write it (=)."
        )
    times = _factor(got, dx)
    if times == 0:
        raise Hint(f"{sofar}dx is 0 everywhere: each window must add its part.")
    if times is not None:
        raise Hint(f"{sofar}dx is {times:g} times what it should be.")
    if any(close(got.sum((1, 2)), right.sum((1, 2))) for right in (dx, whole)):
        raise Hint(
            f"{sofar}Each channel of dx has the right sum, so its parts arrive at the wrong "
            "pixels: window (i, j) begins at (i * stride, j * stride) of the padded map."
        )
    question = case.question or (
        "Each window and each filter add (+=) to each pixel what it was multiplied with, times "
        "grad[o, i, j]."
    )
    _, first = _first_wrong("dx", got, dx)
    raise Hint(f"{sofar}{case.right('dx')}{case}, {first} {question}")


def _padded_dx(grad: np.ndarray, x: np.ndarray, weight: np.ndarray, case: _Case) -> np.ndarray:
    """dx of the padded map: x with its border of zeros is an image like any other."""
    border = ((0, 0), (case.padding, case.padding), (case.padding, case.padding))
    return _gradients(grad, np.pad(x, border), weight, case._replace(padding=0))[0]


def _check_dx_shape(got: Any, dx: np.ndarray, whole: np.ndarray, sofar: str) -> None:
    if np.size(got) == 0:
        raise Hint(
            f"{sofar}dx is empty. With padding 0, [p:-p] is [0:-0], which holds nothing: say where "
            "the image ends in another way, for instance by its height."
        )
    if np.shape(got) == whole.shape != dx.shape:
        raise Hint(
            f"{sofar}dx has the shape of the padded map, {whole.shape}: cut its border off, to "
            f"{dx.shape}."
        )
    if np.shape(got) != dx.shape:
        raise Hint(f"{sofar}dx has shape {np.shape(got)}, expected that of x, {dx.shape}.")


def _wrong_dxs(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray, case: _Case
) -> Iterator[tuple[np.ndarray, str]]:
    """What wrong backwards take for dx, and the hints."""
    if case.padding:
        yield (
            _padded_dx(grad, x, weight, case)[:, : x.shape[1], : x.shape[2]],
            "dx is cut at the wrong end: pixel (0, 0) of x is pixel (padding, padding) of the "
            "padded map.",
        )
    for o in range(len(weight)):
        yield (
            _gradients(grad[o : o + 1], x, weight[o : o + 1], case)[0],
            f"dx is what filter {o} gives alone: each filter must add (+=) its part to the pixel, "
            "not write it (=).",
        )
    yield (
        _gradients(np.ones_like(grad), x, weight, case)[0],
        "In dx, grad is missing: by how much does L grow with y[o, i, j]?",
    )
    ones = np.ones_like(weight[:1, :1])
    yield (
        x * _gradients(grad.sum(0, keepdims=True), x[:1], ones, case)[0],
        "dx is made with the pixels of x: those belong into dweight. How much does y[o, i, j] grow "
        "with a pixel?",
    )
    if weight.shape[2] == weight.shape[3]:
        yield (
            _gradients(grad, x, weight.swapaxes(2, 3), case)[0],
            "In dx u and v are mixed up: u goes with the rows of x.",
        )
    yield (
        _gradients(grad, x, weight[:, :, ::-1, ::-1], case)[0],
        "dx is made with the kernel turned by 180 degrees. If you go through the windows and give "
        "each pixel its part back, nothing is turned.",
    )


weights_of_linear = Number(
    "weights_of_linear",
    96 * 55 * 55 * 224 * 224 * 3,
    "Each of 290,400 units has a weight for each of 150,528 numbers: 43.7 billion, against the "
    "34,848 of the convolution.",
    factor=1.001,
    typical={
        96 * 11 * 11 * 3: "That is the convolution: 96 filters of 11 x 11 x 3.",
        96 * 55 * 55 * 11 * 11 * 3: "That is one window for each unit: a linear unit reads all "
        "pixels.",
        96 * 55 * 55: "That is the number of units: how many weights has each?",
        224 * 224 * 3: "That is the number of weights of one unit: how many units are there?",
        96 * 224 * 224 * 3: "That is one unit for each map: a map has 55 x 55 of them.",
        96 * 55 * 55 * 224 * 224: "You count one colour: there are three.",
        55 * 55 * 224 * 224 * 3: "You count one map: there are 96.",
        96 * 55 * 224 * 224 * 3: "A map has 55 rows and 55 columns.",
        96 * 55 * 55 * 224 * 3: "The image has 224 rows and 224 columns.",
        96 * 55 * 55 + 224 * 224 * 3: "Each unit has a weight for each pixel: multiply.",
    },
    small="Each unit, 96 * 55 * 55 of them, has a weight for each of the 224 * 224 * 3 numbers.",
    large="Each unit, 96 * 55 * 55 of them, has one weight for each of the 224 * 224 * 3 numbers.",
)

windows_of_a_pixel = Choice(
    "windows_of_a_pixel",
    "c",
    "Along one side a pixel lies in 2 or 3 windows, since 4 does not divide 11; the two sides "
    "multiply: 4, 6 or 9.",
    prediction=True,
    wrong={
        "a": "That is the mean. But 4 does not divide 11: along one side it is 2 or 3, and 7 or 8 "
        "is no product of these.",
        "b": "Along one side three windows begin within 11 pixels only for some: for a quarter of "
        "the pixels it is two.",
        "d": "16 is the step squared. Windows begin every 4 pixels, and 11 pixels hold 2 or 3 such "
        "places along a side.",
    },
)
