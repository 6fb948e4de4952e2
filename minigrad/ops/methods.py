"""What a tensor can do: its operators and methods, all of them functions on tensors.

`a + b` is `add(a, b)` and `x.relu()` is `relu(x)`. The engine knows none of it. A file of
operations names in its `Methods` what of it is a method; those that are no operations follow here;
and the last line hands them all to `Tensor`.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any

import numpy as np

from .. import arrays
from ..arrays import DEFAULT_DTYPE
from ..core import Tensor
from ..modes import is_grad_enabled
from ..names import unknown
from .activation import Methods as _Activation
from .choice import Methods as _Choice
from .choice import clamp
from .elementwise import Methods as _Elementwise
from .elementwise import add, astype, div, mul, pow, sub, to_device
from .integer import Methods as _Integer
from .integer import bitwise_and, bitwise_or, bitwise_xor, floor_divide, remainder
from .linear import Methods as _Linear
from .loss import Methods as _Loss
from .order import Methods as _Order
from .pieces import Methods as _Pieces
from .reduce import Methods as _Reduce
from .shape import Methods as _Shape
from .shape import assign, getitem, permute
from .truth import Methods as _Truth
from .vector_norm import Methods as _VectorNorm

# ----- what it is -----


def size(self: Tensor, dim: int | None = None) -> Any:
    return self.shape if dim is None else self.shape[dim]


def dim(self: Tensor) -> int:
    return self.ndim


def numel(self: Tensor) -> int:
    return int(self.data.size)


def is_floating_point(self: Tensor) -> bool:
    return bool(self.dtype.kind == "f")


def _transposed(self: Tensor) -> Tensor:
    return permute(self, *reversed(range(self.ndim)))


def _len(self: Tensor) -> int:
    if self.ndim == 0:
        raise TypeError("len() of a 0-d tensor")
    return self.shape[0]


def _iter(self: Tensor) -> Iterator[Tensor]:
    if self.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return (getitem(self, i) for i in range(self.shape[0]))


def _repr(self: Tensor) -> str:
    values = np.array2string(arrays.to_numpy(self.data), precision=4, separator=", ",
                             threshold=200, prefix="tensor(")  # fmt: skip
    notes = [] if self.dtype in (DEFAULT_DTYPE, np.int64, np.bool_) else [f"dtype={self.dtype}"]
    notes += [f"device='{self.device}'"] * (self.device != "cpu")
    notes += (
        [f"grad_fn=<{self.node.operation}>"]
        if self.node
        else ["requires_grad=True"] * self.requires_grad
    )
    return ", ".join([f"tensor({values}", *notes]) + ")"


def _format(self: Tensor, spec: str) -> str:
    """A 0-d tensor is formatted as its number, any other as its repr."""
    if self.ndim == 0:
        return format(item(self), spec)
    if spec:
        raise TypeError(
            f"format {spec!r} is for a number, this tensor has shape {self.shape}: use item() of "
            "one element"
        )
    return _repr(self)


# ----- its numbers, for Python and NumPy -----


def item(self: Tensor) -> Any:
    """Return the only element as a Python number (waits for the GPU)."""
    if numel(self) != 1:
        raise RuntimeError(f"item() needs one element, this tensor has shape {self.shape}")
    return self.data.item()


def tolist(self: Tensor) -> Any:
    return self.data.tolist()


def numpy(self: Tensor) -> np.ndarray[Any, Any]:
    """Return the NumPy array (shared memory). Raises on a GPU tensor or one in the graph."""
    if self.requires_grad:
        raise RuntimeError("numpy() of a tensor that requires a gradient: use detach().numpy()")
    if self.device != "cpu":
        raise TypeError(f"numpy() of a tensor on {self.device}: use cpu().numpy()")
    return self.data  # type: ignore[no-any-return]


def _array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
    return np.array(numpy(self), dtype=dtype, copy=copy)


def _array_function(
    self: Tensor, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """NumPy's functions, such as `np.mean(t)`, get the arrays of tensors and return arrays."""
    about_shape = function in (np.shape, np.ndim, np.size)

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.data if about_shape else numpy(value)
        if isinstance(value, list | tuple):
            return type(value)(map(plain, value)) if type(value) in (list, tuple) else value
        return value

    return function(*map(plain, args), **{name: plain(value) for name, value in kwargs.items()})


def _bool(self: Tensor) -> bool:
    if numel(self) != 1:
        raise RuntimeError(f"a tensor of shape {self.shape} has no single truth value")
    return bool(item(self))


def _float(self: Tensor) -> float:
    return float(item(self))


def _int(self: Tensor) -> int:
    return int(item(self))


def _getattr(self: Tensor, name: str) -> Any:
    raise unknown("Tensor", name, dir(type(self)))


def _index(self: Tensor) -> int:
    if self.dtype.kind not in "iu" or numel(self) != 1:
        raise TypeError("only an integer tensor of one element can be an index")
    return int(item(self))


# ----- to other dtypes and devices -----


