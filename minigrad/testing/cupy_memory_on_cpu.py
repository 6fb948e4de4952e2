"""CuPy's memory for the stand-in: the pool and its limit, pinned memory, streams and events.

Every array of the stand-in counts in the pool, in blocks of 512 bytes; a freed block is kept, and
serves again where the same number of bytes is asked for. Work on the null stream is done at once,
a copy on another stream as late as its events allow, so that whoever does not wait for it reads
rubbish. Three mistakes are found that way: computing on an array that has not arrived, writing
into pinned memory that is still being read, and copying into memory that may still be in use.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

TOTAL = 1 << 34  # bytes of memory that the device has
RUBBISH = 0xA5  # what fresh memory holds
_ticks = 0
_local = threading.local()


def _tick() -> int:
    """The next moment."""
    global _ticks
    _ticks += 1
    return _ticks


class OutOfMemoryError(MemoryError):
    """`cupy.cuda.memory.OutOfMemoryError`, with its words."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        said = f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes"
        super().__init__(said + (f", limit set to: {limit:,} bytes)." if limit else ")."))


class RaceError(AssertionError):
    """What on a GPU would be wrong numbers now and then."""


class MemoryHook:
    """`cupy.cuda.MemoryHook`: told of every block that the pool hands out or gets back."""

    name = "MemoryHook"

    def __enter__(self) -> MemoryHook:
        if self.name in pool.hooks:
            raise KeyError(f"memory hook {self.name} already exists")
        pool.hooks[self.name] = self
        return self

    def __exit__(self, *error: object) -> None:
        del pool.hooks[self.name]

    def malloc_postprocess(self, **numbers: int) -> None:
        pass

    def free_postprocess(self, **numbers: int) -> None:
        pass


