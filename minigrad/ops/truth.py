"""Questions with a yes or no: is it larger, is it a number, is any, are all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import array_module, as_array, is_array
from ..core import Tensor
from ..rules import check_tensor
from .elementwise import operands
from .reduce import Dim, axes_of

__all__ = ["all", "any", "eq", "ge", "gt", "isfinite", "isinf", "isnan", "le", "lt", "ne"]


def _compare(input: Any, other: Any, how: str) -> Tensor:
    a, b = (t.data for t in operands(input, other))
    if how not in ("equal", "not_equal"):
        a, b = a.real, b.real
    return Tensor(as_array(getattr(array_module(a), how)(a, b)))


def eq(input: Any, other: Any) -> Tensor:
    """input == other, bool."""
    return _compare(input, other, "equal")


def ne(input: Any, other: Any) -> Tensor:
    """input != other, bool."""
    return _compare(input, other, "not_equal")


def lt(input: Any, other: Any) -> Tensor:
    """input < other by real part, bool."""
    return _compare(input, other, "less")


def le(input: Any, other: Any) -> Tensor:
    """input <= other by real part, bool."""
    return _compare(input, other, "less_equal")


def gt(input: Any, other: Any) -> Tensor:
    """input > other by real part, bool."""
    return _compare(input, other, "greater")


def ge(input: Any, other: Any) -> Tensor:
    """input >= other by real part, bool."""
    return _compare(input, other, "greater_equal")


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


def _of_numbers(comparison: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Any]:
    """The comparison's operator: Python asks the other side about what holds no numbers."""

    def compare(input: Any, other: Any) -> Any:
        known = isinstance(other, Tensor | int | float | complex | np.generic)
        return comparison(input, other) if known or is_array(other) else NotImplemented

    return compare


class Methods:
    """What of this file is an operator or a method of every tensor (`ops/methods.py`)."""

    all, any, isfinite, isinf, isnan = all, any, isfinite, isinf, isnan
    eq, ge, gt, le, lt, ne = eq, ge, gt, le, lt, ne

    # Element by element, not a truth value; None and words are told apart as any two objects.
    __eq__, __ne__ = _of_numbers(eq), _of_numbers(ne)
    __lt__, __le__, __gt__, __ge__ = lt, le, gt, ge
