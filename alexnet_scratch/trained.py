"""A trained network with all that it needs to name what is on an image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import arrays
from minigrad.serialization import CheckpointError

from .data import load_image
from .data.views import CENTRE, View
from .evaluation import predict
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

    def predict(
        self, images: NDArray[np.uint8], views: Sequence[View] = CENTRE
    ) -> NDArray[np.float32]:
        """Probabilities (N, C) of uint8 images (N, S, S, 3) in `classes`' order, mean of the views.

        Raises DataError for images that have no room for the views.
        """
        return predict(self.model, images, self.recipe, self.device, views, self.pixels)


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
