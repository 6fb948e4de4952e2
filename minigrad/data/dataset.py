"""What a data set is: samples by index, each with its own random stream when it is augmented."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import from_outside, to_numpy
from ..core import Tensor
from ..creation import randperm, tensor
from ..names import Keywords


class SkipSample(Exception):  # noqa: N818  (a request to the loader, not a failure of it)
    """Raised by a dataset for a sample that cannot be read; the message is the reason.

    `DataLoader` leaves the sample out of its batch and notes it in `loader.skipped`.
    """


class Dataset(Keywords):
    """Samples by index: override `__len__` and `__getitem__`, as in PyTorch.

    A sample is an array, or a tuple of arrays, integers, floats and booleans. A dataset that
    augments at random overrides `sample` and draws from the `rng` it is given, nothing else:
    then a run is the same for any number of loader workers.
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__: its sample count")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} must define __getitem__(index): the sample at that index"
        )

    def sample(self, index: int, rng: np.random.Generator) -> Any:
        """The sample at `index`, augmented with numbers from `rng` (default: not at all).

        The loader calls this from its worker threads, with `rng` seeded from
        `SeedSequence([seed, epoch, index])`. Raises SkipSample for a sample that cannot be read.
        """
        return self[index]

    def describe(self, index: int) -> str:
        """A name for the sample in messages, such as its file."""
        return f"sample {index}"


class TensorDataset(Dataset):
    """Arrays or tensors held in memory; sample i is the tuple of their i-th rows.

    arrays: at least one, all with the same length on axis 0. ValueError if not.
    """

    def __init__(self, *arrays: Any) -> None:
        self.arrays = [_as_rows(a) for a in arrays]
        if not self.arrays or any(a.ndim == 0 for a in self.arrays):
            shapes = [a.shape for a in self.arrays]
            raise ValueError(
                f"TensorDataset got shapes {shapes}: give arrays with at least one axis"
            )
        lengths = [len(a) for a in self.arrays]
        if len(set(lengths)) != 1:
            raise ValueError(
                f"TensorDataset got arrays of lengths {lengths}: give one row per sample in each"
            )

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return tuple(a[index] for a in self.arrays)


def _as_rows(given: Any) -> Any:
    """The array in its own dtype and memory; lists become what `tensor` makes of them."""
    if isinstance(given, list | tuple):
        given = tensor(given)
    return given.numpy() if isinstance(given, Tensor) else to_numpy(from_outside(given))


class Subset(Dataset):
    """Some samples of another dataset, in the order of `indices` (integers into `dataset`)."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = [operator.index(i) for i in indices]
        size = len(dataset)
        wrong = [i for i in self.indices if not 0 <= i < size]
        if wrong:
            raise IndexError(
                f"Subset got index {wrong[0]}, expected 0 to {size - 1}: check `indices`"
            )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def sample(self, index: int, rng: np.random.Generator) -> Any:
        """The underlying dataset's sample, with the stream of this subset's index."""
        return self.dataset.sample(self.indices[index], rng)

    def describe(self, index: int) -> str:
        """The underlying dataset's name for the sample."""
        return self.dataset.describe(self.indices[index])


def random_split(dataset: Dataset, lengths: Sequence[float]) -> list[Subset]:
    """Disjoint random subsets of these sizes, or of these fractions of the dataset, drawn by the
    generator that `minigrad.manual_seed` seeds.

    Sizes add up to the dataset's; fractions to 1, and what rounding down leaves over goes to the
    first subsets, one each (PyTorch's rule).
    """
    size = len(dataset)
    counts = [int(n) for n in lengths]
    if any(0 < n < 1 for n in lengths) and math.isclose(math.fsum(lengths), 1):
        counts = [math.floor(size * n) for n in lengths]
        for i in range(size - sum(counts)):
            counts[i % len(counts)] += 1
    if sum(counts) != size or min(counts, default=0) < 0:
        raise ValueError(
            f"random_split: lengths {list(lengths)} do not add up to {size}, the dataset's size, "
            "nor to 1"
        )
    order = iter(randperm(size).tolist())
    return [Subset(dataset, list(itertools.islice(order, n))) for n in counts]
