"""SGD on a GPU: the update of all parameters in one launch of cuda/sgd.cu."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..arrays import Array
from . import cuda

ROWS = 48  # of a table; an argument of a kernel has at most 4 KiB


class Row(NamedTuple):
    """One parameter: flat arrays that `cuda.usable` takes, and the numbers of the formula there."""

    w: Array
    g: Array
    v: Array | None
    nesterov: bool
    sign: float
    decay: float
    momentum: float
    gain: float
    rate: float


def sgd_update(rows: list[Row]) -> None:
    """Update each row's w and v in place, as cuda/sgd.cu says.

    The table of addresses and numbers is an argument of the kernel, which the driver takes over at
    the launch: nothing is copied to the device on its own, and nobody waits.
    """
    kinds: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        kinds.setdefault((row.w.device.id, row.w.dtype.char), []).append(row)
    for same in kinds.values():
        for part in _tables(same):
            cuda.launch("sgd.sgd", sum(row.w.size for row in part), _table(part), like=part[0].w,
                        ROWS=ROWS)  # fmt: skip


def _tables(rows: list[Row]) -> Iterator[list[Row]]:
    """Cut into parts that a launch can take."""
    part: list[Row] = []
    total = 0
    for row in rows:
        total += row.w.size
        if len(part) == ROWS or total >= cuda.MOST:
            yield part
            part, total = [], row.w.size
        part.append(row)
    yield part


def _table(rows: list[Row]) -> np.ndarray[tuple[()], np.dtype[np.void]]:
    """The structure `Table` of cuda/sgd.cu."""
    real = rows[0].w.dtype.char
    row_type = np.dtype(
        [("w", "u8"), ("g", "u8"), ("v", "u8"), ("end", "u4"), ("nesterov", "i4"),
         *((name, real) for name in Row._fields[4:])],
        align=True,
    )  # fmt: skip
    table, end = np.zeros((), np.dtype([("rows", row_type, ROWS)])), 0
    for place, row in enumerate(rows):
        w, g, v, *numbers = row
        end += w.size
        address = 0 if v is None else v.data.ptr
        table["rows"][place] = (w.data.ptr, g.data.ptr, address, end, *numbers)
    return table
