"""A trained network with all that it needs to name what is on an image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import Tensor, arrays
from minigrad.serialization import CheckpointError

from . import inside
from .data import load_image
from .data.views import CENTRE, View
from .evaluation import input_of, predict, view_input
from .network import Network
from .pixels import PixelStatistics
from .recipe import Recipe
from .training.checkpoint import Checkpoint, find_checkpoint, load_checkpoint


@dataclass(frozen=True)
class Trained:
    """What `alexnet_scratch.load` gives.

    model: in evaluation mode, on `device`. classes: what its outputs mean, in their order.
    names: readable names of the classes that have one. resize: how its images were brought to
    their size, see `load_image`. pixels: what it takes from its training images.
    """

    model: Network
    recipe: Recipe
    classes: list[str]
    names: dict[str, str]
    resize: str
    pixels: PixelStatistics
    device: str

    def image(self, source: Any) -> NDArray[np.uint8]:
        """An image file, or its bytes, as uint8 RGB (S, S, 3), S the recipe's `image_size`.

        Raises BadImageError for anything that is not a whole image.
        """
        return load_image(source, self.recipe.image_size, self.resize)

    def predict(self, images: Any, views: Sequence[View] = CENTRE) -> NDArray[np.float32]:
        """Probabilities (N, C) of images in `classes`' order, the mean over the views.

        images, and what is raised: as for `preprocess`, DataError also for images that have no room
        for the views.
        """
        whole = self._arrays(images, "predict")
        return predict(self.model, whole, self.recipe, self.device, views, self.pixels)

    def preprocess(self, images: Any) -> Tensor:
        """What the network gets of the centre of images: (N, 3, s, s) float32, s its input size.

        images: uint8 (N, S, S, 3), or (N, s, s, 3), which are centres already; or an image file, or
        a list of some, or of their bytes. On the network's device.
        Raises ValueError for other arrays, DataError for images that are smaller, and BadImageError
        for files that are none.
        """
        images = self._arrays(images, "preprocess")
        to_input = input_of(self.recipe, self.pixels, self.device)
        return view_input(arrays.to_device(images, self.device), CENTRE[0], to_input)

    def _arrays(self, images: Any, caller: str) -> NDArray[np.uint8]:
        """Images (N, S, S, 3), read if they are files."""
        if not isinstance(images, np.ndarray):
            single = isinstance(images, str | bytes | os.PathLike)
            files = [self.image(each) for each in ([images] if single else images)]
            images = np.stack(files) if files else np.zeros(0)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise ValueError(
                f"{caller}: got {images.dtype} of shape {images.shape}, expected uint8 images "
                "(N, S, S, 3), or files"
            )
        found: NDArray[np.uint8] = images
        return found

    def black_and_white(self) -> tuple[Tensor, Tensor]:
        """What the network gets of a black and of a white image, (1, 3, s, s) each."""
        shape = (1, self.recipe.input_size, self.recipe.input_size, 3)
        black, white = (self.preprocess(np.full(shape, level, np.uint8)) for level in (0, 255))
        return black, white

    def as_images(self, x: Tensor) -> NDArray[np.uint8]:
        """The images (N, s, s, 3) of which the network gets x: what `preprocess` has undone."""
        black, white = (arrays.to_numpy(each.data) for each in self.black_and_white())
        levels = 255 * (arrays.to_numpy(x.data) - black) / (white - black)
        images: NDArray[np.uint8] = np.rint(levels).clip(0, 255).astype(np.uint8)
        return images.transpose(0, 2, 3, 1)

    def features(self, images: Any, layer: str | None = None) -> NDArray[np.float32]:
        """What a layer puts out for each image, in one row: (N, D) float32.

        images: as for `preprocess`. layer: a name as in `model.named_modules()`; "fc7" is before
        its ReLU, "relu7" behind it. By default the last hidden layer.
        Raises ValueError for an unknown layer.
        """
        if isinstance(images, str | bytes | os.PathLike):
            images = [images]
        size = self.recipe.batch_size
        rows = [
            inside.features(self.model, self.preprocess(images[i : i + size]), layer)
            for i in range(0, max(len(images), 1), size)
        ]
        return np.concatenate(rows).astype(np.float32, copy=False)


def check_numbers(outputs: Any, path: Any) -> None:
    """CheckpointError if a network gives NaN or infinity, though its weights are numbers."""
    if not np.isfinite(outputs).all():
        raise CheckpointError(
            f"{path}: its network gives NaN or infinity: training had blown up before it was "
            "saved; use an older checkpoint"
        )


def load_trained(run: str | os.PathLike[str], device: str = "cpu") -> Trained:
    """See `alexnet_scratch.load`."""
    return trained(load_checkpoint(find_checkpoint(run)), device)


def trained(checkpoint: Checkpoint, device: str) -> Trained:
    """The network of a checkpoint in memory. CheckpointError if its weights do not fit."""
    device = arrays.parse_device(device)
    model = checkpoint.model()
    model.to(device)
    data = checkpoint.data
    return Trained(
        model, checkpoint.recipe, checkpoint.classes, data.get("names", {}),
        data.get("resize", "crop"), checkpoint.pixels, device,
    )  # fmt: skip
