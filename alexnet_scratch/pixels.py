"""Bytes to what the network gets: less the mean, with noise on the colours, scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import Tensor, arrays, randn
from minigrad.kernels import cuda
from minigrad.kernels.fast.memory import empty
from minigrad.kernels.layout import as_nchw

from .data.augment import Place, centre, colour_axes, cut
from .data.statistics import Statistics
from .recipe.fields import Recipe

cuda.add_sources(Path(__file__).parent)  # pixels.cu


@dataclass(frozen=True)
class PixelStatistics:
    """What a run takes from its training images, float32, in grey levels (0-255).

    mean: (3,), or a mean image (S, S, 3). axes: (3, 3), see `colour_axes`; zeros without noise.
    A run keeps them in its checkpoints: the network is worth nothing with another mean.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]


def needs_statistics(recipe: Recipe) -> bool:
    """Does the recipe take anything from the training images' statistics?"""
    return recipe.mean != "constant" or recipe.colour_noise != "none"


def pixel_statistics(recipe: Recipe, statistics: Statistics | None) -> PixelStatistics:
    """The recipe's mean and colour axes; `statistics` may be None if it needs none."""
    mean: Any = recipe.input_mean
    axes = np.zeros((3, 3))
    if needs_statistics(recipe):
        if statistics is None:
            raise ValueError(f"the recipe {recipe.name} needs statistics of the training images")
        if recipe.mean == "channel":
            mean = statistics.channel_mean_0_255
        elif recipe.mean.startswith("image"):
            mean = statistics.mean_image_0_255
        if recipe.colour_noise != "none":
            axes = colour_axes(
                statistics.colour_eigenvectors, statistics.colour_eigenvalues_0_255_squared,
                recipe.colour_noise,
            )  # fmt: skip
    return PixelStatistics(np.asarray(mean, np.float32), np.asarray(axes, np.float32))


def colour_alphas(recipe: Recipe, epoch: int, images: int) -> NDArray[np.float32] | None:
    """The paper's three alphas for each image, (images, 3), from the default generator.

    None where the recipe has no noise on the colours in epoch `epoch` (from 0).
    """
    last = recipe.colour_epochs * recipe.stretch
    over = recipe.colour_epochs and epoch >= last
    if recipe.colour_noise == "none" or over:
        return None
    alphas: NDArray[np.float32] = randn(images, 3).data * np.float32(recipe.colour_std)
    return alphas


class ToInput:
    """uint8 crops (N, s, s, 3) -> float32 (N, 3, s, s), a view of channels-last memory.

    (pixel - mean + axes @ alpha) / divisor / std, the divisor with noise only. Bytes travel to the
    device, a quarter of what floats would weigh; the arithmetic is done there.
    """

    def __init__(self, recipe: Recipe, statistics: PixelStatistics, device: str = "cpu") -> None:
        self.recipe, self.statistics, self.device = recipe, statistics, device
        size = recipe.input_size
        mean = statistics.mean
        self.by_place = mean.ndim == 3 and recipe.mean == "image"
        if mean.ndim == 3 and not self.by_place:
            mean = cut(mean, centre(len(mean), size), size)
        if mean.ndim == 1:
            mean = np.tile(mean, (size, 1))  # a row of pixels: long runs are fast
        # Without a place, a crop counts as central.
        self.centre = centre(len(mean), size)
        self.mean = arrays.to_device(np.ascontiguousarray(mean), self.device)
        std = np.tile(np.float32(1) / np.asarray(recipe.input_std, np.float32), size)
        self.scale = None if (std == 1).all() else arrays.to_device(std, self.device)

    def __call__(
        self,
        images: Tensor,
        places: Sequence[Place] | NDArray[Any] | None = None,
        alphas: NDArray[np.float32] | None = None,
    ) -> Tensor:
        """places: (N, 3) as `Place`, by default all central; alphas (N, 3): colour noise."""
        pixels = arrays.to_device(images.data, self.device)
        xp = arrays.array_module(pixels)
        n, height, width, _ = pixels.shape
        x = empty(xp, pixels.shape, np.float32)
        if cuda.usable(x) and pixels.flags.c_contiguous and height == width:
            self._on_gpu(x, pixels, places, alphas)
            return Tensor(as_nchw(x))
        if self.by_place:
            for i, place in enumerate([self.centre] * n if places is None else places):
                xp.subtract(pixels[i], cut(self.mean, Place(*place), height), out=x[i])
        else:
            xp.subtract(pixels, self.mean, out=x)
        rows = x.reshape(n, height, width * 3)
        if alphas is not None:
            shift = np.tile(self._shift(alphas), (1, width))
            rows += arrays.to_device(shift, self.device)[:, None]
            if self.recipe.colour_divisor != 1:
                rows *= np.float32(1 / self.recipe.colour_divisor)
        if self.scale is not None:
            rows *= self.scale
        return Tensor(as_nchw(x))

    def _shift(self, alphas: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the noise adds to the channels of each image, (N, 3)."""
        return alphas @ self.statistics.axes.T

    def _on_gpu(self, x: Any, pixels: Any, places: Any, alphas: Any) -> None:
        """The same in one pass over the memory."""
        n, size = pixels.shape[:2]
        where = np.zeros((n, 3), np.int32)
        if self.by_place:
            where[...] = [self.centre] if places is None else places
        shift = None if alphas is None else arrays.to_device(self._shift(alphas), self.device)
        stride = 3 * self.mean.shape[1] if self.mean.ndim == 3 else 0
        cuda.launch(
            "pixels.to_float", x.size, x, pixels, self.mean, stride,
            arrays.to_device(where, self.device), x if shift is None else shift,
            shift is not None, 1 / self.recipe.colour_divisor,
            x if self.scale is None else self.scale, self.scale is not None, size,
        )  # fmt: skip
