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
    side = max(sides, default=size)
    return [
        f"Note: images of about {side} pixels are enlarged {size / side:.2g} times to {size}: "
        f"--image-size {fit}, in training with {flags}, is faster"
        for fit, flags in _smaller(side, size)
    ]


def enlarged_in(packed: PackedSet) -> list[str]:
    """The same of a prepared set, which knows how large its images were; see `overview`."""
    size, images = packed.image_size, sum(packed.counts.values())
    return [
        f"{packed.enlarged:,} of the {images:,} images were enlarged to {size} pixels, half of all "
        f"from {packed.short_side} or less: prepared with --image-size {fit} they train faster, "
        f"with {flags}"
        for fit, flags in _smaller(packed.short_side or size, size)
    ]


def _smaller(side: int, size: int) -> list[tuple[int, str]]:
    """The size of images, and the flags of `train`, that suit images of this side better than
    `size`; none where it fits. The paper's conv1 takes 63 pixels, `tiny` 56 and `cifar` 24."""
    if 5 * side > 4 * size:
        return []
    small = "--recipe cifar" if side < 56 else "--recipe tiny"
    flags = small if side < 72 else f"--input-size {max(63, side * 7 // 8)}"
    return [(max(24, side), flags)]
