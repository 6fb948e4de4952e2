"""Shapes: views, indexing, joining, padding."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import arrays
from ..arrays import Array, array_module
from ..core import Context, Function, Tensor, unbroadcast
from .elementwise import operands
from .reduce import axes_of

__all__ = [
    "assign", "cat", "concatenate", "expand", "flatten", "getitem", "pad", "permute", "reshape",
    "squeeze", "stack", "t", "transpose", "unsqueeze", "view",
]  # fmt: skip


class Reshape(Function):
    @staticmethod
    def forward(ctx: Context, a: Array, shape: tuple[int, ...]) -> Array:
        ctx.shape = a.shape
        return a.reshape(shape)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return grad.reshape(ctx.shape)


class Permute(Function):
    @staticmethod
    def forward(ctx: Context, a: Array, order: tuple[int, ...]) -> Array:
        ctx.order = order
        return a.transpose(order)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return grad.transpose(tuple(int(i) for i in np.argsort(ctx.order)))


class Expand(Function):
    broadcasts = True

    @staticmethod
    def forward(ctx: Context, a: Array, shape: tuple[int, ...]) -> Array:
        return array_module(a).broadcast_to(a, shape)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return grad


class Getitem(Function):
    """a[index]; an element that was taken more than once gets the sum of its gradients."""

    @staticmethod
    def forward(ctx: Context, a: Array, index: Any) -> Array:
        ctx.shape, ctx.index = a.shape, index
        return a[index]

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        da = array_module(grad).zeros(ctx.shape, grad.dtype)
        if _is_basic(ctx.index):
            da[ctx.index] = grad
        else:
            _add_at(da, ctx.index, grad)
        return da


class Assign(Function):
    """A copy of `a` in which [index] holds `value` (the result of `a[index] = value`)."""

    @staticmethod
    def forward(ctx: Context, a: Array, value: Array, index: Any) -> Array:
        ctx.index, ctx.shape = index, value.shape
        y = a.copy()
        y[index] = value
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        da = grad.copy()
        da[ctx.index] = 0
        return da, unbroadcast(grad[ctx.index], ctx.shape) if ctx.needs[1] else None


class Concatenate(Function):
    @staticmethod
    def forward(ctx: Context, axis: int, *arrays: Array) -> Array:
        ctx.axis = axis
        ctx.bounds = np.cumsum([a.shape[axis] for a in arrays]).tolist()
        return array_module(arrays[0]).concatenate(arrays, axis=axis)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        return (None, *array_module(grad).split(grad, ctx.bounds[:-1], axis=ctx.axis))


class Pad(Function):
    """Surround with a constant; `widths` is (before, after) for each axis, negative ones crop."""

    @staticmethod
    def forward(
        ctx: Context, a: Array, widths: tuple[tuple[int, int], ...], value: float
    ) -> Array:
        ctx.shape = a.shape
        sides = list(zip(a.shape, widths, strict=True))
        shape = tuple(n + before + after for n, (before, after) in sides)
        # Where a's element i goes to y's element i + before: the part that both have.
        ctx.inner = tuple(
            slice(max(before, 0), max(before, 0) + max(n + min(before, 0) + min(after, 0), 0))
            for n, (before, after) in sides
        )
        ctx.outer = tuple(
            slice(max(-before, 0), n - max(-after, 0)) for n, (before, after) in sides
        )
        y = array_module(a).full(shape, value, a.dtype)
        y[ctx.inner] = a[ctx.outer]
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        da = array_module(grad).zeros(ctx.shape, grad.dtype)
        da[ctx.outer] = grad[ctx.inner]
        return da


def _is_basic(index: Any) -> bool:
    """Tell whether an index takes no element twice: slices, integers, None, `...`, a bool mask."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, slice | int | np.integer)
        or (arrays.is_array(part) and part.dtype.kind == "b")
        for part in parts
    )  # fmt: skip


def _add_at(target: Array, index: Any, values: Array) -> None:
    """target[index] += values with repeated elements added, in a fixed order on every device.

    On a GPU `add.at` would use atomics, whose order of sums changes from run to run; so a gradient
    through integer arrays, which training never takes, goes through the CPU.
    """
    if isinstance(target, np.ndarray):
        np.add.at(target, index, values)
        return
    numbers = np.arange(target.size).reshape(target.shape)
    host = tuple(
        arrays.to_numpy(part) if arrays.is_array(part) else part
        for part in (index if isinstance(index, tuple) else (index,))
    )
    total = np.zeros(target.shape, target.dtype)
    np.add.at(total.reshape(-1), numbers[host], arrays.to_numpy(values))
    target += array_module(target).asarray(total)


