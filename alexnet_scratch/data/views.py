"""Test-time views: the crops of an image whose predictions are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from minigrad.arrays import Array

from ..names import did_you_mean
from . import augment
from .augment import Place
from .image import DataError

# Where a crop lies, in halves of the rows and of the columns that it leaves over.
PLACES = {
    "centre": (1, 1),
    "top-left": (0, 0), "top-right": (0, 2), "bottom-left": (2, 0), "bottom-right": (2, 2),
    "top": (0, 1), "bottom": (2, 1), "left": (1, 0), "right": (1, 2),
}  # fmt: skip
MIRRORED = "-mirrored"


@dataclass(frozen=True)
class View:
    """A crop of an image, and whether left and right are exchanged in it.

    Raises DataError for a place that is not in PLACES.
    """

    place: str = "centre"
    mirrored: bool = False

    def __post_init__(self) -> None:
        if self.place not in PLACES:
            raise DataError(
                f"unknown view '{self.place}': use {', '.join(PLACES)}, each also with {MIRRORED}"
                + did_you_mean(self.place, PLACES)
            )

    def __str__(self) -> str:
        return self.place + MIRRORED * self.mirrored

    def within(self, shape: Sequence[int], size: int) -> Place:
        """Where the crop of side `size` lies in an image of (height, width, ...).

        An odd remainder goes below and to the right.
        Raises ValueError for an image smaller than the crop.
        """
        height, width = shape[:2]
        if min(height, width) < size:
            raise ValueError(
                f"a view of {size} x {size} does not fit into an image of {height} x {width}: "
                "take larger images or a smaller crop"
            )
        down, right = PLACES[self.place]
        return Place((height - size) * down // 2, (width - size) * right // 2, self.mirrored)


CENTRE = (View(),)
# Krizhevsky et al. 2012, section 4.1: four corners and centre, and their mirror images.
TEN_CROP = tuple(
    View(place, mirrored)
    for mirrored in (False, True)
    for place in ("top-left", "top-right", "bottom-left", "bottom-right", "centre")
)


def cut(images: Array, view: View, size: int) -> Array:
    """The view of an image (..., H, W, 3), or of a batch: (..., size, size, 3), not copied."""
    return augment.cut(images, view.within(images.shape[-3:], size), size)


def parse_views(text: str) -> tuple[View, ...]:
    """Views from their names, such as "centre,top-left-mirrored".

    Raises DataError for an unknown name, a name twice, or none.
    """
    names = [name.strip() for name in text.split(",")]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"view '{twice[0]}' is named twice in '{text}': name each view once")
    return tuple(
        View(name.removesuffix(MIRRORED), mirrored=name.endswith(MIRRORED)) for name in names
    )


def name_of(views: Sequence[View]) -> str:
    """The views in a word or a few, for tables."""
    return "ten crops" if set(views) == set(TEN_CROP) else ",".join(map(str, views))
