"""Batches for the loop, and what becomes of images that cannot be read."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from typing import Any

from minigrad.data import DataLoader, prefetch

from ..data import DataError
from ..data.image import some
from .log import Log

MOST_BAD = 0.01  # share of images that may be unreadable
FEW = 3  # so many of a small set may, too, if they are no more than a tenth of it

Batches = Generator[tuple[int, Any], None, None]


class Feed:
    """A loader's batches from any place of an epoch on; unreadable images are named in `log`."""

    def __init__(self, loader: DataLoader, log: Log) -> None:
        self.loader, self.log = loader, log
        self.named = 0  # bad images named so far

    def batches(self, epoch: int, start: int, device: str = "cpu") -> Batches:
        """Batches with the number of the epoch's batches that are then done; images on `device`.

        The loader leaves out a batch of which no image can be read, but counts it.
        Raises DataError when too many images cannot be read.
        """
        loader = self.loader
        size, order = loader.batch_size, loader.order(epoch)
        done = start
        for batch in prefetch(loader.batches(epoch, start), device):
            bad = {skipped.index for skipped in loader.skipped}
            while bad and bad.issuperset(order[done * size : (done + 1) * size]):
                done += 1
            done += 1
            self._name_bad()
            yield done, batch
        self._name_bad()

    def endless(self, device: str = "cpu") -> Generator[Any, None, None]:
        """Batches of as many epochs as are asked for, from the first on."""
        for epoch in itertools.count():
            for _, batch in self.batches(epoch, 0, device):
                yield batch

    def _name_bad(self) -> None:
        """Name new unreadable images; DataError when there are too many."""
        skipped = self.loader.skipped
        for one in skipped[self.named :]:
            self.log.say(f"Skipped, cannot be read: {one.reason}")
        self.named = bad = len(skipped)
        total = len(self.loader.dataset)
        most = max(int(MOST_BAD * total), min(FEW, -(-total // 10), total - 1))
        if bad > most:
            raise DataError(
                f"at least {bad} of {total} images cannot be read, more than the {most} that are "
                f"let pass: mend or remove {some([one.name for one in skipped])}"
            )