def to(
    self: Tensor, *targets: Any, dtype: Any = None, device: str | None = None,
    memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Return the tensor with another device and/or dtype; itself if nothing changes."""
    if memory_format is not None:
        raise NotImplementedError(
            f"to: memory_format={memory_format!r} is not supported: memory is always channels-last "
            "where that is faster: leave it out"
        )
    dtype, device = arrays.parse_targets(targets, dtype, device)
    out = self if device is None else to_device(self, device)
    return out if dtype is None else astype(out, dtype)


def cpu(self: Tensor) -> Tensor:
    return to(self, "cpu")


def cuda(self: Tensor) -> Tensor:
    return to(self, "cuda")


def float_(self: Tensor, memory_format: Any = None) -> Tensor:
    return to(self, np.float32, memory_format=memory_format)


def double(self: Tensor, memory_format: Any = None) -> Tensor:
    return to(self, np.float64, memory_format=memory_format)


def long(self: Tensor, memory_format: Any = None) -> Tensor:
    return to(self, np.int64, memory_format=memory_format)


# ----- in place -----


def _become(self: Tensor, new: Tensor) -> Tensor:
    """Overwrite this tensor's memory with `new` and take over its place in the graph."""
    if new.requires_grad and is_grad_enabled():
        if self.node is None and self.requires_grad:
            raise RuntimeError(
                "in-place edit of a leaf that requires a gradient: do it under no_grad()"
            )
        if self.version.shared:
            raise RuntimeError(
                "in-place edit inside the graph of a view, or of memory that a view shows, is "
                "not supported: edit a clone()"
            )
    elif self.requires_grad and is_grad_enabled():
        raise RuntimeError(
            "in-place edit of a tensor that requires a gradient: do it under no_grad()"
        )
    if new.shape != self.shape or new.dtype != self.dtype:
        raise RuntimeError(
            f"in-place edit: the result has shape {new.shape} and dtype {new.dtype}, "
            f"this tensor {self.shape} and {self.dtype}"
        )
    self.data[...] = new.data
    self.bump_version()
    if new.requires_grad:
        self.node, self.requires_grad = new.node, True
    return self


def copy_(self: Tensor, other: Any) -> Tensor:
    return _become(self, assign(self, ..., other))


def fill_(self: Tensor, value: Any) -> Tensor:
    return copy_(self, value)


def zero_(self: Tensor) -> Tensor:
    return copy_(self, 0)


def add_(self: Tensor, other: Any, alpha: Any = 1) -> Tensor:
    return _become(self, add(self, other, alpha=alpha))


def sub_(self: Tensor, other: Any, alpha: Any = 1) -> Tensor:
    return _become(self, sub(self, other, alpha=alpha))


def mul_(self: Tensor, other: Any) -> Tensor:
    return _become(self, mul(self, other))


def div_(self: Tensor, other: Any) -> Tensor:
    return _become(self, div(self, other))


def pow_(self: Tensor, exponent: Any) -> Tensor:
    return _become(self, pow(self, exponent))


def remainder_(self: Tensor, other: Any) -> Tensor:
    return _become(self, remainder(self, other))


def floor_divide_(self: Tensor, other: Any) -> Tensor:
    return _become(self, floor_divide(self, other))


def bitwise_and_(self: Tensor, other: Any) -> Tensor:
    return _become(self, bitwise_and(self, other))


def bitwise_or_(self: Tensor, other: Any) -> Tensor:
    return _become(self, bitwise_or(self, other))


def bitwise_xor_(self: Tensor, other: Any) -> Tensor:
    return _become(self, bitwise_xor(self, other))


def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    return _become(self, clamp(self, min, max))


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    _become(self, assign(self, index, value))


class Methods(
    _Activation, _Choice, _Elementwise, _Integer, _Linear, _Loss, _Order, _Pieces, _Reduce, _Shape,
    _Truth, _VectorNorm,
):  # fmt: skip
    """All that `Tensor` is given."""

    __len__, __iter__, __repr__, __format__ = _len, _iter, _repr, _format
    __array_function__ = _array_function
    __array__, __bool__, __float__, __int__, __index__ = _array, _bool, _float, _int, _index
    __iadd__, __isub__, __imul__, __itruediv__ = add_, sub_, mul_, div_
    __ipow__, __imod__, __ifloordiv__ = pow_, remainder_, floor_divide_
    __iand__, __ior__, __ixor__ = bitwise_and_, bitwise_or_, bitwise_xor_
    __setitem__ = _setitem
    T = property(_transposed)
    size, dim, numel, is_floating_point = size, dim, numel, is_floating_point
    item, tolist, numpy = item, tolist, numpy
    to, cpu, cuda, float, double, long = to, cpu, cuda, float_, double, long
    copy_, fill_, zero_, clamp_ = copy_, fill_, zero_, clamp_
    add_, sub_, mul_, div_, pow_ = add_, sub_, mul_, div_, pow_
    remainder_, floor_divide_ = remainder_, floor_divide_
    bitwise_and_, bitwise_or_, bitwise_xor_ = bitwise_and_, bitwise_or_, bitwise_xor_


def hand_over() -> None:
    """Give `Tensor` the members of `Methods` and of the classes that it is made of."""
    for part in reversed(Methods.__mro__):
        for name, member in vars(part).items():
            if isinstance(member, FunctionType | property):
                setattr(Tensor, name, member)
    Tensor.__getattr__ = _getattr  # type: ignore[attr-defined]  # not for types


hand_over()
