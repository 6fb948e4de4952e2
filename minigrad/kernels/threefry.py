"""Random bits from a counter: Threefry-2x32 with 20 rounds, in uint32 arithmetic of either module.

Number `i` of draw `s` under seed `k` is Threefry(key=k, counter=(i, s)), a block cipher of add,
rotate, xor (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). It has no
state: a dropout mask is not stored but drawn again in the backward pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from .ways import Kernel

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


class Key(NamedTuple):
    """Names one draw: a 64-bit seed and the draw's number under it.

    of: where only some rows of a batch are drawn for, how many the batch has; `first` is the first
    of them. Dropout then gets the very bits that the whole batch would have given these rows; other
    draws do not ask.
    """

    seed: int
    stream: int
    first: int = 0
    of: int = 0


def threefry2x32(key: tuple[int, int], first: Any, second: Any) -> tuple[Any, Any]:
    """Encrypt counters: two uint32 arrays of one shape in, two out. 20 rounds."""
    uint = np.uint32
    keys = [uint(key[0]), uint(key[1]), uint(key[0] ^ key[1] ^ _PARITY)]
    a, b = first + keys[0], second + keys[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            a += b
            high = b << uint(rotation)
            b >>= uint(32 - rotation)
            b |= high
            b ^= a
        a += keys[(group + 1) % 3]
        b += uint((int(keys[(group + 2) % 3]) + group + 1) & 0xFFFFFFFF)
    return a, b


@Kernel
def random_pairs(
    key: Key, count: int, xp: ModuleType, finish: Callable[[Any, Any], tuple[Any, Any]], dtype: Any
) -> Any:
    """finish(a, b) of the pairs 0..count-1 of a draw: shape (2, count)."""
    out = xp.empty((2, count), dtype)
    fill_pairs(out, key, slice(0, count), xp, finish)
    return out


def fill_pairs(out: Any, key: Key, part: slice, xp: ModuleType, finish: Any) -> None:
    """Part of what `random_pairs` returns."""
    out[0, part], out[1, part] = finish(*_pairs(key, part, xp))


def _pairs(key: Key, part: slice, xp: ModuleType) -> tuple[Any, Any]:
    first = xp.arange(part.start, part.stop, dtype=xp.uint32)
    words = (key.seed & 0xFFFFFFFF, key.seed >> 32)
    return threefry2x32(words, first, xp.full(first.shape, key.stream, xp.uint32))


def random_bits(key: Key, count: int, xp: ModuleType = np) -> Any:
    """Return `count` random uint32 of a draw, shape (count,), bit-identical on every device."""
    half = (count + 1) // 2
    return random_pairs(key, half, xp, lambda a, b: (a, b), xp.uint32).reshape(-1)[:count]


def row_bits(key: Key, rows: int, length: int, xp: ModuleType = np) -> Any:
    """`rows` rows of `length` from `key.first` on of random_bits(key, key.of * length), shape
    (rows * length,), without the others."""
    start, half = key.first * length, (key.of * length + 1) // 2
    stop = start + rows * length
    bits = [xp.empty(0, xp.uint32)]
    if start < half:
        bits.append(_pairs(key, slice(start, min(stop, half)), xp)[0])
    if stop > half:
        bits.append(_pairs(key, slice(max(start, half) - half, stop - half), xp)[1])
    return xp.concatenate(bits)


def uniform(key: Key, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Return uniform numbers in [0, 1) on the CPU: 24 random bits for float32, 53 for float64."""
    count = math.prod(shape)
    if np.dtype(dtype) == np.float32:
        bits = random_bits(key, count) >> np.uint32(8)
        return (bits.astype(np.float32) * np.float32(2.0**-24)).reshape(shape)

    def finish(a: Any, b: Any) -> tuple[Any, Any]:
        high = (a >> np.uint32(5)).astype(np.float64) * 2.0**26
        return (high + (b >> np.uint32(6))) * 2.0**-53, 0.0

    numbers = random_pairs(key, count, np, finish, np.float64)[0]
    return numbers.reshape(shape).astype(dtype, copy=False)


def normal(key: Key, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Return standard normal numbers on the CPU (Box-Muller in float64, rounded to `dtype`)."""
    count = math.prod(shape)

    def finish(a: Any, b: Any) -> tuple[Any, Any]:
        radius = np.sqrt(-2.0 * np.log((a + 0.5) * 2.0**-32))
        angle = b * (2.0 * np.pi * 2.0**-32)
        return radius * np.cos(angle), radius * np.sin(angle)

    return random_pairs(key, (count + 1) // 2, np, finish, dtype).reshape(-1)[:count].reshape(shape)
