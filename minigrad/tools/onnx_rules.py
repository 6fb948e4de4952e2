"""How each operation is written in ONNX: a function for each, in `RULES`.

Its arguments are those of the operation's forward. What other operations computed comes as a
`Value`, constants as arrays, options as they are; where an option is `BATCH`, it changes with the
size of the batch. It adds nodes to the graph and returns the name of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import Function
from ..ops.activation import LeakyRelu, Prelu, Relu, Sigmoid, Tanh
from ..ops.batch_norm import BatchNorm
from ..ops.choice import Clamp, Maximum, Minimum, Where
from ..ops.contrast import ContrastNorm
from ..ops.conv import Conv2d
from ..ops.elementwise import (
    Abs,
    Add,
    Astype,
    Clone,
    Div,
    Exp,
    Log,
    Mul,
    Neg,
    Pow,
    Sqrt,
    Sub,
)  # fmt: skip
from ..ops.linear import Linear, Matmul
from ..ops.loss import LogSoftmax, Softmax
from ..ops.norm import Lrn
from ..ops.pool import AvgPool2d, MaxPool2d
from ..ops.reduce import Deviation, Extreme, Sum
from ..ops.shape import Concatenate, Expand, Getitem, Pad, Permute, Reshape
from .onnx_graph import Graph, Value

Rule = Callable[..., str]
RULES: dict[type[Function], Rule] = {}
_MOST = np.iinfo(np.int64).max  # an index beyond any end


class OnnxError(ValueError):
    """A network that cannot be written as ONNX; the message is one line."""


class ByBatch:
    """In an option's place: a number that changes with the size of the batch."""

    def __repr__(self) -> str:
        return "the size of the batch"


BATCH = ByBatch()


def rule(*functions: type[Function]) -> Callable[[Rule], Rule]:
    """Register `write(graph, y, *arguments of forward) -> name of the result` for operations.

    Arrays among the arguments are of class `Value` or, where they are constants, arrays; y is the
    result.
    """

    def register(write: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, write))
        return write

    return register



def _same(kind: str) -> Rule:
    """The rule of an operation that ONNX knows by its arrays alone."""
    return lambda graph, y, *inputs: graph.add(kind, *inputs)


for _function, _kind in (
    (Add, "Add"), (Sub, "Sub"), (Mul, "Mul"),
    (Div, "Div"), (Pow, "Pow"), (Neg, "Neg"),
    (Exp, "Exp"), (Log, "Log"), (Sqrt, "Sqrt"),
    (Abs, "Abs"), (Clone, "Identity"), (Deviation, "Sqrt"),
    (Relu, "Relu"), (Sigmoid, "Sigmoid"), (Tanh, "Tanh"),
    (Matmul, "MatMul"), (Maximum, "Max"), (Minimum, "Min"),
    (Where, "Where"),
):  # fmt: skip
    RULES[_function] = _same(_kind)


@rule(Conv2d)
def _conv2d(
    graph: Graph, y: Any, x: Value, weight: Any, bias: Any, options: Any, relu: bool
) -> str:
    stride, padding, dilation, groups = options
    result = graph.add(
        "Conv", x, weight, *([] if bias is None else [bias]), kernel_shape=weight.shape[2:],
        strides=stride, pads=padding * 2, dilations=dilation, group=groups,
    )  # fmt: skip
    return graph.add("Relu", result) if relu else result


@rule(Linear)
def _linear(graph: Graph, y: Any, x: Value, weight: Any, bias: Any) -> str:
    if x.ndim == 2:
        return graph.add("Gemm", x, weight, *([] if bias is None else [bias]), transB=1)
    product = graph.add("MatMul", x, graph.add("Transpose", weight, perm=(1, 0)))
    return product if bias is None else graph.add("Add", product, bias)


