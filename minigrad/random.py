"""The random generator: a seed and a count of draws, nothing else to save.

Draw number `s` under seed `k` is a function of the two (`kernels/threefry.py`), the same on CPU and
GPU; so a resumed run continues with the very numbers that the first would have drawn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .kernels.threefry import Key, normal, random_bits, uniform

__all__ = ["Generator", "Key", "default_generator", "manual_seed", "normal", "random_bits",
           "uniform"]  # fmt: skip


class Generator:
    """Counts draws under a seed; `state` is all there is to save."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._rows = (0, 0)
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> None:
        """Start the stream of `seed` (an integer; taken modulo 2**64) from its beginning."""
        self.seed, self.stream = int(seed) % 2**64, 0

    @property
    def state(self) -> tuple[int, int]:
        """The pair (seed, number of draws so far)."""
        return self.seed, self.stream

    @state.setter
    def state(self, state: tuple[int, int]) -> None:
        seed, stream = state
        self.seed, self.stream = int(seed) % 2**64, int(stream) % 2**32

    @contextmanager
    def rows(self, first: int, of: int) -> Iterator[None]:
        """What is dropped out meanwhile are the rows from `first` on of a batch of `of`: with the
        same state before each part of a batch, the parts get the masks of the whole."""
        before, self._rows = self._rows, (first, of)
        try:
            yield
        finally:
            self._rows = before

    def next_key(self) -> Key:
        """Return the key of the next draw."""
        with self._lock:
            key = Key(self.seed, self.stream, *self._rows)
            self.stream = (self.stream + 1) % 2**32
        return key


default_generator = Generator(0)


def manual_seed(seed: int) -> Generator:
    """Seed the generator behind initialisation, dropout and `randn`; returns it."""
    default_generator.manual_seed(seed)
    return default_generator
