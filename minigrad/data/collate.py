"""Samples to a batch: one tensor per field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import arrays
from ..core import Tensor

Batch = Tensor | tuple[Tensor, ...]
Name = Callable[[int], str]
Empty = Callable[[tuple[int, ...], Any], NDArray[Any]]


class LoaderError(RuntimeError):
    """A sample failed to load, or samples do not fit into one batch; names the samples."""


def collate(samples: Sequence[Any], name: Name, empty: Empty = np.empty) -> Batch:
    """Stack samples along a new axis 0, field by field.

    samples: at least one. Arrays of shape s become (n, *s) with their dtype, and so do NumPy's
    numbers; Python's integers (n,) int64, floats (n,) float32, booleans (n,) bool. `name(i)` names
    samples[i] in messages; `empty` makes the batch's array.
    Raises LoaderError when samples differ in kind, number of fields, shape or dtype.
    """
    if not isinstance(samples[0], tuple | list):
        return Tensor(_stack(samples, "", name, empty))
    fields = len(samples[0])
    for i, sample in enumerate(samples):
        found = len(sample) if isinstance(sample, tuple | list) else type(sample).__name__
        if found != fields:
            raise _mismatch("number of fields", i, found, fields, name)
    return tuple(
        Tensor(_stack([sample[k] for sample in samples], f" of field {k}", name, empty))
        for k in range(fields)
    )


def _stack(values: Sequence[Any], where: str, name: Name, empty: Empty) -> NDArray[Any]:
    rows = [_as_array(value, where, name(i)) for i, value in enumerate(values)]
    first = rows[0]
    for i, array in enumerate(rows):
        if array.shape != first.shape:
            raise _mismatch(f"shape{where}", i, array.shape, first.shape, name)
        if array.dtype != first.dtype:  # np.stack would promote without a word
            raise _mismatch(f"dtype{where}", i, array.dtype, first.dtype, name)
    return np.stack(rows, out=empty((len(rows), *first.shape), first.dtype))


def _as_array(value: Any, where: str, sample: str) -> NDArray[Any]:
    if type(value) is np.ndarray and value.dtype.isnative:  # nearly always, and for every sample
        return value
    if isinstance(value, Tensor):
        return np.asarray(value.numpy())
    if isinstance(value, float) and not isinstance(value, np.floating):
        return np.asarray(value, dtype=np.float32)
    try:
        if isinstance(value, str | list | dict | complex) and not isinstance(value, np.generic):
            raise TypeError(f"its value{where} is a {type(value).__name__}")
        return arrays.to_numpy(arrays.from_outside(value))  # NumPy's scalars keep their dtype
    except TypeError as error:
        raise LoaderError(
            f"cannot put {sample} into a batch: its value{where} is a {type(value).__name__}, "
            "expected a NumPy array, an integer, a float or a boolean: convert it in the "
            f"dataset's __getitem__"
        ) from error


def _mismatch(what: str, i: int, found: Any, expected: Any, name: Name) -> LoaderError:
    return LoaderError(
        f"cannot put {name(i)} into one batch with {name(0)}: {what} is {found}, expected "
        f"{expected} as in {name(0)}: make samples alike in the dataset (crop, resize, astype)"
    )
