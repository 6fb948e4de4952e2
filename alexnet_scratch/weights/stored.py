"""Arrays as they lie in a file: mapped into memory, and copied only as far as its size allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

# What a number is stored as: dtypes of NumPy, and bfloat16, which it lacks.
BFLOAT16 = "bfloat16"
MOST_DIMENSIONS = 8
COPIES = 2  # times a file's size that may be copied of it; 16 bits in float32 take twice theirs


class CutShortError(ValueError):
    """A file that ends before what it describes."""


class Stored:
    """The bytes of a file, of which arrays are made. ValueError for what they cannot be."""

    def __init__(self, path: str) -> None:
        self.bytes: NDArray[np.uint8] = np.asarray(np.memmap(path, np.uint8, "r"))
        self.size = len(self.bytes)
        self._left = COPIES * self.size

    def numbers(self, offset: int, count: int, dtype: str) -> NDArray[Any]:
        """So many numbers in a row, as they are stored (bfloat16 as uint16)."""
        kind = np.dtype(np.uint16 if dtype == BFLOAT16 else dtype)
        end = offset + count * kind.itemsize
        if offset < 0 or count < 0 or end > self.size:
            there = f"{end:,} bytes are expected, {self.size:,} there"
            raise CutShortError(f"it ends too early: {there}")
        return self.bytes[offset:end].view(kind)

    def array(
        self,
        numbers: NDArray[Any],
        dtype: str,
        offset: int,
        shape: Sequence[int],
        strides: Sequence[int] | None = None,
    ) -> NDArray[Any]:
        """The array that begins at numbers[offset]; strides in numbers, by default C order.

        In float32 where it is stored in 16 bits, else a view where its memory is in C order.
        """
        given = [offset, *shape, *(strides or ())]
        if any(type(number) is not int or number < 0 for number in given):
            raise ValueError(f"a shape, stride or offset that is no whole number: {given!r:.60}")
        if len(shape) > MOST_DIMENSIONS:
            raise ValueError(f"{len(shape)} dimensions, expected at most {MOST_DIMENSIONS}")
        if strides is None:
            strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        if len(strides) != len(shape):
            raise ValueError(f"{len(strides)} strides for {len(shape)} dimensions")
        size = math.prod(shape)
        last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        if size and (size > len(numbers) or last >= len(numbers)):
            raise ValueError(
                f"a tensor of shape {tuple(shape)} reaches beyond the {len(numbers):,} numbers "
                "that are stored for it"
            )
        if not size:
            view: NDArray[Any] = np.zeros(tuple(shape), numbers.dtype)
        else:
            steps = [s * numbers.itemsize for s in strides]
            view = as_strided(numbers[offset:], tuple(shape), steps, writeable=False)
        return self._plain(view, dtype)

    def _plain(self, view: NDArray[Any], dtype: str) -> NDArray[Any]:
        """In C order, the machine's byte order, and not in 16 bits."""
        if dtype == BFLOAT16:
            self._take(4 * view.size)
            wide = view.astype(np.uint32, "C")
            view = np.left_shift(wide, np.uint32(16), out=wide).view(np.float32)
        target = np.dtype(np.float32) if view.dtype.kind == "f" and view.itemsize == 2 else (
            view.dtype.newbyteorder("=")
        )  # fmt: skip
        if target != view.dtype or not view.flags.c_contiguous:
            self._take(target.itemsize * view.size)
        array = np.asarray(view, target, order="C")
        array.flags.writeable = False
        return array

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError(
                f"its tensors would take more than {COPIES} times its {self.size:,} bytes"
            )
