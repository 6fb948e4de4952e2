"""How a run begins: what it measures on its images, its network, and a resumed run's own data."""

from __future__ import annotations

import contextlib

from ..data.image import some
from ..initialise import initialise
from ..model import AlexNet
from ..pixels import PixelStatistics, ToInput, needs_statistics, pixel_statistics
from ..progress import told_if_slow
from ..recipe import Recipe, build_model
from .checkpoint import Checkpoint
from .feed import Feed
from .folder import RunError
from .input import Splits


def measured(recipe: Recipe, splits: Splits) -> PixelStatistics:
    """What the recipe takes from the training images; they are read only if it takes anything."""
    return pixel_statistics(recipe, splits.statistics() if needs_statistics(recipe) else None)


def new_model(recipe: Recipe, classes: int, feed: Feed, pixels: PixelStatistics) -> AlexNet:
    """The recipe's network, initialised, on the CPU; LSUV sees the first batch of epoch 0."""
    model = build_model(recipe, classes)
    count = min(feed.loader.batch_size, len(feed.loader.dataset))
    loading = told_if_slow(f"Loading the first batch, {count:,} images")
    with loading, contextlib.closing(feed.batches(0, 0)) as batches:
        _, (images, _, places) = next(batches)
    with told_if_slow(f"Initialising the weights ({recipe.init}) on {len(images.data):,} images"):
        initialise(model, recipe.init, ToInput(recipe, pixels)(images, places.data))
    return model


def check_same_data(checkpoint: Checkpoint, splits: Splits) -> None:
    """RunError unless these are the images that the checkpoint was trained on."""
    if checkpoint.classes != splits.classes:
        raise RunError(
            f"the data set has the classes {some(splits.classes)}, the run was trained "
            f"on {some(checkpoint.classes)}: give the run's own data"
        )
    before, now = checkpoint.data["train_images"], len(splits.train)
    if before != now:
        raise RunError(
            f"the data set has {now} training images, the run had {before}: bring back the "
            "same files, or start a new run"
        )
    if checkpoint.data.get("digest", splits.digest) != splits.digest:  # older runs have none
        raise RunError(
            f"the data set has {now} training images as before, but other files or another "
            "validation split: bring back the same files, or start a new run"
        )
