"""Batches of a dataset, in a fixed order, made ahead by worker threads."""

from __future__ import annotations

import contextlib
import math
import operator
import warnings
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..arrays import parse_device
from ..cuda.device import empty_pinned, is_available
from ..names import Keywords
from .collate import Batch, LoaderError, collate
from .dataset import Dataset, SkipSample
from .workers import Job, run_ahead

# Bytes that CUDA copies to a GPU from any memory without waiting (CUDA Runtime API, "API
# synchronization behavior").
ALWAYS_ASYNCHRONOUS = 64 * 1024


class Skipped(NamedTuple):
    """A sample left out of its batch: its index, its name and why it cannot be read."""

    index: int  # type: ignore[assignment]  # hides tuple.index, of no use here
    name: str
    reason: str


class DataLoader(Keywords):
    """Iterate over a dataset in batches, with PyTorch's names and meanings.

    dataset: a `Dataset`; batch_size: samples per batch; shuffle: a new order every epoch;
    num_workers: threads that load samples (0: the caller's thread); drop_last: leave out a last
    batch that is not full; seed: of the order and of every sample's random stream;
    prefetch: batches made ahead by the workers, all workers together; share: how many samples in a
    row of an epoch get the same random stream, that of the first of them; pin_memory: large fields
    lie in memory from which the GPU `pin_memory_device` copies by itself, see `prefetch`; without
    a GPU it warns and changes nothing.

    Yields a tuple of Tensors, one per field of a sample, or one Tensor if a sample is not a tuple.
    The order comes from (seed, epoch), a sample's random stream from (seed, epoch, index), so the
    numbers never depend on the number of workers. `epoch` counts complete iterations; it may be
    set. `skipped` lists every sample that raised SkipSample, once.

    Raises TypeError or ValueError for a wrong argument; LoaderError, in the consumer, when a
    sample fails (chained from the original) or when samples do not fit into one batch; and
    MemoryError as a sample does.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        num_workers: int = 0,
        drop_last: bool = False,
        seed: int = 0,
        prefetch: int = 2,
        share: int = 1,
        pin_memory: bool = False,
        pin_memory_device: str = "cuda",
    ) -> None:
        if not isinstance(dataset, Dataset):
            raise TypeError(
                f"DataLoader got a {type(dataset).__name__} as dataset, expected a "
                "minigrad.data.Dataset: derive from it, or wrap arrays in TensorDataset"
            )
        self.dataset = dataset
        self.batch_size = _at_least(1, "batch_size", batch_size)
        self.shuffle = shuffle
        self.num_workers = _at_least(0, "num_workers", num_workers)
        self.drop_last = drop_last
        self.seed = _at_least(0, "seed", seed)
        self.prefetch = _at_least(1, "prefetch", prefetch)
        self.share = _at_least(1, "share", share)
        self._empty = _memory(pin_memory_device) if pin_memory else np.empty
        self.epoch = 0
        self.skipped: list[Skipped] = []
        self._skipped_indices: set[int] = set()

    def __len__(self) -> int:
        """Batches in one epoch, those with no readable sample included."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over epoch `self.epoch`, which advances by one as the iteration begins: another
        iteration, also after a `break`, is another epoch."""
        self.epoch += 1
        return self.batches(self.epoch - 1)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Iterate over one given epoch from batch `start` on; `self.epoch` stays as it is.

        `start` counts every batch of the epoch, also one with no readable sample, which is not
        yielded. Batches before `start` are not loaded. ValueError if `start` is not in
        0..len(self).
        """
        epoch, start = _at_least(0, "epoch", epoch), _at_least(0, "start", start)
        if start > len(self):
            raise ValueError(
                f"batches got start={start}, but an epoch has {len(self)} batches: give 0 to "
                f"{len(self)}, and the batch_size and drop_last of the run that is resumed"
            )
        return self._batches(epoch, start)

    def order(self, epoch: int) -> list[int]:
        """The sample indices of an epoch in the order they are loaded."""
        size = len(self.dataset)
        if not self.shuffle:
            return list(range(size))
        # SeedSequence pads with zeros: without a spawn key this would be sample 0's stream.
        seeds = np.random.SeedSequence([self.seed, epoch], spawn_key=(0,))
        return [int(i) for i in np.random.default_rng(seeds).permutation(size)]

    def _batches(self, epoch: int, start: int) -> Generator[Batch]:
        order = self.order(epoch)
        plan = [
            order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(start, len(self))
        ]
        streams = {}  # index -> whose stream it gets, where it is not its own
        if self.share > 1:
            streams = {index: order[i - i % self.share] for i, index in enumerate(order)}
        with contextlib.closing(self._made(epoch, plan, streams)) as made:
            for batch, skipped in made:
                self._note(skipped)
                if batch is not None:
                    yield batch
                del batch  # free it before the next one is made, not after

    def _made(
        self, epoch: int, plan: list[list[int]], streams: dict[int, int]
    ) -> Generator[tuple[Batch | None, list[Skipped]]]:
        load = partial(self._load, epoch, streams)
        if self.num_workers == 0:
            for indices in plan:
                yield self._assemble(indices, [load(i) for i in indices])
        else:
            jobs = (Job(indices, load, partial(self._assemble, indices)) for indices in plan)
            yield from run_ahead(jobs, self.num_workers, self.prefetch)

    def _load(self, epoch: int, streams: dict[int, int], index: int) -> Any:
        """The sample, or a Skipped in its place."""
        seeds = np.random.SeedSequence([self.seed, epoch, streams.get(index, index)])
        rng = np.random.default_rng(seeds)
        try:
            return self.dataset.sample(index, rng)
        except SkipSample as skip:
            return Skipped(index, self.dataset.describe(index), str(skip))
        except MemoryError as error:  # no fault of the sample: with fewer at once it may do
            said = f", {error}" * bool(str(error))
            raise MemoryError(
                f"while {self.dataset.describe(index)} (index {index}) was loaded{said}; fewer "
                f"workers than {self.num_workers} need less"
            ) from error
        except Exception as error:
            raise LoaderError(
                f"cannot load {self.dataset.describe(index)} (index {index}): "
                f"{type(error).__name__}: {error}. Mend the sample, or raise "
                "minigrad.data.SkipSample in the dataset to leave it out"
            ) from error

    def _assemble(
        self, indices: list[int], loaded: list[Any]
    ) -> tuple[Batch | None, list[Skipped]]:
        skipped = [x for x in loaded if isinstance(x, Skipped)]
        pairs = zip(indices, loaded, strict=True)
        kept = [i for i, x in pairs if not isinstance(x, Skipped)]
        samples = [x for x in loaded if not isinstance(x, Skipped)]
        if not samples:
            return None, skipped
        return collate(samples, lambda i: self.dataset.describe(kept[i]), self._empty), skipped

    def _note(self, skipped: list[Skipped]) -> None:
        # Called in the consumer's thread and in batch order, so the list is deterministic too.
        for sample in skipped:
            if sample.index not in self._skipped_indices:
                self._skipped_indices.add(sample.index)
                self.skipped.append(sample)


def _memory(device: str) -> Any:
    """What makes a batch's memory for a GPU, or, where there is none, as for the CPU."""
    if is_available():
        return partial(_pinned, parse_device(device))
    warnings.warn("DataLoader: pin_memory=True has no effect without a GPU", stacklevel=3)
    return np.empty


def _pinned(device: str, shape: tuple[int, ...], dtype: Any) -> Any:
    small = math.prod(shape) * np.dtype(dtype).itemsize <= ALWAYS_ASYNCHRONOUS
    return np.empty(shape, dtype) if small else empty_pinned(shape, dtype, device)


def _at_least(minimum: int, name: str, value: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} is {value!r}, expected an integer of at least {minimum}: give one"
        ) from None
    if number < minimum:
        raise ValueError(f"{name} is {value}, expected an integer of at least {minimum}: give one")
    return number