def _plain_index(index: Any) -> Any:
    """Turn tensors and lists in an index into raw arrays."""
    if isinstance(index, tuple):
        return tuple(_plain_index(part) for part in index)
    if index is None or index is Ellipsis or isinstance(index, slice | int | np.integer | np.bool_):
        return index
    if hasattr(index, "__index__") and not hasattr(index, "ndim"):
        return operator.index(index)
    if isinstance(index, list):
        index = [item.data if isinstance(item, Tensor) else item for item in index]
        numbers = arrays.from_outside(index) if index else np.zeros(0, np.int64)
        numbers = numbers.astype(np.int64) if numbers.dtype.kind == "u" else numbers
    else:
        numbers = arrays.from_outside(index.data if isinstance(index, Tensor) else index)
    if numbers.dtype.kind not in "biu" or numbers.dtype == np.uint8:
        raise IndexError(
            f"an index is {numbers.dtype}, expected whole numbers or a mask of bools: use "
            '.long() for numbers, .to("bool") for a mask'
        )
    return numbers.copy()  # kept for backward; the caller may edit the index


def getitem(input: Tensor, index: Any) -> Tensor:
    """input[index]: integers, slices, `...`, None, integer arrays, bool masks."""
    return Getitem.apply(input, _plain_index(index))


def assign(input: Tensor, index: Any, value: Any) -> Tensor:
    """A copy of `input` in which [index] holds `value`, of input's dtype and device."""
    if not isinstance(value, Tensor):
        value = Tensor(arrays.from_outside(value))
    if value.dtype.kind == "c" and input.dtype.kind == "f":
        input = input.to(np.result_type(input.dtype, np.complex64))
    value = value.to(input.device).to(input.dtype)
    return Assign.apply(input, value, _plain_index(index))


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape; one size may be -1."""
    sizes = arrays.integers(shape, "reshape")
    known = math.prod(n for n in sizes if n != -1)
    fits = input.numel() == known if -1 not in sizes else known and input.numel() % known == 0
    if not fits or sizes.count(-1) > 1:
        raise RuntimeError(
            f"reshape: shape {sizes} does not hold the {input.numel()} elements of {input.shape}"
        )
    return Reshape.apply(input, sizes)


view = reshape


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the axes from start_dim to end_dim, both included."""
    if input.ndim == 0:
        return reshape(input, 1)
    (start,) = axes_of(start_dim, input.ndim, "flatten")
    (end,) = axes_of(end_dim, input.ndim, "flatten")
    if start > end:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    merged = math.prod(input.shape[start : end + 1])
    return reshape(input, (*input.shape[:start], merged, *input.shape[end + 1 :]))


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The axes in another order."""
    order = arrays.integers(dims, "permute")
    if len(axes_of(order, input.ndim, "permute")) != input.ndim or len(order) != input.ndim:
        raise RuntimeError(f"permute: {order} is no order of the {input.ndim} dimensions")
    return Permute.apply(input, tuple(d % input.ndim for d in order))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two axes."""
    axes = [axes_of(d, input.ndim, "transpose") for d in (dim0, dim1)]
    order = list(range(input.ndim))
    if order:  # a number has none to swap
        (a,), (b,) = axes
        order[a], order[b] = b, a
    return permute(input, order)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a vector or a number as it is."""
    if input.ndim > 2:
        raise RuntimeError(f"t: got shape {input.shape}, expected a matrix: use transpose()")
    return permute(input, *reversed(range(input.ndim)))


def squeeze(input: Tensor, dim: int | None = None) -> Tensor:
    """Drop axes of size 1, or the axis `dim` if its size is 1."""
    drop = axes_of(dim, input.ndim, "squeeze")
    return reshape(input, tuple(n for i, n in enumerate(input.shape) if n != 1 or i not in drop))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Insert an axis of size 1 before axis `dim`."""
    (axis,) = axes_of(dim, input.ndim + 1, "unsqueeze")
    return reshape(input, (*input.shape[:axis], 1, *input.shape[axis:]))


