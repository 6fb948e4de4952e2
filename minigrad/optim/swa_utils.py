"""Running averages of a network's weights, under PyTorch's names."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..arrays import Array, to_device
from ..core import Tensor
from ..kernels.fast.blockwise import blockwise
from ..nn import Module

__all__ = ["AveragedModel", "get_ema_multi_avg_fn"]

# Moves the averages, in place, towards the weights; the count is of the updates before this one.
MultiAvgFn = Callable[[Sequence[Array], Sequence[Array], int], None]


def get_ema_multi_avg_fn(decay: float = 0.999, warmup: bool = False) -> MultiAvgFn:
    """average <- decay average + (1 - decay) weights, an exponential moving average.

    About the last 1 / (1 - decay) updates count. The average begins as the weights of the first
    update, and a run that is not many times as long would end near those. warmup: the decay is at
    most (1 + n) / (10 + n) after n updates, so that at any time the last ninth or so of the updates
    makes most of the average.

    Raises ValueError for a decay outside 0..1. Sources: torch.optim.swa_utils, which has no
    `warmup`; Polyak and Juditsky 1992; TensorFlow's ExponentialMovingAverage (`num_updates`).
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"get_ema_multi_avg_fn: got decay={decay}, expected 0 to 1")

    def update(averages: Sequence[Array], weights: Sequence[Array], n: int) -> None:
        now = min(decay, (1 + n) / (10 + n)) if warmup else decay
        _approach(averages, weights, 1 - now)

    return update


class AveragedModel(Module):
    """A copy of `model` whose weights are the average of those at each `update_parameters`.

    The first update copies; `multi_avg_fn` does the others, by default so that all count alike.
    use_buffers: buffers are averaged, too (those of whole numbers are copied); else each update
    copies them. `module` is the copy, `n_averaged` counts.

    One update reads the weights and the averages and writes the averages, over the threads.
    Source: torch.optim.swa_utils.AveragedModel.
    """

    def __init__(
        self, model: Module, *, multi_avg_fn: MultiAvgFn | None = None, use_buffers: bool = False
    ) -> None:
        super().__init__()
        self.module = copy.deepcopy(model)
        self.module.zero_grad()
        self.register_buffer("n_averaged", Tensor(np.zeros((), np.int64)))
        self.multi_avg_fn, self.use_buffers = multi_avg_fn or _equal, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged network computes."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take in the weights of `model`, which has the same layers."""
        n = int(self.n_averaged.data)
        averaged: list[tuple[Tensor, Tensor]] = []
        copied: list[tuple[Tensor, Tensor]] = []
        for weights in zip(self.module.parameters(), model.parameters(), strict=True):
            (averaged if n else copied).append(weights)
        for buffers in zip(self.module.buffers(), model.buffers(), strict=True):
            average = n and self.use_buffers and buffers[0].dtype.kind == "f"
            (averaged if average else copied).append(buffers)
        if averaged:
            self.multi_avg_fn([a.data for a, _ in averaged], [b.data for _, b in averaged], n)
        for mine, theirs in copied:
            mine.data[...] = to_device(theirs.data, mine.device)
        for mine, _ in averaged + copied:
            mine.bump_version()
        self.n_averaged.data[...] = n + 1


def _equal(averages: Sequence[Array], weights: Sequence[Array], n: int) -> None:
    _approach(averages, weights, 1 / (n + 1))


def _approach(averages: Sequence[Array], weights: Sequence[Array], share: float) -> None:
    for average, weight in zip(averages, weights, strict=True):
        blockwise(partial(_lerp, share=share), average, weight)


def _lerp(xp: Any, s: Any, t: Any, average: Any, weight: Any, *, share: float) -> None:
    average += xp.multiply(xp.subtract(weight, average, out=s), share, out=s)
