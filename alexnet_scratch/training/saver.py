"""Checkpoints, written by a thread while training goes on."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.arrays import Array, to_numpy

Write = Callable[[Mapping[str, Any]], None]
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class SaveEvery:
    """How often a checkpoint is saved within an epoch: after so many seconds, or steps."""

    seconds: float = 600.0
    steps: int | None = None


TEN_MINUTES = SaveEvery()


def save_every(text: str) -> SaveEvery:
    """"10m", "90s" or "2h", or a number of steps. Raises ValueError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])|(\d+)", text)
    if not found or float(found[1] or found[3]) == 0:
        raise ValueError(
            f"{text!r} is no time (10m, 90s or 2h) and no number of steps (500), each above 0"
        )
    if found[3]:
        return SaveEvery(steps=int(found[3]))
    return SaveEvery(seconds=float(found[1]) * _UNITS[found[2]])


class Saver:
    """Writes one snapshot at a time; training waits for nothing but the copy.

    The copies lie in memory that is taken once, and is then as large as a checkpoint.
    """

    def __init__(self, every: SaveEvery) -> None:
        self.every = every
        self._saved_at = time.monotonic()
        self._memory: dict[str, NDArray[Any]] = {}
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def due(self, step: int) -> bool:
        """Is it time for a checkpoint within the epoch? Called once after each step."""
        if self.every.steps is not None:
            return step % self.every.steps == 0
        return time.monotonic() - self._saved_at > self.every.seconds

    def save(self, arrays: Mapping[str, Array], write: Write) -> None:
        """Copy the arrays as they are now, and have a thread `write` the copies.

        Waits for the snapshot before, and raises what its `write` raised.
        """
        self.wait()
        snapshot = {name: self._copied(name, array) for name, array in arrays.items()}
        self._saved_at = time.monotonic()
        thread = threading.Thread(target=self._write, args=(write, snapshot), name="saver")
        try:
            thread.start()
        except RuntimeError:  # a browser has no threads
            self._write(write, snapshot)
        else:
            self._thread = thread

    def wait(self) -> None:
        """Until what is being written is on disk. Raises what `write` raised."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _copied(self, name: str, used: Array) -> NDArray[Any]:
        array = to_numpy(used)
        if array is not used:  # a GPU's has just been copied
            return array
        memory = self._memory.get(name)
        if memory is None or (memory.shape, memory.dtype) != (array.shape, array.dtype):
            memory = self._memory[name] = np.empty(array.shape, array.dtype)
        np.copyto(memory, array)
        return memory

    def _write(self, write: Write, snapshot: Mapping[str, Any]) -> None:
        try:
            write(snapshot)
        except BaseException as error:
            self._error = error
