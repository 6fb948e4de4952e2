"""Questions with a yes or no: is it a number, is any, are all."""

from __future__ import annotations

import numpy as np

from ..arrays import array_module, as_array
from ..core import Tensor
from ..rules import check_tensor
from .reduce import Dim, axes_of

__all__ = ["all", "any", "isfinite", "isinf", "isnan"]


def isnan(input: Tensor) -> Tensor:
    """Where a number is NaN, bool."""
    return _each(input, "isnan")


def isinf(input: Tensor) -> Tensor:
    """Where a number is inf or -inf, bool."""
    return _each(input, "isinf")


def isfinite(input: Tensor) -> Tensor:
    """Where a number is neither NaN nor infinite, bool."""
    return _each(input, "isfinite")


def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether any element is not 0, of all or over the axes `dim`: bool (uint8 of uint8)."""
    return _asked(input, dim, keepdim, "any")


def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether no element is 0, of all or over the axes `dim`: bool (uint8 of uint8)."""
    return _asked(input, dim, keepdim, "all")


def _each(input: Tensor, how: str) -> Tensor:
    check_tensor(how, input)
    return Tensor(as_array(getattr(array_module(input.data), how)(input.data)))


def _asked(input: Tensor, dim: Dim, keepdim: bool, how: str) -> Tensor:
    check_tensor(how, input)
    ask = getattr(array_module(input.data), how)
    found = as_array(ask(input.data, axis=axes_of(dim, input.ndim, how), keepdims=keepdim))
    return Tensor(found.astype(input.dtype) if input.dtype == np.uint8 else found)


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    all, any, isfinite, isinf, isnan = all, any, isfinite, isinf, isnan
