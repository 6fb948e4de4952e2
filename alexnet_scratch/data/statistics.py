"""Statistics of images' pixels: mean image, channels, colour covariance; one pass, any order.

Pixels are bytes, so sums and sums of products are whole numbers and are kept exactly: parts
merged in any order, by any number of threads, give the same bits.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.kernels.fast.memory import empty
from minigrad.kernels.fast.parallel import executor

from ..schema import SchemaError, checked, json_of, limited, read_text
from .disk import read_array, save_array
from .image import DataError

STATISTICS, MEAN_IMAGE = "statistics.json", "mean_image.npy"
# A float32 holds whole numbers to 2**24, which a sum of 256 products of two bytes stays below.
_EXACT = 256
_COLUMNS = 3 * 256  # numbers side by side: _EXACT rows of them stay in a core's cache
_IMAGES = 256  # images whose bytes can be added in 16 bits
_PER_TASK = 64  # images that a thread takes at once

Floats = NDArray[np.float64]
Three = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Statistics:
    """What the pixels of `images` images are like; float64, channels R, G, B.

    mean_image_0_255: (S, S, 3). channel_mean_0_255, channel_std_0_255: (3,), over all pixels.
    colour_covariance_0_255_squared: (3, 3), over all pixels, divided by their number.
    colour_eigenvalues_0_255_squared: (3,), of it, largest first; colour_eigenvectors: (3, 3), a
    column each, of length 1, its component of largest magnitude positive; colour_std_0_255: (3,),
    the square roots of the eigenvalues. Divide by 255, or 255 squared, for pixels in 0..1.
    """

    images: int
    mean_image_0_255: Floats
    channel_mean_0_255: Floats
    channel_std_0_255: Floats
    colour_covariance_0_255_squared: Floats
    colour_eigenvalues_0_255_squared: Floats
    colour_eigenvectors: Floats
    colour_std_0_255: Floats

    def to_json(self) -> str:
        """Everything but the mean image, every number exactly."""
        values = {f.name: getattr(self, f.name) for f in fields(_InJson)}
        plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}
        return json.dumps(plain, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, mean_image: Floats) -> Statistics:
        """The opposite of `to_json`. SchemaError, a ValueError, if `text` is anything else."""
        values = vars(checked(_InJson, json_of(text)))
        images = values.pop("images")
        arrays = {name: np.asarray(value, np.float64) for name, value in values.items()}
        return cls(images=images, mean_image_0_255=mean_image, **arrays)


@dataclass(kw_only=True)
class _InJson:
    """statistics.json, with the bounds that bytes have, and a little for rounding."""

    images: int = limited(low=1)
    channel_mean_0_255: Three = limited(low=0, high=255)
    channel_std_0_255: Three = limited(low=0, high=128)
    colour_covariance_0_255_squared: tuple[Three, Three, Three] = limited(low=-17e3, high=17e3)
    colour_eigenvalues_0_255_squared: Three = limited(low=0, high=50e3)
    colour_eigenvectors: tuple[Three, Three, Three] = limited(low=-1.001, high=1.001)
    colour_std_0_255: Three = limited(low=0, high=225)


class Accumulator:
    """Sums over images uint8 (n, image_size, image_size, 3), added in any order by any thread."""

    def __init__(self, image_size: int) -> None:
        self._shape = (image_size, image_size, 3)
        self._images = 0
        self._sums = np.zeros(self._shape, np.int64)
        self._products = np.zeros((3, 3), object)  # Python's integers, which have no limit
        self._lock = threading.Lock()

    def add(self, batch: NDArray[np.uint8]) -> None:
        """Count these images in. ValueError for another shape or dtype."""
        if batch.dtype != np.uint8 or batch.shape[1:] != self._shape:
            side = self._shape[0]
            raise ValueError(
                f"Accumulator.add got {batch.dtype} {batch.shape}, expected uint8 (n, {side}, "
                f"{side}, 3): give whole images of the set's size"
            )
        products = _products(batch.reshape(-1, 3))
        for i in range(0, len(batch), _IMAGES):
            sums = batch[i : i + _IMAGES].sum(axis=0, dtype=np.uint16)
            with self._lock:
                self._sums += sums
        with self._lock:
            self._products += products
            self._images += len(batch)

    def merge(self, other: Accumulator) -> None:
        """Count in what `other` has counted. ValueError for another image size."""
        if other._shape != self._shape:
            raise ValueError(
                f"Accumulator.merge got images of {other._shape}, expected {self._shape}: merge "
                "parts of the same set"
            )
        with self._lock:
            self._sums += other._sums
            self._products += other._products
            self._images += other._images

    def result(self) -> Statistics:
        """The statistics of all images so far. ValueError if there is none."""
        if not self._images:
            raise ValueError("Accumulator.result got no image: add some first")
        pixels = self._images * self._shape[0] * self._shape[1]
        sums = self._sums.sum(axis=(0, 1)).astype(object)
        # In whole numbers up to the last division: no digits are lost in the difference.
        scaled = pixels * self._products - np.multiply.outer(sums, sums)
        covariance = (scaled / pixels**2).astype(np.float64)
        eigenvalues, eigenvectors = _largest_first(covariance)
        return Statistics(
            images=self._images,
            mean_image_0_255=self._sums / self._images,
            channel_mean_0_255=(sums / pixels).astype(np.float64),
            channel_std_0_255=np.sqrt(np.diag(covariance)),
            colour_covariance_0_255_squared=covariance,
            colour_eigenvalues_0_255_squared=eigenvalues,
            colour_eigenvectors=eigenvectors,
            colour_std_0_255=np.sqrt(eigenvalues),
        )


def measure(images: NDArray[np.uint8], workers: int | None = None) -> Statistics:
    """Statistics of uint8 (n, S, S, 3), which may be a memory map, by threads (default: all cores).

    ValueError if there is no image.
    """
    total = Accumulator(images.shape[1])
    tasks = [images[i : i + _PER_TASK] for i in range(0, len(images), _PER_TASK)]
    with executor(workers) as pool:
        list(pool.map(total.add, tasks))
    return total.result()


def save_statistics(statistics: Statistics, folder: Path) -> None:
    """Write statistics.json and mean_image.npy, float64, into `folder`."""
    (folder / STATISTICS).write_text(statistics.to_json(), "utf-8")
    save_array(folder / MEAN_IMAGE, statistics.mean_image_0_255)


def load_statistics(folder: Path, image_size: int, images: int) -> Statistics:
    """What `save_statistics` wrote of so many images of that size.

    Raises DataError for files that are missing, damaged or of other images.
    """
    shape = (image_size, image_size, 3)
    mean_image = read_array(folder / MEAN_IMAGE, np.float64, shape, "prepare it again")
    try:
        if not (mean_image.min() >= 0 and mean_image.max() <= 255):
            raise SchemaError(f"{MEAN_IMAGE} has pixels outside 0..255")
        statistics = Statistics.from_json(read_text(folder / STATISTICS), mean_image)
        if statistics.images != images:
            raise SchemaError(f"it is of {statistics.images} images, the set has {images}")
    except (OSError, SchemaError) as error:
        raise DataError(
            f"{folder}: its {STATISTICS} or {MEAN_IMAGE} cannot be read ({error}); prepare it again"
        ) from error
    return statistics


def _products(pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """Sums of products of the channels of uint8 (n, 3): (3, 3), exact, Python's integers.

    The bytes stay as they lie, R G B R G B: times itself `shift` places on, column c of a row holds
    the products of the channels c % 3 and c % 3 + shift (where there is such a channel).
    """
    rows = empty(np, (_EXACT, _COLUMNS), np.float32)
    flat, values = rows.reshape(-1), pixels.reshape(-1)
    found = np.zeros((3, 3))  # whole numbers, below 2**53 for a million images of 256 x 256
    for i in range(0, len(values), len(flat)):
        piece = values[i : i + len(flat)]
        flat[: len(piece)] = piece
        flat[len(piece) :] = 0
        for shift in range(3):
            sums = np.einsum("ij,ij->j", rows[:, : _COLUMNS - shift], rows[:, shift:])
            for channel in range(3 - shift):
                found[channel, channel + shift] += sums[channel::3].sum(dtype=np.float64)
    upper = np.triu(found, 1)
    return (found + upper.T).astype(np.int64).astype(object)


def _largest_first(covariance: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues, none below 0, and eigenvectors as columns, their signs always the same."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    largest = vectors[np.abs(vectors).argmax(axis=0), range(3)]
    return np.maximum(eigenvalues, 0), np.ascontiguousarray(vectors * np.sign(largest))
