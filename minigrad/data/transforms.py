"""Crops and flips of uint8 HWC images, called as `transform(image, rng)`.

All return views: a batch copies its images once, when they are stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
Transform = Callable[[Image, np.random.Generator], Image]
Size = int | tuple[int, int]


@dataclass(frozen=True)
class RandomCrop:
    """A window of `size` (side, or height and width) at a place drawn from `rng`.

    (h, w, c) to (size, size, c), a view. ValueError if the image is smaller than the window.
    """

    size: Size

    def __post_init__(self) -> None:
        _check_size(self)

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        free_h, free_w = _free(self, image)
        return _window(self, image, int(rng.integers(free_h + 1)), int(rng.integers(free_w + 1)))


@dataclass(frozen=True)
class CenterCrop:
    """The central window of `size` (side, or height and width); draws nothing.

    (h, w, c) to (size, size, c), a view. An odd remainder goes to the bottom and the right.
    ValueError if the image is smaller than the window.
    """

    size: Size

    def __post_init__(self) -> None:
        _check_size(self)

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        free_h, free_w = _free(self, image)
        return _window(self, image, free_h // 2, free_w // 2)


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Left and right exchanged with probability `p`.

    (h, w, c) to the same shape, a view. ValueError if `p` is not in 0..1.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"RandomHorizontalFlip got p={self.p}: give a probability, 0 to 1")

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        # random() is below 1, so p = 1 always flips and p = 0 never does.
        return image[:, ::-1] if rng.random() < self.p else image


@dataclass(frozen=True)
class Compose:
    """Several transforms, one after the other, all drawing from the same `rng`."""

    transforms: Sequence[Transform]

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        for transform in self.transforms:
            image = transform(image, rng)
        return image


def _height_width(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _check_size(crop: RandomCrop | CenterCrop) -> None:
    size = crop.size
    sides = size if isinstance(size, tuple) and len(size) == 2 else (size,)
    if not all(isinstance(side, int) and side > 0 for side in sides):
        raise ValueError(
            f"{type(crop).__name__} got size={size!r}: give a side, or (height, width), in "
            "whole pixels above 0"
        )


def _free(crop: RandomCrop | CenterCrop, image: Image) -> tuple[int, int]:
    """Rows and columns that the window leaves over."""
    height, width = _height_width(crop.size)
    if image.ndim != 3 or image.shape[0] < height or image.shape[1] < width:
        raise ValueError(
            f"{type(crop).__name__} of {height} x {width} got an image of shape {image.shape}, "
            "expected (height, width, channels) at least as large: load larger images or crop less"
        )
    return image.shape[0] - height, image.shape[1] - width


def _window(crop: RandomCrop | CenterCrop, image: Image, top: int, left: int) -> Image:
    height, width = _height_width(crop.size)
    return image[top : top + height, left : left + width]
