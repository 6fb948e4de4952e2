"""Taking apart along an axis, and repeating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Tensor
from .reduce import axes_of
from .shape import expand, getitem, reshape

__all__ = ["chunk", "split"]


def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Pieces along an axis, views: of one size (the last may be smaller), or of given sizes."""
    (axis,) = axes_of(dim, tensor.ndim, "split") or _no_axis("split")
    length = tensor.shape[axis]
    if isinstance(split_size_or_sections, Sequence):
        sizes = [int(n) for n in split_size_or_sections]
        if sum(sizes) != length or min(sizes, default=0) < 0:
            raise ValueError(f"split: sizes {sizes} do not add up to {length}, dim {dim}'s size")
    else:
        size = int(split_size_or_sections)
        if size < 0 or (size == 0 and length):
            raise ValueError(f"split: the size of a piece is {size}, expected at least 1")
        starts = range(0, length, size) if length else [0]
        sizes = [min(size, length - start) for start in starts]
    pieces, start = [], 0
    for size in sizes:
        pieces.append(getitem(tensor, (slice(None),) * axis + (slice(start, start + size),)))
        start += size
    return tuple(pieces)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces along an axis, views, all but the last of one size."""
    if chunks < 1:
        raise ValueError(f"chunk: chunks is {chunks}, expected at least 1")
    (axis,) = axes_of(dim, input.ndim, "chunk") or _no_axis("chunk")
    length = input.shape[axis]
    return split(input, -(-length // chunks) if length else [0] * chunks, dim)


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """The tensor that many times along each axis, a copy; more repeats than axes add axes."""
    times = tuple(repeats[0]) if len(repeats) == 1 and isinstance(repeats[0], Sequence) else repeats
    if len(times) < input.ndim or min(times, default=0) < 0:
        raise ValueError(f"repeat: got {times} for {input.ndim} dimensions, expected one for each")
    shape = (1,) * (len(times) - input.ndim) + input.shape
    between = [n for size in shape for n in (1, size)]  # (2, 3) as (1, 2, 1, 3)
    wide = [n for pair in zip(times, shape, strict=True) for n in pair]
    full = tuple(time * size for time, size in zip(times, shape, strict=True))
    return reshape(expand(reshape(input, between), wide), full).clone()


def _no_axis(operation: str) -> tuple[int]:
    raise RuntimeError(f"{operation}: a number has no axis")


class Methods:
    """What of this file is a method of every tensor (`ops/methods.py`)."""

    chunk, repeat, split = chunk, repeat, split
