"""Elementwise updates of large arrays, in blocks that stay in the cache, over the CPU threads.

An update is bound by memory, not by arithmetic: AlexNet has 57 to 61 million parameters, and a
chain of whole-array operations would carry each of them to and from memory once per operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...arrays import array_module
from .memory import scratch
from .parallel import over_batch

InPlace = Callable[..., None]  # rule(xp, scratch, scratch, *arrays), writes into the arrays

BLOCK_CPU = 1 << 17  # elements: five such arrays stay in L3; fewer cost more in thread hand-overs
BLOCK_GPU = 1 << 22  # bounds the scratch memory; too few launches to matter


@np.errstate(all="ignore")  # a rate too high ends in Inf: the loss shows it, as elsewhere
def blockwise(rule: InPlace, *arrays: Any) -> None:
    """Run an elementwise `rule` in place over `arrays`, block by block.

    `rule(xp, s, t, *blocks)` gets the array module, two scratch arrays of the blocks' shape and
    dtype, and the blocks. The result is bit for bit that of one call on the whole arrays.

    Shapes: all `arrays` have one shape and one dtype; any memory order.
    """
    xp = array_module(arrays[0])
    flat = flat_views(arrays)
    if flat is None:  # the memory orders differ: no common flat view, so all at once
        rule(xp, xp.empty_like(arrays[0]), xp.empty_like(arrays[0]), *arrays)
        return
    size, dtype = flat[0].size, flat[0].dtype
    block = max(1, min(BLOCK_CPU if xp is np else BLOCK_GPU, size))

    def work(parts: list[slice]) -> None:
        buffers = scratch(xp, "optim", (2, block), dtype)
        for part in parts:
            s, t = buffers[:, : part.stop - part.start]
            rule(xp, s, t, *[array[part] for array in flat])

    over_batch(xp, work, size, block)


def flat_views(arrays: tuple[Any, ...]) -> list[Any] | None:
    """One-dimensional views of arrays that share a dense memory order, or None.

    C-contiguous arrays share one, and so do channels-last ones: sorting the axes of all by the
    strides of the first must make every one of them C-contiguous.
    """
    strides = arrays[0].strides
    order = sorted(range(len(strides)), key=lambda axis: -strides[axis])
    views = [array.transpose(order) for array in arrays]
    if not all(view.flags.c_contiguous for view in views):
        return None
    return [view.reshape(-1) for view in views]


def decayed_gradient(
    xp: Any, s: Any, t: Any, w: Any, g: Any, weight_decay: float, maximize: bool
) -> Any:
    """(-g if maximize else g) + weight_decay*w, in `s`, or `g` itself where that is the same."""
    if maximize:
        g = xp.negative(g, out=s)
    if weight_decay:
        g = xp.add(g, xp.multiply(w, weight_decay, out=t), out=s)
    return g
