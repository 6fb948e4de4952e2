"""Images of a source, decoded on all cores and handed over in order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigrad.data.workers import Job, run_ahead
from minigrad.kernels.fast.memory import empty

from .image import BadImageError, Loaded, loaded
from .source import Item, Source
from .statistics import Accumulator

# Decoded and waiting for the disk, at most; enough to go on while it flushes.
AHEAD_BYTES = 48 << 20
_PIECE_BYTES = 2 << 20  # a write; Linux takes twice the time for larger ones
_PIECE_ITEMS = 8
_LARGE = 16 << 20  # bytes; more than a photo takes while it is decoded


Decode = Callable[[bytes], Loaded]


class Piece(NamedTuple):
    """Some consecutive items, decoded.

    done: items it covers. kept: those that are images, pixels: uint8 (len(kept), S, S, 3), sizes:
    (width, height) of each before. skipped: those that are none, each with the reason.
    """

    done: int
    kept: list[Item]
    pixels: NDArray[np.uint8]
    sizes: list[tuple[int, int]]
    skipped: list[tuple[Item, str]]


def decoded(
    source: Source, items: Sequence[Item], start: int, size: int, resize: str,
    count: Accumulator | None, workers: int | None = None, most: int = _PIECE_ITEMS,
) -> Generator[Piece]:  # fmt: skip
    """Pieces of `items` from `start` on, of at most `most` items, in order.

    workers: threads (default: all cores). count: what all kept pixels are added to.
    A file that is no whole image is skipped; any other error is raised here.
    """
    threads = workers or os.cpu_count() or 1
    record = size * size * 3
    step = max(1, min(most, _PIECE_ITEMS, _PIECE_BYTES // record))
    ahead = max(2, AHEAD_BYTES // (step * record))
    load = partial(loaded, size=size, resize=resize)
    # glibc gives freed memory back to the system, to be faulted in again page by page for the next
    # photo (a fifth of the time), until it has seen a large array go.
    np.empty(_LARGE, np.uint8)
    starts = range(start, len(items), step)
    jobs = (_job(source, items[i : i + step], size, load, count) for i in starts)
    with contextlib.closing(run_ahead(jobs, threads, ahead)) as pieces:  # type: ignore[type-var]
        yield from pieces


def _job(
    source: Source, items: Sequence[Item], size: int, decode: Decode, count: Accumulator | None
) -> Job[Piece]:
    """What makes a piece. Its memory is taken at the end: of all that wait, most have none yet."""

    def load(index: int) -> Loaded | str:
        """The image, or why the file is none."""
        try:
            return decode(source.read(items[index]))
        except BadImageError as error:
            return str(error).removeprefix("image: ")  # it was given bytes, which have no name

    def assemble(found: list[Loaded | str]) -> Piece:
        images = [one for one in found if not isinstance(one, str)]
        pixels = empty(np, (len(images), size, size, 3), np.uint8)
        for place, image in zip(pixels, images, strict=True):
            place[...] = image.pixels
        if count is not None:
            count.add(pixels)
        kept, bad = [], []
        for item, one in zip(items, found, strict=True):
            if isinstance(one, str):
                bad.append((item, one))
            else:
                kept.append(item)
        sizes = [(image.width, image.height) for image in images]
        return Piece(len(items), kept, pixels, sizes, bad)

    return Job(range(len(items)), load, assemble)
