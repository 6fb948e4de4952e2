"""Augmentation of uint8 HWC images, called as `transform(image, rng)`.

Crops and flips return views: a batch copies its images once, when they are stacked. What
interpolates or changes colours goes through Pillow and returns a new array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageEnhance

from ..names import Keywords

Image = NDArray[Any]
Transform = Callable[[Image, np.random.Generator], Image]
Size = int | tuple[int, int]


@dataclass(frozen=True)
class RandomCrop(Keywords):
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
class CenterCrop(Keywords):
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
class RandomHorizontalFlip(Keywords):
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
class RandomResizedCrop(Keywords):
    """A window of random area and shape, scaled to `size` (side, or height and width).

    Its area is `scale` of the image's, uniformly drawn, its width / height in `ratio`, drawn on a
    logarithmic scale; if ten draws do not fit, the largest central window of such a shape.
    Bilinear. uint8 or float32 (h, w, c) to (size, size, c). Source: Szegedy et al. 2015;
    torchvision.transforms.RandomResizedCrop.
    """

    size: Size
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        _check_size(self)
        for name in ("scale", "ratio"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(
                    f"RandomResizedCrop got {name}={(low, high)}: give (low, high), both above 0"
                )

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        left, top, width, height = self._window(image, rng)
        rows, columns = _height_width(self.size)
        box = (left, top, left + width, top + height)
        how = ((columns, rows), Pillow.Resampling.BILINEAR, box)
        return _through_pillow(image, lambda picture: picture.resize(*how))

    def _window(self, image: Image, rng: np.random.Generator) -> tuple[int, int, int, int]:
        _check_pixels(self, image)
        rows, columns = image.shape[:2]
        for _ in range(10):
            area = rows * columns * rng.uniform(*self.scale)
            shape = np.exp(rng.uniform(*np.log(self.ratio)))
            width, height = round(np.sqrt(area * shape)), round(np.sqrt(area / shape))
            if 0 < width <= columns and 0 < height <= rows:
                left = int(rng.integers(columns - width + 1))
                return left, int(rng.integers(rows - height + 1)), width, height
        width = min(columns, max(1, round(rows * self.ratio[1])))
        height = min(rows, max(1, round(columns / self.ratio[0])))
        return (columns - width) // 2, (rows - height) // 2, width, height


@dataclass(frozen=True)
class RandomRotation(Keywords):
    """Turn by an angle drawn from -degrees..degrees around the centre, bilinear; what comes in from
    outside has the value `fill`. uint8 or float32 (h, w, c) to the same. Source: torchvision."""

    degrees: float
    fill: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.degrees <= 180:
            raise ValueError(f"RandomRotation got degrees={self.degrees}: give 0 to 180")

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        _check_pixels(self, image)
        angle = rng.uniform(-self.degrees, self.degrees)

        def turned(picture: Pillow.Image) -> Pillow.Image:
            outside = self.fill if len(picture.getbands()) == 1 else (self.fill,) * 3
            return picture.rotate(angle, Pillow.Resampling.BILINEAR, fillcolor=outside)

        return _through_pillow(image, turned)


@dataclass(frozen=True)
class ColorJitter(Keywords):
    """Change brightness, contrast and saturation by factors drawn from 1 - x..1 + x, in a random
    order. uint8 RGB (h, w, 3), or grey (h, w, 1), to the same. Source:
    torchvision.transforms.ColorJitter."""

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"ColorJitter got {name}={value}: give 0 to 1")

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        changes = (
            (ImageEnhance.Brightness, self.brightness),
            (ImageEnhance.Contrast, self.contrast),
            (ImageEnhance.Color, self.saturation),
        )
        _check_pixels(self, image, dtypes=("uint8",), channels=(1, 3))
        drawn = []
        for number in rng.permutation(len(changes)):
            enhance, most = changes[number]
            drawn.append((enhance, rng.uniform(1 - most, 1 + most)))

        def changed(picture: Pillow.Image) -> Pillow.Image:
            for enhance, factor in drawn:
                picture = enhance(picture).enhance(factor)
            return picture

        return _through_pillow(image, changed)


@dataclass(frozen=True)
class Compose(Keywords):
    """Several transforms, one after the other, all drawing from the same `rng`."""

    transforms: Sequence[Transform]

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        for transform in self.transforms:
            image = transform(image, rng)
        return image


def _check_pixels(
    transform: object, image: Image, dtypes: Sequence[str] = ("uint8", "float32"),
    channels: Sequence[int] = (),
) -> None:  # fmt: skip
    """TypeError for what Pillow could not take. channels: as many as these, or any number."""
    shape = image.shape
    known = image.ndim == 3 and image.dtype.name in dtypes
    if known and (shape[2] in channels if channels else shape[2] > 0):
        return
    layout = f"(height, width, {' or '.join(map(str, channels)) or 'channels'})"
    raise TypeError(
        f"{type(transform).__name__} got {image.dtype} {shape}, expected {' or '.join(dtypes)} "
        f"{layout}: transform images before they become floats and channels come first"
    )


def _through_pillow(image: Image, change: Callable[[Pillow.Image], Pillow.Image]) -> Image:
    """Change the image as one picture if it is RGB, else channel by channel."""
    if image.shape[2] == 3 and image.dtype == np.uint8:
        return np.asarray(change(Pillow.fromarray(image)))
    planes = [np.ascontiguousarray(image[..., c]) for c in range(image.shape[2])]
    return np.stack([np.asarray(change(Pillow.fromarray(plane))) for plane in planes], axis=-1)


def _height_width(size: Size) -> tuple[int, int]:
    return size if isinstance(size, tuple) else (size, size)


def _check_size(crop: RandomCrop | CenterCrop | RandomResizedCrop) -> None:
    size = crop.size
    sides = size if isinstance(size, tuple) and len(size) == 2 else (size,)
    if not all(isinstance(side, Integral) and side > 0 for side in sides):
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
