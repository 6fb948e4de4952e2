"""How a run begins: what it measures on its images, its network, and a resumed run's own data."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Any

from ..data.image import some
from ..initialise import initialise
from ..network import Network
from ..pixels import PixelStatistics, ToInput, needs_statistics, pixel_statistics
from ..progress import told_if_slow
from ..recipe import Recipe, build_model
from ..schema import as_given
from .checkpoint import Checkpoint
from .content import difference
from .feed import Feed
from .folder import RunError
from .input import Splits


def measured(recipe: Recipe, splits: Splits) -> PixelStatistics:
    """What the recipe takes from the training images; they are read only if it takes anything."""
    return pixel_statistics(recipe, splits.statistics() if needs_statistics(recipe) else None)


def new_model(recipe: Recipe, classes: int, feed: Feed, pixels: PixelStatistics) -> Network:
    """The recipe's network, initialised, on the CPU; LSUV sees the first batch of epoch 0."""
    model = build_model(recipe, classes)
    count = min(feed.loader.batch_size, len(feed.loader.dataset))
    loading = told_if_slow(f"Loading the first batch, {count:,} images")
    with loading, contextlib.closing(feed.batches(0, 0)) as batches:
        _, (images, _, places) = next(batches)
    with told_if_slow(f"Initialising the weights ({recipe.init}) on {len(images.data):,} images"):
        initialise(model, recipe.init, ToInput(recipe, pixels)(images, places.data))
    return model


def check_same_data(
    checkpoint: Checkpoint, splits: Splits, data: Mapping[str, Any], accept: bool = False
) -> str | None:
    """RunError unless these are the images that the checkpoint was trained on.

    data: their `data_note`. accept: then what differs is returned, None if nothing does; the
    classes must be the same all the same.
    """
    if checkpoint.classes != splits.classes:
        own = some([as_given((name,)) for name in checkpoint.classes])
        raise RunError(
            f"the data set has the classes {some(splits.classes)}, the run was trained "
            f"on {own}: give the run's own data"
        )
    other = _other_data(checkpoint.data, splits, data)
    if other and not accept:
        raise RunError(
            f"the data are not those that the run was trained on: {other}; bring back the same "
            "files, start a new run, or go on with these (--accept-changed-data)"
        )
    if other:
        batches = math.ceil(len(splits.train) / checkpoint.recipe.batch_size)
        checkpoint.position.batch = min(checkpoint.position.batch, batches)
    return other


def _other_data(before: Mapping[str, Any], splits: Splits, data: Mapping[str, Any]) -> str | None:
    """What tells the data of a checkpoint from these; older runs know less of theirs."""
    was, now = before["train_images"], len(splits.train)
    if before.get("checksum") and data.get("checksum"):
        if before["checksum"] == data["checksum"]:
            return None
        said = difference(before.get("listing", ""), data.get("listing", ""))
        if said:
            return said
    elif before.get("digest", splits.digest) == splits.digest and was == now:
        return None
    if was != now:
        return f"the data set has {now} training images, the run had {was}"
    return f"{now} training images as before, but other files or another validation split"
