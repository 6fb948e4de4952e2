"""The images of a source as they are: how many of each class, how large, and their statistics."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from ..progress import progress_bar
from .decode import decoded
from .image import BadImageError, DataError, image_size
from .packed import PackedSet
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
    total, counts = Accumulator(size), dict.fromkeys(source.classes, 0)
    sizes: list[tuple[int, int]] = []
    skipped: list[tuple[Item, str]] = []
    pieces = decoded(source, items, 0, size, resize, total)
    with contextlib.closing(pieces), progress_bar("measuring", len(items), unit="images") as bar:
        for piece in pieces:
            skipped += piece.skipped
            sizes += piece.sizes
            for item in piece.kept:
                counts[item.class_id] += 1
            bar.update(piece.done)
    if not sizes:
        raise DataError(f"none of the {len(items)} images can be read: {skipped[0][1]}")
    return Survey(counts, sizes, total.result(), skipped)


def enlarged_note(source: Source, items: Sequence[Item], size: int) -> list[str]:
    """A note where images are so much smaller than `size` that it costs time; a few are asked."""
    sides = []
    for item in items[:: max(1, len(items) // _ASKED)][:_ASKED]:
        with contextlib.suppress(BadImageError):
            sides.append(min(image_size(source.read(item))))
    smaller = _smaller(max(sides, default=size), size)
    return [
        f"Note: images of about {max(sides)} pixels are enlarged to {size}: --image-size {side}, "
        f"in training with --input-size {crop}, is faster"
        for side, crop in smaller
    ]


def enlarged_in(packed: PackedSet) -> list[str]:
    """The same of a prepared set, which knows how large its images were; see `overview`."""
    size, images = packed.image_size, sum(packed.counts.values())
    smaller = _smaller(packed.short_side or size, size)
    return [
        f"{packed.enlarged:,} of the {images:,} images were enlarged to {size} pixels, half of all "
        f"from {packed.short_side} or less: prepared with --image-size {side} they train faster, "
        f"with --input-size {crop}"
        for side, crop in smaller
    ]


def _smaller(side: int, size: int) -> list[tuple[int, int]]:
    """The sizes of images and crops, if any, that suit images of this side better than `size`."""
    side = max(side, 64)  # AlexNet's smallest input is 63
    return [(side, max(63, side * 7 // 8))] if 5 * side <= 4 * size else []
