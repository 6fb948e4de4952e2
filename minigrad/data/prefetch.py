"""The next batch travels to the GPU while it computes on this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..arrays import Array, parse_device
from ..core import Tensor
from ..cuda.device import on_gpu

MOST_UNDER_WAY = 2  # copies; the host waits before it asks for another


def prefetch(batches: Iterable[Any], device: str) -> Iterator[Any]:
    """The batches, with their first field on `device`, sent there one batch ahead.

    batches: tuples of tensors, as a DataLoader's; with its `pin_memory`, nothing else is copied on
    the host. The first field is the large one: uint8 images, say. The others, a few hundred bytes,
    stay where they are, so that labels can be checked. On the CPU this is `iter(batches)`.
    """
    if parse_device(device) == "cpu":
        return iter(batches)
    return _prefetched(batches, _Lane(device))


def _prefetched(batches: Iterable[Any], lane: _Lane) -> Iterator[Any]:
    ahead: tuple[Array, Any, Any] | None = None
    for first, *others in batches:
        sent = (*lane.send(first.data), others)
        if ahead is not None:
            yield lane.received(*ahead)
        ahead = sent
    if ahead is not None:
        yield lane.received(*ahead)


class _Lane:
    """A stream that does nothing but copy to one GPU.

    Why no copy meets a computation, with C the stream that computes:

    - C waits for a copy's event before it gets the array (`received`).
    - CuPy's pool gives a freed block to the next array of the stream that it was made on, at once,
      since work on one stream is in order. The arrays here are made on the copying stream but read
      on C. So every copy waits first for what C has been asked so far: who had the block before
      was freed before, and its last use asked for before that. What C is asked after that, the
      step on the batch in hand, the copy does not wait for: the two overlap.
    - Pinned memory goes back to its pool when the last name for it goes, copied or not; so it is
      kept here until its event has come.

    The copying stream must be a non-blocking one: CuPy computes on the null stream, and that waits
    for all others.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        with on_gpu(device) as cupy:
            self.stream = cupy.cuda.Stream(non_blocking=True)
        self.under_way: deque[tuple[Any, Array]] = deque()

    def send(self, array: Array) -> tuple[Array, Any]:
        """The array as it will be on the device, and the event of its arrival."""
        if not isinstance(array, np.ndarray):
            return array, None
        while self.under_way and (
            len(self.under_way) >= MOST_UNDER_WAY or self.under_way[0][0].done
        ):
            self.under_way[0][0].synchronize()
            self.under_way.popleft()  # not before: with the name goes the memory
        with on_gpu(self.device) as cupy:
            asked = cupy.cuda.Event(disable_timing=True)
            asked.record(cupy.cuda.get_current_stream())
            self.stream.wait_event(asked)
            with self.stream:
                sent = cupy.asarray(array)  # does not wait (its default `blocking=False`)
            arrived = cupy.cuda.Event(disable_timing=True)
            arrived.record(self.stream)
        self.under_way.append((arrived, array))
        return sent, arrived

    def received(self, sent: Array, arrived: Any, others: list[Any]) -> tuple[Any, ...]:
        """The batch, for whatever the current stream is asked from now on."""
        if arrived is not None:
            with on_gpu(self.device) as cupy:
                cupy.cuda.get_current_stream().wait_event(arrived)
        return Tensor(sent), *others
