"""The SGD step of all parameters in one launch of sgd.cu."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...arrays import Array
from .. import cuda
from ..fast import sgd as fast
from ..fast.blockwise import flat_views
from ..sgd import Rule, Update, sgd_step

ROWS = 48  # of a table; an argument of a kernel has at most 4 KiB


class Row(NamedTuple):
    """One parameter: flat arrays that `cuda.usable` takes, and the numbers of sgd.cu's formula."""

    w: Array
    g: Array
    v: Array | None
    nesterov: bool
    sign: float
    decay: float
    momentum: float
    gain: float
    rate: float


def _on_gpu(updates: Sequence[Update]) -> bool:
    return any(cuda.supported(update.w) for update in updates)


@sgd_step.instead(_on_gpu)
def step(updates: Sequence[Update]) -> None:
    """`sgd_step`; what sgd.cu does not take goes blockwise."""
    rows, others = [], []
    for update in updates:
        arrays = tuple(a for a in update[:3] if a is not None)
        flat = flat_views(arrays)
        if flat is not None and cuda.usable(*flat):
            rows.append(_row(update.rule, *flat))
        else:
            others.append(update)
    fast.step(others)
    launch_rows(rows)


def _row(rule: Rule, w: Array, g: Array, v: Array | None = None) -> Row:
    return Row(
        w, g, v, nesterov=rule.nesterov, sign=-1.0 if rule.maximize else 1.0,
        decay=rule.weight_decay, momentum=rule.momentum,
        gain=-rule.lr if rule.paper else 1 - rule.dampening,
        rate=-1.0 if rule.paper and v is not None else rule.lr,
    )  # fmt: skip


def launch_rows(rows: list[Row]) -> None:
    """Update each row's w and v in place, as sgd.cu says.

    The table of addresses and numbers is an argument of the kernel, which the driver takes over at
    the launch: nothing is copied to the device on its own, and nobody waits.
    """
    alike: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        alike.setdefault((row.w.device.id, row.w.dtype.char), []).append(row)
    for same in alike.values():
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
    """The structure `Table` of sgd.cu."""
    real = rows[0].w.dtype.char
    row_type = np.dtype(
        [("w", "u8"), ("g", "u8"), ("v", "u8"), ("end", "u4"), ("nesterov", "i4"),
         *((name, real) for name in Row._fields[4:])],
        align=True,
    )  # fmt: skip
    table, end = np.zeros((), np.dtype([("rows", row_type, ROWS)])), 0
    for index, row in enumerate(rows):
        w, g, v, *numbers = row
        end += w.size
        address = 0 if v is None else v.data.ptr
        table["rows"][index] = (w.data.ptr, g.data.ptr, address, end, *numbers)
    return table