class MemoryPool:
    """`cupy.cuda.MemoryPool`, as `cupy.get_default_memory_pool` returns it."""

    def __init__(self) -> None:
        self.hooks: dict[str, MemoryHook] = {}
        self._blocks: dict[int, weakref.ref[Any]] = {}  # by id of the array that owns the memory
        self._used = self._total = self._limit = 0
        self._free: Counter[int] = Counter()  # bytes -> blocks
        self._freed: dict[Stream, int] = {}  # when a block of the stream was last given back
        self.allocator: Callable[[int], Any] = self.malloc

    # ----- CuPy's names -----

    def malloc(self, size: int) -> None:
        """Hand out a block, as far as the limit allows."""
        block = -(-size // 512) * 512
        if self._free[block]:
            self._free[block] -= 1
        elif self._total + block > (self._limit or TOTAL):
            raise OutOfMemoryError(block, self._total, self._limit)
        else:
            self._total += block
        self._used += block
        for hook in self.hooks.values():
            hook.malloc_postprocess(device_id=0, size=size, mem_size=block, mem_ptr=1, pmem_id=1)

    def free_all_blocks(self, stream: Stream | None = None) -> None:
        self._total, self._free = self._used, Counter()

    def used_bytes(self) -> int:
        return self._used

    def total_bytes(self) -> int:
        return self._total

    def free_bytes(self) -> int:
        return self._total - self._used

    def get_limit(self) -> int:
        return self._limit

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        if fraction is not None and not 0 <= fraction <= 1:
            raise ValueError(f"memory limit fraction out of range: {fraction}")
        self._limit = int(fraction * TOTAL) if fraction is not None else size or 0

    # ----- the stand-in's own -----

    def count(self, host: np.ndarray[Any, Any]) -> None:
        """Count the memory behind a new array, unless an older one has it."""
        owner = host
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if id(owner) in self._blocks or not owner.nbytes:
            return
        stream = current()
        if stream.seen < self._freed.get(stream, 0):
            raise RaceError("a stream may overwrite memory before those who used it last are done")
        self.allocator(owner.nbytes)
        key, size = id(owner), -(-owner.nbytes // 512) * 512
        self._blocks[key] = weakref.ref(owner, lambda _: self._give_back(key, size, stream))

    def _give_back(self, key: int, size: int, stream: Stream) -> None:
        del self._blocks[key]
        self._used -= size
        self._free[size] += 1
        if stream is not Stream.null:
            self._freed[stream] = _tick()
        for hook in list(self.hooks.values()):
            hook.free_postprocess(device_id=0, mem_size=size, mem_ptr=1, pmem_id=1)


class PinnedMemoryPointer(bytearray):
    """`cupy.cuda.PinnedMemoryPointer`: a buffer for `numpy.ndarray`."""


pinned: Counter[str] = Counter()  # calls and bytes


def alloc_pinned_memory(size: int) -> PinnedMemoryPointer:
    pinned["calls"] += 1
    pinned["bytes"] += size
    return PinnedMemoryPointer(size)


def pinned_owner(host: Any) -> PinnedMemoryPointer | None:
    """The pinned memory that an array lies in."""
    while isinstance(host, np.ndarray):
        host = host.base
    return host if isinstance(host, PinnedMemoryPointer) else None


class Event:
    """`cupy.cuda.Event`."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self._stream, self._position, self._time = Stream.null, 0, 0

    def record(self, stream: Stream | None = None) -> None:
        self._stream = current() if stream is None else stream
        self._position, self._time = self._stream.asked, _tick()

    @property
    def done(self) -> bool:
        return self._stream.executed >= self._position

    def synchronize(self) -> None:
        self._stream.run(self._position)


class Stream:
    """`cupy.cuda.Stream`; copies wait in it until an event or `synchronize` calls for them."""

    null: Stream

    def __init__(
        self,
        null: bool = False,
        non_blocking: bool = False,
        ptds: bool = False,
        priority: int | None = None,
    ) -> None:
        if not (null or non_blocking):
            raise RaceError("a blocking stream waits for the null stream: no copy would overlap")
        self.asked = self.executed = 0
        self.seen = 0  # until when the work of the null stream was waited for
        self._waiting: list[Callable[[], None]] = []

    def __enter__(self) -> Stream:
        _stack().append(self)
        return self

    def __exit__(self, *error: object) -> None:
        _stack().pop()

    def record(self, event: Event | None = None) -> Event:
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        if self is Stream.null:
            event.synchronize()
        elif event._stream is Stream.null:
            self.seen = max(self.seen, event._time)

    def synchronize(self) -> None:
        self.run(self.asked)

    @property
    def done(self) -> bool:
        return self.executed == self.asked

    def put(self, work: Callable[[], None]) -> None:
        """Ask for work; the null stream does it at once."""
        self.asked += 1
        self._waiting.append(work)
        if self is Stream.null:
            self.run(self.asked)

    def run(self, position: int) -> None:
        """Do what was asked for up to a position."""
        while self.executed < position:
            self.executed += 1
            self._waiting.pop(0)()


Stream.null = Stream(null=True)
pool = MemoryPool()


def _stack() -> list[Stream]:
    if not hasattr(_local, "streams"):
        _local.streams = [Stream.null]
    streams: list[Stream] = _local.streams
    return streams


def current() -> Stream:
    """`cupy.cuda.get_current_stream`."""
    return _stack()[-1]


sent: Counter[str] = Counter()  # bytes to the device, by dtype


def copied(host: np.ndarray[Any, Any], dtype: Any) -> np.ndarray[Any, Any]:
    """The memory of a device array that holds `host` once the current stream has come to it."""
    target = np.empty(host.shape, dtype or host.dtype)
    target.reshape(-1).view(np.uint8)[...] = RUBBISH
    sent[target.dtype.name] += target.nbytes
    owner = pinned_owner(host)
    if owner is None:  # CuPy copies it into pinned memory of its own first
        host = host.copy()
        current().put(lambda: np.copyto(target, host, casting="unsafe"))
        return target
    # Nothing here holds on to the pinned memory: that is for the caller to do.
    alive, place = weakref.ref(owner), host.__array_interface__

    def read() -> None:
        held = alive()
        if held is None:
            raise RaceError("pinned memory was freed while its copy was under way")
        source = _Place(place)
        np.copyto(target, np.asarray(source), casting="unsafe")

    current().put(read)
    return target


class _Place:
    """An address as an array."""

    def __init__(self, interface: dict[str, Any]) -> None:
        self.__array_interface__ = interface
