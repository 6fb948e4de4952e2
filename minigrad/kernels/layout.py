"""Channels-last memory behind NCHW shapes.

Users see (N, C, H, W). In memory the channels of one pixel lie side by side (N, H, W, C), so im2col
copies runs of contiguous values, LRN slides over the fastest axis, and a convolution is one matrix
product whose result needs no transposing.
"""

from __future__ import annotations

import operator
from typing import Any

from ..arrays import Array, array_module, is_integer


def as_nhwc(x: Array) -> Array:
    """Return a contiguous (N, H, W, C) array of an NCHW one: a view if it is channels-last."""
    return array_module(x).ascontiguousarray(x.transpose(0, 2, 3, 1))


def masked(values: Array, mask: Array, out: Array | None = None) -> Array:
    """`values` where `mask` (bool, same shape), else 0; into `out` if given.

    The bits are multiplied as whole numbers: as floats, 0 times infinity would be NaN. `where` does
    the same and takes ten times as long.
    """
    xp = array_module(values)
    if values.dtype.kind == "c":
        kept = xp.where(mask, values, values.dtype.type(0))
        if out is None:
            return kept
        out[...] = kept
        return out
    whole = f"i{values.dtype.itemsize}"
    into = None if out is None else out.view(whole)
    return xp.multiply(values.view(whole), mask, out=into).view(values.dtype)


def as_nchw(x: Array) -> Array:
    """Return the (N, C, H, W) view of an (N, H, W, C) array."""
    return x.transpose(0, 3, 1, 2)


def channels_last(x: Array) -> Array:
    """The NCHW array itself if its memory is channels-last, else a copy that is."""
    return as_nchw(as_nhwc(x))


def pad_into(padded: Array, x: Array, padding: tuple[int, int], value: float = 0.0) -> Array:
    """Copy x (N, H, W, C) into `padded` (N, H + top + ..., W + left + ..., C) and fill the rest."""
    (top, left), (height, width) = padding, x.shape[1:3]
    padded[:, :top] = value
    padded[:, top + height :] = value
    padded[:, top : top + height, :left] = value
    padded[:, top : top + height, left + width :] = value
    padded[:, top : top + height, left : left + width] = x
    return padded


def pair(value: Any, name: str, smallest: int = 0) -> tuple[int, int]:
    """Turn 3 or (3, 2) into two integers. Raises TypeError or ValueError, naming the argument."""
    both = (value, value) if is_integer(value) else tuple(value) if _has_items(value) else ()
    if len(both) == 1:
        both = both * 2
    if len(both) != 2 or not all(is_integer(v) for v in both):
        raise TypeError(f"{name}: got {value!r}, expected an integer or a pair of integers")
    first, second = map(operator.index, both)
    if min(first, second) < smallest:
        raise ValueError(f"{name}: got {value!r}, expected at least {smallest}")
    return first, second


def _has_items(value: Any) -> bool:
    return isinstance(value, tuple | list) or getattr(value, "ndim", 0) == 1
