"""What training does to an image: the crop, the flip, and noise on its colours.

Everything is drawn from the random stream that is handed in, so that a run does not depend on the
number of loader threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigrad.data import Transform

Pixels = NDArray[Any]


class Place(NamedTuple):
    """Where a crop was taken from its image: pixels above it, left of it, and is it mirrored?"""

    top: int
    left: int
    mirrored: bool


def centre(image_size: int, size: int) -> Place:
    """The place of the central crop; an odd remainder goes below and to the right."""
    return Place((image_size - size) // 2, (image_size - size) // 2, mirrored=False)


def cut(image: Pixels, place: Place, size: int) -> Pixels:
    """The crop of an image (..., H, W, 3), or of a batch: (..., size, size, 3), never copied.

    Raises ValueError for a crop that does not lie within the image.
    """
    top, left, mirrored = place
    crop = image[..., top : top + size, left : left + size, :]
    if min(top, left) < 0 or crop.shape[-3:-1] != (size, size):
        raise ValueError(
            f"a crop of {size} x {size} at {(top, left)} does not lie within an image of shape "
            f"{image.shape}: take larger images or a smaller crop"
        )
    return crop[..., ::-1, :] if mirrored else crop


@dataclass(frozen=True)
class TrainingView:
    """A training image's crop of side `size`, and its place.

    before: steps on the whole image, such as a rotation. resized: a random-resized crop in place of
    a crop at a `place`. random: a place drawn from all, else the centre. last: may the crop touch
    the far edge? With it 256 - 224 gives 33 x 33 places; the paper's "factor of 2048" is
    32 x 32 x 2, without it. flip: mirror half of the images.
    Sources: paper, section 4.1; cuda-convnet, convdata.py (`randint(0, border * 2 + 1)`).
    """

    size: int
    before: Sequence[Transform] = ()
    resized: Transform | None = None
    random: bool = True
    last: bool = True
    flip: bool = True

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """The crop alone."""
        return self.draw(image, rng)[0]

    def draw(self, image: Pixels, rng: np.random.Generator) -> tuple[Pixels, Place]:
        """The crop (size, size, 3) and where it was."""
        for step in self.before:
            image = step(image, rng)
        middle = centre(min(image.shape[:2]), self.size)
        if self.resized:
            crop = self.resized(image, rng)
            place = middle._replace(mirrored=self._mirrors(rng))
            return (crop[:, ::-1] if place.mirrored else crop), place
        top, left = middle[:2]
        if self.random:
            top, left = (self._offset(side, rng) for side in image.shape[:2])
        place = Place(top, left, self._mirrors(rng))
        return cut(image, place, self.size), place

    def _offset(self, side: int, rng: np.random.Generator) -> int:
        return int(rng.integers(max(1, side - self.size + self.last)))

    def _mirrors(self, rng: np.random.Generator) -> bool:
        return bool(rng.random() < (0.5 if self.flip else 0.0))


def colour_axes(
    eigenvectors: NDArray[np.float64], eigenvalues: NDArray[np.float64], scaling: str
) -> NDArray[np.float64]:
    """The paper's [p1 p2 p3] with each column times its lambda, in grey levels (0-255).

    eigenvectors (3, 3, in columns) and eigenvalues (3,) of the covariance of red, green and blue in
    grey levels squared. A shift of a pixel is `axes @ alpha`, with alpha (3,) from N(0, 0.1).
    scaling "deviation": lambda is the standard deviation, as the authors' code has it;
    "eigenvalue": it is the eigenvalue, as the paper says, of pixels from 0 to 1; in grey levels
    squared it would shift ImageNet's pixels by 1,500 levels. Sources: section 4.1; convdata.py.
    """
    if scaling == "deviation":
        scale = np.sqrt(np.maximum(eigenvalues, 0))
    elif scaling == "eigenvalue":
        scale = eigenvalues / 255
    else:
        raise ValueError(f"colour_axes: got scaling {scaling!r}, use eigenvalue or deviation")
    return np.asarray(eigenvectors * scale)
