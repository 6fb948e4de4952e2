"""Threads that make batches ahead of the consumer.

The unit of work is a few samples, not a batch, so all threads work on the batch that is wanted
first; the thread that finishes a batch's last sample assembles it. Results come out in the order
of the jobs whatever the threads do.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ..kernels.fast.parallel import can_start_threads

T = TypeVar("T")
# Seconds that threads have to end: one may wait for ever, for a pipe or a disk that is gone, and
# must keep neither Ctrl-C nor the end of the program waiting.
PATIENCE = 5.0


class Job(Generic[T]):
    """One batch: `load(index)` for every index, in any thread, then `assemble(loaded)` once."""

    def __init__(
        self,
        indices: Sequence[int],
        load: Callable[[int], Any],
        assemble: Callable[[list[Any]], T],
    ) -> None:
        self.indices, self._load, self._assemble = indices, load, assemble
        self._loaded: list[Any] = [None] * len(indices)
        self._errors: dict[int, BaseException] = {}
        self._left = len(indices)
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._result: list[T] = []

    def run(self, slots: range) -> None:
        """Load the samples of `slots`; the last call for this job assembles the result."""
        for slot in slots:
            try:
                self._loaded[slot] = self._load(self.indices[slot])
            except BaseException as error:  # the consumer would wait for ever for a lost sample
                self._errors[slot] = error
        with self._lock:
            self._left -= len(slots)
            if self._left:
                return
        try:
            if not self._errors:
                self._result.append(self._assemble(self._loaded))
        except BaseException as error:
            self._errors[0] = error
        self._loaded = []
        self._ready.set()

    def take(self) -> T:
        """Wait for the result and give it away; raises the error of the first failed sample."""
        # An unlimited wait cannot be interrupted by Ctrl-C on Windows.
        while not self._ready.wait(0.5):
            pass
        if not self._errors:
            return self._result.pop()
        error = self._errors[min(self._errors)]
        self._errors = {}
        try:
            raise error
        finally:
            del error  # error -> traceback -> this frame -> error would be a cycle


class _Pool:
    """Daemon threads on one queue. They hold no reference to the pool, so dropping the pool stops
    them; `weakref.finalize` does the same at interpreter exit."""

    def __init__(self, threads: int) -> None:
        tasks: queue.SimpleQueue[tuple[Job[Any], range] | None] = queue.SimpleQueue()
        stopping = threading.Event()
        started: list[threading.Thread] = []
        self._tasks = tasks
        self.close = weakref.finalize(self, _stop, tasks, stopping, started)
        for i in range(threads):
            thread = threading.Thread(
                target=_work, args=(tasks, stopping), name=f"minigrad-loader-{i}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # the system gives no more: with those that there are
                break
            started.append(thread)
        self.threads = len(started)

    def submit(self, job: Job[T]) -> Job[T]:
        size = len(job.indices)
        step = max(
            1, size // (8 * self.threads)
        )  # few enough for even ends, many enough to be cheap
        for low in range(0, size, step):
            self._tasks.put((job, range(low, min(low + step, size))))
        return job


def _work(
    tasks: queue.SimpleQueue[tuple[Job[Any], range] | None], stopping: threading.Event
) -> None:
    while (task := tasks.get()) is not None:
        if not stopping.is_set():
            job, slots = task
            job.run(slots)


def _stop(
    tasks: queue.SimpleQueue[tuple[Job[Any], range] | None],
    stopping: threading.Event,
    threads: list[threading.Thread],
) -> None:
    stopping.set()
    for _ in threads:
        tasks.put(None)
    until = time.monotonic() + PATIENCE
    for thread in threads:
        if thread is not threading.current_thread():  # the garbage collector runs anywhere
            thread.join(max(0.0, until - time.monotonic()))


def run_ahead(jobs: Iterable[Job[T]], threads: int, ahead: int) -> Iterator[T]:
    """Results of `jobs` in order, made by `threads` threads up to `ahead` jobs before their turn.

    Threads start with the first result asked for and are gone when the iterator ends, fails, is
    closed or is dropped; one that hangs in `load` is left behind after PATIENCE. Where none can be
    started, each job is done in its turn.
    """
    pool = _Pool(threads if can_start_threads() else 0)
    try:
        if not pool.threads:
            for job in jobs:
                job.run(range(len(job.indices)))
                yield job.take()
            return
        waiting = iter(jobs)
        begun = deque(pool.submit(job) for job in itertools.islice(waiting, ahead))
        while begun:
            result = begun.popleft().take()
            begun.extend(pool.submit(job) for job in itertools.islice(waiting, 1))
            yield result
            del result  # the consumer's batch is the consumer's to free
    finally:
        pool.close()