@rule(Lrn)
def _lrn(
    graph: Graph, y: Any, x: Value, n: int, k: float, alpha: float, beta: float, groups: int
) -> str:
    """ONNX, like PyTorch, divides alpha by the window. Each tower becomes an image of its own, so
    that windows stop at the border; a window of even size is written out, as runtimes refuse it."""
    channels, *sides = x.shape[1:]
    if n % 2 == 0:
        flat = graph.add("Reshape", x, _sizes(-1, groups, channels // groups, math.prod(sides)))
        divided = _by_window(graph, flat, (n, 1), alpha * n, beta, k, x.array.dtype)
        return graph.add("Reshape", divided, _sizes(-1, channels, *sides))
    inside = x.name
    if groups > 1:
        inside = graph.add("Reshape", x, _sizes(-1, channels // groups, *sides))
    result = graph.add("LRN", inside, size=n, alpha=alpha * n, beta=beta, bias=k)
    return graph.add("Reshape", result, _sizes(-1, channels, *sides)) if groups > 1 else result


@rule(ContrastNorm)
def _contrast(
    graph: Graph, y: Any, x: Value, size: int, alpha: float, beta: float, k: float,
    subtract_mean: bool,
) -> str:  # fmt: skip
    centred = x.name
    if subtract_mean:
        mean = graph.add("AveragePool", x, kernel_shape=(size,) * 2, pads=_around(size, size))
        centred = graph.add("Sub", x, mean)
    return _by_window(graph, centred, (size, size), alpha, beta, k, x.array.dtype)


def _by_window(
    graph: Graph, x: str, window: tuple[int, int], alpha: float, beta: float, k: float, dtype: Any
) -> str:
    """x / (k + alpha * mean of x^2 over the window, where what is outside counts as 0)^beta."""
    mean = graph.add(
        "AveragePool", graph.add("Mul", x, x), kernel_shape=window, pads=_around(*window),
        count_include_pad=1,
    )  # fmt: skip
    number = dtype.type
    scale = graph.add("Add", graph.add("Mul", mean, number(alpha)), number(k))
    return graph.add("Div", x, graph.add("Pow", scale, number(beta)))


def _around(rows: int, columns: int) -> tuple[int, ...]:
    """Pads of a window around each place: size // 2 before it, the rest behind."""
    return rows // 2, columns // 2, (rows - 1) // 2, (columns - 1) // 2


@rule(MaxPool2d)
def _max_pool2d(graph: Graph, y: Any, x: Value, sizes: Any, ceil_mode: bool) -> str:
    size, stride, padding, dilation = sizes
    over = _overhang(x, y, size, stride, padding, dilation)
    return graph.add(
        "MaxPool", x, kernel_shape=size, strides=stride, dilations=dilation,
        pads=(*padding, *(p + o for p, o in zip(padding, over, strict=True))),
    )  # fmt: skip


@rule(AvgPool2d)
def _avg_pool2d(
    graph: Graph, y: Any, x: Value, sizes: Any, ceil_mode: bool, count_include_pad: bool,
    divisor_override: int | None,
) -> str:  # fmt: skip
    """Where a last window hangs over the edge, its mean is over what is there; zeros of `padding`
    count, where they do, as part of the input."""
    size, stride, padding = sizes
    over = _overhang(x, y, size, stride, padding, (1, 1))
    counted = bool(divisor_override) or count_include_pad
    inside, edges = x.name, padding
    if counted and any(padding):
        widths = (0, 0, *padding) * 2
        inside, edges = graph.add("Pad", x, np.array(widths, np.int64)), (0, 0)
    result = graph.add(
        "AveragePool", inside, kernel_shape=size, strides=stride,
        pads=(*edges, *(e + o for e, o in zip(edges, over, strict=True))),
        count_include_pad=1 if divisor_override else 0,
    )  # fmt: skip
    if not divisor_override:
        return result
    return graph.add("Mul", result, x.array.dtype.type(math.prod(size) / divisor_override))


def _overhang(
    x: Value, y: Any, size: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[int, ...]:
    """How far the last windows reach beyond the padding: what `ceil_mode` adds, in numbers on which
    all runtimes agree."""
    return tuple(
        max((out - 1) * s + d * (n - 1) + 1 - (given + 2 * p), 0)
        for out, s, d, n, given, p in zip(
            y.shape[2:], stride, dilation, size, x.shape[2:], padding, strict=True
        )
    )


@rule(BatchNorm)
def _batch_norm(
    graph: Graph, y: Any, x: Value, weight: Any, bias: Any, mean: Any, var: Any, eps: float,
    of_batch: bool,
) -> str:  # fmt: skip
    flat, mean = mean.reshape(-1), mean.reshape(-1)
    weight = np.ones_like(flat) if weight is None else weight
    bias = np.zeros_like(flat) if bias is None else bias
    return graph.add("BatchNormalization", x, weight, bias, mean, var.reshape(-1), epsilon=eps)


@rule(LeakyRelu)
def _leaky_relu(graph: Graph, y: Any, x: Value, slope: float) -> str:
    return graph.add("LeakyRelu", x, alpha=slope)


@rule(Prelu)
def _prelu(graph: Graph, y: Any, x: Value, weight: Any) -> str:
    return graph.add("PRelu", x, graph.add("Reshape", weight, _sizes(-1, *(1,) * (x.ndim - 2))))


@rule(Softmax)
def _softmax(graph: Graph, y: Any, x: Value, axis: int) -> str:
    return graph.add("Softmax", x, axis=axis)


@rule(LogSoftmax)
def _log_softmax(graph: Graph, y: Any, x: Value, axis: int) -> str:
    return graph.add("LogSoftmax", x, axis=axis)


@rule(Clamp)
def _clamp(graph: Graph, y: Any, x: Value, low: float | None, high: float | None) -> str:
    bounds = [None if end is None else x.array.dtype.type(end) for end in (low, high)]
    return graph.add("Clip", x, *bounds)


@rule(Sum)
def _sum(graph: Graph, y: Any, x: Value, axes: tuple[int, ...], keepdim: bool) -> str:
    return graph.add("ReduceSum", x, np.array(axes, np.int64), keepdims=int(keepdim))


@rule(Extreme)
def _extreme(
    graph: Graph, y: Any, x: Value, axes: tuple[int, ...], keepdim: bool, sign: int, to_nan: bool
) -> str:
    kind = "ReduceMax" if sign > 0 else "ReduceMin"
    return graph.add(kind, x, np.array(axes, np.int64), keepdims=int(keepdim))


@rule(Astype)
def _astype(graph: Graph, y: Any, x: Value, dtype: Any) -> str:
    return graph.add("Cast", x, to=graph.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


@rule(Reshape)
def _reshape(graph: Graph, y: Any, x: Value, sizes: tuple[Any, ...]) -> str:
    if sizes.count(BATCH) > 1:
        raise OnnxError(f"reshape to {sizes}: only one size may depend on that of the batch")
    return graph.add("Reshape", x, _sizes(*(-1 if n is BATCH else n for n in sizes)))


@rule(Expand)
def _expand(graph: Graph, y: Any, x: Value, sizes: tuple[Any, ...]) -> str:
    own = (1,) * (len(sizes) - x.ndim) + x.shape
    if any(n is BATCH and y.shape[i] != own[i] for i, n in enumerate(sizes)):
        raise OnnxError(f"expand to {sizes}: a size of the batch that the tensor does not have")
    return graph.add("Expand", x, _sizes(*(1 if n is BATCH else n for n in sizes)))


@rule(Permute)
def _permute(graph: Graph, y: Any, x: Value, order: tuple[int, ...]) -> str:
    return graph.add("Transpose", x, perm=order)


@rule(Concatenate)
def _concatenate(graph: Graph, y: Any, axis: int, *arrays: Any) -> str:
    return graph.add("Concat", *arrays, axis=axis)


@rule(Pad)
def _pad(graph: Graph, y: Any, x: Value, widths: Any, value: float) -> str:
    """Negative widths are cut off: not every runtime takes them for Pad's."""
    result = x.name
    pads = [max(pair[side], 0) for side in (0, 1) for pair in widths]
    cuts = [(i, max(-a, 0), b if b < 0 else _MOST) for i, (a, b) in enumerate(widths)]
    cuts = [cut for cut in cuts if cut[1:] != (0, _MOST)]
    if cuts:
        axes, starts, stops = (np.array(one, np.int64) for one in zip(*cuts, strict=True))
        result = graph.add("Slice", result, starts, stops, axes)
    return graph.add("Pad", result, _sizes(*pads), x.array.dtype.type(value))


@rule(Getitem)
def _getitem(graph: Graph, y: Any, x: Value, index: Any) -> str:
    """Slices and whole numbers; any other index is refused."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(part is Ellipsis for part in parts):
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (x.ndim - len(parts) + 1)
    if not all(isinstance(part, slice) or type(part) is int for part in parts):
        raise OnnxError("an index that is not of slices and whole numbers has no rule for ONNX")
    result, dropped = x.name, [axis for axis, part in enumerate(parts) if type(part) is int]
    cuts = [(i, *_bounds(part)) for i, part in enumerate(parts) if part != slice(None)]
    if cuts:
        axes, starts, stops, steps = (np.array(one, np.int64) for one in zip(*cuts, strict=True))
        result = graph.add("Slice", result, starts, stops, axes, steps)
    return graph.add("Squeeze", result, np.array(dropped, np.int64)) if dropped else result


def _bounds(part: Any) -> tuple[int, int, int]:
    """(start, stop, step) whatever the size: an open end is the furthest there is."""
    if type(part) is int:
        return part, _MOST if part == -1 else part + 1, 1
    step = 1 if part.step is None else int(part.step)
    start, stop = (0, _MOST) if step > 0 else (_MOST, -_MOST)
    return (
        start if part.start is None else int(part.start),
        stop if part.stop is None else int(part.stop), step,
    )  # fmt: skip


def _sizes(*sizes: int) -> Any:
    return np.array(sizes, np.int64)
