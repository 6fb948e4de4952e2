"""Dropout by dropout.cu: the bits are drawn where they are used."""

from __future__ import annotations

import numpy as np

from ...arrays import Array, array_module
from .. import cuda, dropout
from ..threefry import Key


def _takes(x: Array, p: float, key: Key) -> bool:
    return cuda.usable(x) and not key.of


@dropout.dropout_forward.instead(_takes)
def forward(x: Array, p: float, key: Key) -> Array:
    """`dropout_forward`."""
    return _masked(x, p, key, 1 / (1 - p))


@dropout.paper_dropout_forward.instead(_takes)
def paper_forward(x: Array, p: float, key: Key) -> Array:
    """`paper_dropout_forward`."""
    return _masked(x, p, key, 1.0)


def _masked(x: Array, p: float, key: Key, factor: float) -> Array:
    y = array_module(x).empty(x.shape, x.dtype)
    words = (key.seed & 0xFFFFFFFF, key.seed >> 32, key.stream, dropout.threshold(p))
    cuda.launch("dropout.dropout", (x.size + 1) // 2, y, x, *map(np.uint32, words), factor, x.size)
    return y