def expand(input: Tensor, *shape: Any) -> Tensor:
    """Repeat axes of size 1 without copying; -1 keeps a size."""
    sizes = arrays.integers(shape, "expand")
    if len(sizes) < input.ndim:
        raise RuntimeError(
            f"expand: shape {sizes} has fewer dimensions than the tensor, which has {input.shape}"
        )
    old = (1,) * (len(sizes) - input.ndim) + input.shape
    return Expand.apply(input, tuple(o if n == -1 else n for n, o in zip(sizes, old, strict=True)))


def _joined(tensors: Iterable[Tensor], operation: str) -> list[Tensor]:
    several = operands(*tensors)
    if not several:
        raise RuntimeError(f"{operation}: got no tensors, expected at least one")
    return several


def cat(tensors: Iterable[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along an existing axis; whole numbers among floats become floats."""
    tensors = _joined(tensors, "cat")
    if not tensors[0].ndim:
        raise RuntimeError("cat: a number has no axis to join along: use stack")
    if any(t.ndim > 1 for t in tensors):  # PyTorch lets an empty (0,) stand for nothing
        tensors = [t for t in tensors if t.shape != (0,)]
    (axis,) = axes_of(dim, tensors[0].ndim, "cat")
    rests = [(t.shape[:axis], t.shape[axis + 1 :]) for t in tensors]
    if any(rest != rests[0] for rest in rests):
        raise RuntimeError(
            f"cat: shapes {[t.shape for t in tensors]} differ in another axis than {axis}"
        )
    return Concatenate.apply(axis, *tensors)


concatenate = cat


def stack(tensors: Iterable[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    tensors = _joined(tensors, "stack")
    if any(t.shape != tensors[0].shape for t in tensors):
        raise RuntimeError(f"stack: shapes {[t.shape for t in tensors]} differ")
    return cat([unsqueeze(t, dim) for t in tensors], dim % (tensors[0].ndim + 1))


NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """Surround with `value`: (left, right, top, bottom, ...), last axis first; negative crops.

    The other modes take what surrounds from the input: "reflect" mirrors it without its edge,
    "replicate" repeats the edge, "circular" begins again from the other side.
    """
    if mode != "constant" and mode not in NUMPY_MODES:
        raise NotImplementedError(
            f"pad: mode {mode!r} is unknown, expected one of {['constant', *NUMPY_MODES]}"
        )
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ValueError(
            f"pad: got {len(pad)} widths for {input.ndim} dimensions, expected pairs "
            "(before, after) for the last axes"
        )
    pad = arrays.integers((pad,), "pad")
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    widths = ((0, 0),) * (input.ndim - len(pairs)) + tuple(reversed(pairs))
    if any(n + before + after < 0 for n, (before, after) in zip(input.shape, widths, strict=True)):
        raise ValueError(f"pad: widths {tuple(pad)} crop more than there is in shape {input.shape}")
    if mode == "constant":
        return Pad.apply(input, widths, float(value or 0.0))
    for axis, (size, (before, after)) in enumerate(zip(input.shape, widths, strict=True)):
        if before or after:
            index = _surrounded(size, before, after, mode)
            input = getitem(input, (slice(None),) * axis + (index,))
    return input


def _surrounded(size: int, before: int, after: int, mode: str) -> Any:
    """Which places of an axis of `size` stand along the padded one. Raises ValueError."""
    more = max(before, 0), max(after, 0)
    first, last = max(-before, 0), size - max(-after, 0)
    most = {"reflect": size - 1, "circular": last - first}.get(mode, max(more) if size else 0)
    if max(more) > most:
        raise ValueError(
            f"pad: {mode} by {max(more)} takes more than there is along an axis of {size}"
        )
    how: Any = NUMPY_MODES[mode]
    if mode == "circular":  # goes round what is left of the axis
        return np.pad(np.arange(first, last), more, how)
    places = np.pad(np.arange(size), more, how)
    return places[first : len(places) - (size - last)]


class Methods:
    """What of this file is an operator or a method of every tensor (`ops/methods.py`)."""

    expand, flatten, permute, reshape = expand, flatten, permute, reshape
    squeeze, t, transpose, unsqueeze, view = squeeze, t, transpose, unsqueeze, view
    __getitem__ = getitem
