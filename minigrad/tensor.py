"""The tensor: an array, its gradient, and the edge to the operation that produced it.

Operators and methods are one-line calls of `minigrad.ops`; names and meanings are PyTorch's.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import arrays, autograd
from .arrays import Array
from .autograd import Node, Version

DEFAULT_DTYPE = np.dtype(np.float32)
_ALIASES = {"float": "float32", "double": "float64", "long": "int64", "int": "int32"}


def to_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the NumPy dtype of a name, type or dtype. Raises TypeError for one not supported."""
    try:
        result = np.dtype(_ALIASES.get(dtype, dtype) if isinstance(dtype, str) else dtype)
    except TypeError as error:
        raise TypeError(f"dtype {dtype!r} is unknown") from error
    if result.name not in arrays.SUPPORTED_DTYPES:
        raise TypeError(
            f"dtype {result} is not supported: use one of {', '.join(arrays.SUPPORTED_DTYPES)}"
        )
    return result


def tensor(
    data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Return a new tensor holding a copy of `data` (a number, nested lists, an array, a tensor).

    Without `dtype`, arrays keep theirs, Python floats become float32 and integers int64.
    """
    source = data.data if isinstance(data, Tensor) else data
    if isinstance(source, list | tuple) and any(isinstance(item, Tensor) for item in source):
        source = [item.tolist() if isinstance(item, Tensor) else item for item in source]
    if not arrays.is_array(source):
        numbers = np.asarray(source)
        given = isinstance(source, np.generic) or numbers.dtype.kind != "f"
        source = numbers if given else numbers.astype(DEFAULT_DTYPE)
    if dtype is None and source.dtype.name not in arrays.SUPPORTED_DTYPES:
        to_dtype(source.dtype)
    array = arrays.to_device(source, device) if device is not None else source
    array = array.astype(array.dtype if dtype is None else to_dtype(dtype), copy=True)
    return Tensor(array, requires_grad)


class Tensor:
    """An n-dimensional array that remembers how it was computed.

    `data` is the raw NumPy or CuPy array, `grad` a tensor or None, `node` the operation that
    produced it (None for a leaf). In-place edits through this class are counted in `version`, so
    that an edit of an array saved for backward is an error. Edits of `data` itself cannot be seen:
    call `bump_version()` after one.
    """

    __slots__ = ("__weakref__", "_data", "grad", "hooks", "node", "requires_grad", "version")
    __array_priority__ = 1000  # numpy_array * tensor asks the tensor

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        if not arrays.is_array(data):
            raise TypeError(
                f"Tensor wraps an array as it is, got {type(data).__name__}: use minigrad.tensor()"
            )
        if requires_grad and data.dtype.kind not in "fc":
            raise RuntimeError(f"only floats can require a gradient, this tensor is {data.dtype}")
        self._data = data
        self.grad: Tensor | None = None
        self.requires_grad = requires_grad
        self.node: Node | None = None
        self.version = Version()
        self.hooks: dict[int, Callable[[Tensor], Any]] = {}

    # ----- what it is -----

    @property
    def data(self) -> Array:
        """The raw array. Assigning an array, or a tensor for its array, replaces it."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        array = value._data if isinstance(value, Tensor) else value
        if not arrays.is_array(array):
            raise TypeError(f"data is an array, got {type(value).__name__}: use minigrad.tensor()")
        self._data = array
        self.bump_version()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data.dtype  # type: ignore[no-any-return]

    @property
    def device(self) -> str:
        return arrays.device_of(self.data)

    @property
    def ndim(self) -> int:
        return self.data.ndim  # type: ignore[no-any-return]

    @property
    def is_leaf(self) -> bool:
        return self.node is None

    @property
    def T(self) -> Tensor:
        return ops.permute(self, *reversed(range(self.ndim)))

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return self.ndim

    def numel(self) -> int:
        return int(self.data.size)

    def is_floating_point(self) -> bool:
        return self.data.dtype.kind == "f"  # type: ignore[no-any-return]

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (ops.getitem(self, i) for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        if self.numel() != 1:
            raise RuntimeError(f"a tensor of shape {self.shape} has no single truth value")
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.data.dtype.kind not in "iu" or self.numel() != 1:
            raise TypeError("only an integer tensor of one element can be an index")
        return int(self.item())

    def __repr__(self) -> str:
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

    # ----- out of the graph, to other places -----

    def detach(self) -> Tensor:
        """Return a tensor on the same memory that is no part of the graph."""
        out = Tensor(self.data)
        out.version = self.version
        return out

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the NumPy array (shared memory). Raises on a GPU tensor or one in the graph."""
        if self.requires_grad:
            raise RuntimeError("numpy() of a tensor that requires a gradient: use detach().numpy()")
        if self.device != "cpu":
            raise TypeError(f"numpy() of a tensor on {self.device}: use cpu().numpy()")
        return self.data  # type: ignore[no-any-return]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def item(self) -> Any:
        """Return the only element as a Python number (waits for the GPU)."""
        if self.numel() != 1:
            raise RuntimeError(f"item() needs one element, this tensor has shape {self.shape}")
        return self.data.item()

    def tolist(self) -> Any:
        return self.data.tolist()

    def to(self, *targets: Any, dtype: Any = None, device: str | None = None) -> Tensor:
        """Return the tensor with another device and/or dtype; itself if nothing changes."""
        for target in targets:
            if isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda"):
                device = target
            else:
                dtype = target
        out = self if device is None else ops.to_device(self, arrays.parse_device(device))
        return out if dtype is None else ops.astype(out, to_dtype(dtype))

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def cuda(self) -> Tensor:
        return self.to("cuda")

    def float(self) -> Tensor:
        return self.to(np.float32)

    def double(self) -> Tensor:
        return self.to(np.float64)

    def long(self) -> Tensor:
        return self.to(np.int64)

    # ----- gradients -----

    def backward(self, gradient: Any = None, retain_graph: bool = False,
                 create_graph: bool = False) -> None:  # fmt: skip
        """Add d(self)/d(leaf) to `grad` of every leaf that requires a gradient.

        A tensor that is not a scalar needs `gradient`, of its own shape. The graph is freed on the
        way unless `retain_graph`. `create_graph=True` is refused: use `minigrad.hvp`.
        """
        if create_graph:
            raise NotImplementedError(
                "create_graph=True is not supported, gradients are of first order: "
                "minigrad.hvp(fn, x, v) gives exact second-order products"
            )
        autograd.backward(self, gradient, retain_graph)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Switch recording on or off for a leaf."""
        if self.node is not None:
            raise RuntimeError("requires_grad can be changed on a leaf only: detach() it first")
        if requires_grad and self.data.dtype.kind not in "fc":
            raise RuntimeError(f"only floats can require a gradient, this tensor is {self.dtype}")
        self.requires_grad = requires_grad
        return self

    def register_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHook:
        """Call `hook(gradient)` when this tensor's gradient is complete; what it returns, unless
        None, replaces the gradient. The result's `remove()` takes the hook away."""
        if not self.requires_grad:
            raise RuntimeError("register_hook: this tensor does not require a gradient")
        return RemovableHook(self.hooks if self.node is None else self.node.hooks, hook)

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf in `grad`, too."""
        if self.node is None:
            return
        holder = weakref.ref(self)  # the node must not own its own result

        def keep(gradient: Tensor) -> None:
            owner = holder()
            if owner is not None:
                owner.grad = Tensor(gradient.data.copy())

        self.register_hook(keep)

    def bump_version(self) -> None:
        """Say that `data` was edited in place by code that works on raw arrays."""
        self.version.value += 1

    # ----- in place -----

    def _become(self, new: Tensor) -> Tensor:
        """Overwrite this tensor's memory with `new` and take over its place in the graph."""
        if new.requires_grad and autograd.is_grad_enabled():
            if self.node is None and self.requires_grad:
                raise RuntimeError(
                    "in-place edit of a leaf that requires a gradient: do it under no_grad()"
                )
            if self.version.shared:
                raise RuntimeError(
                    "in-place edit inside the graph of a view, or of memory that a view shows, is "
                    "not supported: edit a clone()"
                )
        elif self.requires_grad and autograd.is_grad_enabled():
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

    def copy_(self, other: Any) -> Tensor:
        return self._become(ops.assign(self, ..., other))

    def fill_(self, value: Any) -> Tensor:
        return self.copy_(value)

    def zero_(self) -> Tensor:
        return self.copy_(0)

    def add_(self, other: Any, alpha: Any = 1) -> Tensor:
        return self._become(ops.add(self, other if alpha == 1 else ops.mul(other, alpha)))

    def sub_(self, other: Any) -> Tensor:
        return self._become(ops.sub(self, other))

    def mul_(self, other: Any) -> Tensor:
        return self._become(ops.mul(self, other))

    def div_(self, other: Any) -> Tensor:
        return self._become(ops.div(self, other))

    def clamp_(self, min: Any = None, max: Any = None) -> Tensor:
        return self._become(ops.clamp(self, min, max))

    def __iadd__(self, other: Any) -> Tensor:
        return self.add_(other)

    def __isub__(self, other: Any) -> Tensor:
        return self.sub_(other)

    def __imul__(self, other: Any) -> Tensor:
        return self.mul_(other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self.div_(other)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._become(ops.assign(self, index, value))

    # ----- operators -----

    def __add__(self, other: Any) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return ops.sub(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.sub(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return ops.mul(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return ops.mul(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return ops.div(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.div(other, self)

    def __pow__(self, exponent: Any) -> Tensor:
        return ops.pow(self, exponent)

    def __rpow__(self, base: Any) -> Tensor:
        return ops.pow(base, self)

    def __matmul__(self, other: Any) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __neg__(self) -> Tensor:
        return ops.neg(self)

    def __abs__(self) -> Tensor:
        return ops.abs(self)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return ops.eq(self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return ops.ne(self, other)

    def __lt__(self, other: Any) -> Tensor:
        return ops.lt(self, other)

    def __le__(self, other: Any) -> Tensor:
        return ops.le(self, other)

    def __gt__(self, other: Any) -> Tensor:
        return ops.gt(self, other)

    def __ge__(self, other: Any) -> Tensor:
        return ops.ge(self, other)

    __hash__ = object.__hash__  # tensors are compared element by element, but hashed by identity

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index)

    if TYPE_CHECKING:  # the methods that the last lines of this file add

        def __getattr__(self, name: str) -> Any: ...


_hook_keys = itertools.count()


class RemovableHook:
    """Returned by `register_hook`; `remove()` takes the hook away."""

    def __init__(self, hooks: dict[int, Callable[[Tensor], Any]], hook: Callable[..., Any]) -> None:
        self._hooks, self._key = hooks, next(_hook_keys)
        hooks[self._key] = hook

    def remove(self) -> None:
        self._hooks.pop(self._key, None)


# Imported last: the operations need the class above, its operators need the operations.
from . import ops  # noqa: E402

# Operations that are methods under the same name: x.exp() is ops.exp(x).
for _name in ops.__all__:
    if _name not in ops.NOT_METHODS:
        setattr(Tensor, _name, getattr(ops, _name))
