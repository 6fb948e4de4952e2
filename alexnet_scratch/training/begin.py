"""How a run begins: what it measures on its images, its network, and a resumed run's own data."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from minigrad import Tensor

from ..data.image import some
from ..initialise import initialise, initialise_head
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
from .transfer import Loaded, Pretrained, check_new_learns, load, pixels_of


def measured(recipe: Recipe, splits: Splits, source: Pretrained | None = None) -> PixelStatistics:
    """What the recipe takes from the training images; they are read only if it takes anything.

    source: the network that the run begins with, whose mean counts.
    """
    asked = replace(recipe, mean="constant") if source else recipe
    found = pixel_statistics(asked, splits.statistics() if needs_statistics(asked) else None)
    return pixels_of(recipe, source, found) if source else found


def new_model(
    recipe: Recipe, classes: Sequence[str], feed: Feed, pixels: PixelStatistics,
    source: Pretrained | None = None,
) -> tuple[Network, Loaded | None]:  # fmt: skip
    """The recipe's network, on the CPU: initialised, or with the source's weights, and then what
    was taken from there. What is measured for it is measured on the first batch of epoch 0."""
    model = build_model(recipe, len(classes))
    if source is None:
        images = _first_images(recipe, feed, pixels)
        count = f"{len(images.data):,} images"
        with told_if_slow(f"Initialising the weights ({recipe.init}) on {count}"):
            initialise(model, recipe.init, images)
        return model, None
    loaded = load(model, recipe, classes, source)
    check_new_learns(recipe, loaded)
    if loaded.new:
        initialise_head(model, loaded.new, recipe.init, _first_images(recipe, feed, pixels))
    return model, loaded


def _first_images(recipe: Recipe, feed: Feed, pixels: PixelStatistics) -> Tensor:
    """The first batch of epoch 0, as the network gets it."""
    count = min(feed.loader.batch_size, len(feed.loader.dataset))
    loading = told_if_slow(f"Loading the first batch, {count:,} images")
    with loading, contextlib.closing(feed.batches(0, 0)) as batches:
        _, (images, _, places) = next(batches)
    return ToInput(recipe, pixels)(images, places.data)


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
