"""Dropout from counter-based bits: the mask is a function of its key, so nothing is stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array, array_module
from .threefry import Key, random_bits, row_bits
from .ways import Kernel


@Kernel
def dropout_forward(x: Array, p: float, key: Key) -> Array:
    """Inverted dropout: y = x * mask / (1 - p), so that E[y] = x. p < 1. Also its own backward."""
    keep = dropout_mask(x.shape, p, key, array_module(x))
    return x * (keep * x.real.dtype.type(1 / (1 - p)))


@Kernel
def paper_dropout_forward(x: Array, p: float, key: Key) -> Array:
    """The paper's training pass (section 4.2): y = x * mask, unscaled; at test y = (1 - p) x.
    Also its own backward."""
    return x * dropout_mask(x.shape, p, key, array_module(x))


def dropout_mask(shape: tuple[int, ...], p: float, key: Key, xp: Any = np) -> Array:
    """True where an element is kept: probability 1 - p each, bit-identical on every device."""
    if key.of:
        bits = row_bits(key, shape[0], math.prod(shape[1:]), xp)
    else:
        bits = random_bits(key, math.prod(shape), xp)
    return (bits >= xp.uint32(threshold(p))).reshape(shape)


def threshold(p: float) -> int:
    """The smallest 32-bit word that keeps its element."""
    return min(round(p * 2**32), 2**32 - 1)


def dropout_naive(x: Array, keep: Array, p: float) -> Array:
    """Inverted dropout for a given mask, element by element."""
    y = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        if keep[index]:
            y[index] = x[index] / (1 - p)
    return y
