"""New tensors: of given data, zeros, ones, random numbers, ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import arrays
from .arrays import DEFAULT_DTYPE, to_dtype
from .core import Tensor
from .random import default_generator, normal, uniform


def tensor(
    data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Return a new tensor holding a copy of `data`: a number, nested lists, an array of any kind, a
    tensor, also of another framework.

    Without `dtype`, arrays keep theirs, Python floats become float32 and integers int64.
    """
    source = data.data if isinstance(data, Tensor) else data
    if isinstance(source, list | tuple) and any(isinstance(item, Tensor) for item in source):
        source = [item.tolist() if isinstance(item, Tensor) else item for item in source]
    array = arrays.from_outside(source)
    if dtype is None:
        python = isinstance(source, float | list | tuple) and not isinstance(source, np.generic)
        dtype = DEFAULT_DTYPE if python and array.dtype.kind == "f" else to_dtype(array.dtype)
    array = arrays.to_device(array, device) if device is not None else array
    return Tensor(array.astype(to_dtype(dtype), copy=True), requires_grad)


def _shape(shape: tuple[Any, ...]) -> tuple[int, ...]:
    return arrays.integers(shape, "shape")


def full(
    shape: tuple[int, ...], fill_value: Any, dtype: Any = None, device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of one number; float32 for a float, int64 for an integer."""
    dtype = tensor(fill_value).dtype if dtype is None else to_dtype(dtype)
    return tensor(np.full(shape, fill_value, dtype), None, device, requires_grad)


def zeros(*shape: Any, dtype: Any = None, device: str | None = None,
          requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Zeros, float32 by default: zeros(2, 3) or zeros((2, 3))."""
    return full(_shape(shape), 0, dtype or DEFAULT_DTYPE, device, requires_grad)


def ones(*shape: Any, dtype: Any = None, device: str | None = None,
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Ones, float32 by default."""
    return full(_shape(shape), 1, dtype or DEFAULT_DTYPE, device, requires_grad)


def zeros_like(input: Tensor, requires_grad: bool = False, *, dtype: Any = None,
               device: str | None = None) -> Tensor:  # fmt: skip
    """Zeros of the shape of `input`, and of its dtype and device unless others are given."""
    return zeros(input.shape, dtype=dtype or input.dtype, device=device or input.device,
                 requires_grad=requires_grad)  # fmt: skip


def ones_like(input: Tensor, requires_grad: bool = False, *, dtype: Any = None,
              device: str | None = None) -> Tensor:  # fmt: skip
    """Ones of the shape of `input`, and of its dtype and device unless others are given."""
    return ones(input.shape, dtype=dtype or input.dtype, device=device or input.device,
                requires_grad=requires_grad)  # fmt: skip


def randn(*shape: Any, dtype: Any = None, device: str | None = None,
          requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Standard normal numbers, the same on every device."""
    dtype = DEFAULT_DTYPE if dtype is None else to_dtype(dtype)
    values = normal(default_generator.next_key(), _shape(shape), dtype)
    return Tensor(arrays.to_device(values, device), requires_grad)


def rand(*shape: Any, dtype: Any = None, device: str | None = None,
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1), the same on every device."""
    dtype = DEFAULT_DTYPE if dtype is None else to_dtype(dtype)
    values = uniform(default_generator.next_key(), _shape(shape), dtype)
    return Tensor(arrays.to_device(values, device), requires_grad)


def randint(low: int, high: Any = None, size: Any = None, dtype: Any = np.int64,
            device: str | None = None) -> Tensor:  # fmt: skip
    """Whole numbers from low to high - 1, the same on every device: randint(low, high, size), or
    randint(high, size) from 0."""
    if size is None:
        low, high, size = 0, low, high
    if not arrays.is_integer(high) or not isinstance(size, tuple | list):
        raise TypeError("randint: expected randint(high, size) or randint(low, high, size), "
                        f"got high {high!r} and size {size!r}")  # fmt: skip
    if not 0 < high - low <= 2**53:
        raise ValueError(f"randint: got low {low} and high {high}, expected low < high")
    values = uniform(default_generator.next_key(), tuple(int(n) for n in size), np.float64)
    return tensor(np.floor(values * (high - low)).astype(np.int64) + low, dtype, device)


def randperm(n: int, dtype: Any = np.int64, device: str | None = None) -> Tensor:
    """0 to n - 1 in a random order, the same on every device."""
    values = uniform(default_generator.next_key(), (n,), np.float64)
    return tensor(np.argsort(values, kind="stable"), dtype, device)


def linspace(start: Any, end: Any, steps: int, dtype: Any = None, device: str | None = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`steps` numbers from start to end, both included."""
    first, last = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    values = np.linspace(first, last, steps)
    return tensor(values, dtype or DEFAULT_DTYPE, device, requires_grad)


def eye(n: int, m: int | None = None, dtype: Any = None, device: str | None = None,
        requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Ones on the diagonal of (n, m), else zeros; m defaults to n."""
    return tensor(np.eye(n, m), dtype or DEFAULT_DTYPE, device, requires_grad)


def arange(start: Any, end: Any = None, step: Any = 1, dtype: Any = None,
           device: str | None = None) -> Tensor:  # fmt: skip
    """start, start + step, ... below end; arange(n) counts from 0."""
    first, last = (0, start) if end is None else (start, end)
    return tensor(np.arange(first, last, step), dtype, device) if dtype is not None else tensor(
        _default(np.arange(first, last, step)), None, device
    )


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor on the same memory as the array."""
    array = arrays.plain(array, "from_numpy takes an array as it is")
    to_dtype(array.dtype)
    return Tensor(array)


def _default(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.astype(DEFAULT_DTYPE) if array.dtype.kind == "f" else array
