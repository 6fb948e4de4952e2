"""The images of a source as they are: how many of each class, how large, and their statistics."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from ..progress import progress_bar
from .decode import decoded
from .image import BadImageError, DataError, image_size
from .source import Item, Source
from .statistics import Accumulator, Statistics

_ASKED = 5  # images that tell how large those of a source are


class Survey(NamedTuple):
    """What is in one split: class id -> images, (width, height) of each, statistics, bad files."""

    counts: dict[str, int]
    sizes: list[tuple[int, int]]
    statistics: Statistics
    skipped: list[tuple[Item, str]]


def survey(source: Source, split: str, size: int, resize: str) -> Survey:
    """Read all images of a split; the statistics are of the images at `size`, see `load_image`.

    DataError for a split without images, or without one that can be read.
    """
    items = [item for item in source.items if item.split == split]
    if not items:
        raise DataError(
            "no validation images there: `alexnet train` and `alexnet prepare` will hold some out; "
            "leave --split out for all images"
        )
    sizes, total, skipped = _Sizes(source), Accumulator(size), []
    counts = dict.fromkeys(source.classes, 0)
    pieces = decoded(sizes, items, 0, size, resize, total)  # type: ignore[arg-type]
    with contextlib.closing(pieces), progress_bar("measuring", len(items), unit="images") as bar:
        for piece in pieces:
            skipped += piece.skipped
            for item in piece.kept:
                counts[item.class_id] += 1
            bar.update(piece.done)
    for item, _ in skipped:
        sizes.of.pop(item, None)
    if not sizes.of:
        raise DataError(f"none of the {len(items)} images can be read: {skipped[0][1]}")
    return Survey(counts, list(sizes.of.values()), total.result(), skipped)


class _Sizes:
    """Reads a source's images and remembers how large they are."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.of: dict[Item, tuple[int, int]] = {}

    def read(self, item: Item) -> bytes:
        data = self.source.read(item)
        self.of[item] = image_size(data)
        return data


def enlarged_note(source: Source, items: Sequence[Item], size: int) -> list[str]:
    """A note where images are so much smaller than `size` that it costs time; a few are asked."""
    sides = []
    for item in items[:: max(1, len(items) // _ASKED)][:_ASKED]:
        with contextlib.suppress(BadImageError):
            sides.append(min(image_size(source.read(item))))
    if not sides or 5 * max(sides) > 4 * size:
        return []
    side = max(sides)
    fitting = "--recipe cifar" if side < 64 else f"--input-size {max(63, side * 7 // 8)}"
    return [  # AlexNet's smallest input is 63, the other network's 24
        f"Note: images of about {side} pixels are enlarged {size / side:.2g} times to {size}: "
        f"--image-size {max(24, side)}, in training with {fitting}, is faster"
    ]
