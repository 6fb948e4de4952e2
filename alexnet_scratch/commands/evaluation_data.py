"""The images that `alexnet evaluate`, and what draws a run's validation images, look at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from minigrad.data import Dataset

from ..data import DataError, patterns
from ..data.folder import ImageFiles
from ..data.image import some
from ..data.packed import is_packed, open_packed
from ..data.source import overview
from ..data.sources import open_folder
from ..data.splits import difference
from ..names import program
from ..training.checkpoint import Checkpoint
from ..training.input import Splits, open_splits


@dataclass(frozen=True)
class EvaluationData:
    """Whole images to evaluate on, the classes' readable names by id, and what it is all called."""

    images: Dataset
    names: dict[str, str]
    title: str
    overview: Sequence[str] = ()


def evaluation_data(
    path: str | None, checkpoint: Checkpoint, owner: Checkpoint | None = None
) -> EvaluationData:
    """The images to evaluate on, as this network takes them.

    The validation images of `owner`, the run itself if None, where the data set is its own.
    Another data set's validation images, or all of them where it has no such folder: none of it
    was trained on.
    """
    owner = owner or checkpoint
    recipe, root = checkpoint.recipe, owner.data["root"]
    if path is None and owner.data.get("imported"):
        raise DataError(
            f"{owner.path}: its weights are imported, without images: say which to evaluate "
            f"on: {program()} evaluate RUN DATA"
        )
    own = path is None or (root is not None and os.path.realpath(path) == root)
    folder = Path((root or patterns.ensure()) if own else str(path))
    drawn = own and root is None
    title = f"the validation images of {'the drawn patterns' if drawn else folder}"
    resize = checkpoint.data.get("resize", "crop")
    if not folder.exists():
        raise DataError(
            f"no such folder: {folder}; say where it is now: {program()} evaluate RUN DATA"
        )
    if is_packed(folder):
        packed = open_packed(folder)
        if packed.resize != resize:
            raise DataError(
                f"{folder} was prepared with --resize {packed.resize}, {checkpoint.path} was "
                f"trained on --resize {resize}: prepare it that way"
            )
        # A run's own set is what it was trained on, whatever its size.
        known = own and checkpoint.data["root"] == root
        if not known and checkpoint is not owner and packed.image_size != recipe.image_size:
            raise DataError(
                f"{folder} holds images of {packed.image_size} pixels, {checkpoint.path} takes "
                f"{recipe.image_size}: for networks of several sizes give the folder of images "
                "that it was prepared from"
            )
        images = packed.images("val", None, None if known else recipe.image_size)
        data = EvaluationData(images, packed.names, title)
    elif own:
        # As a crop of the whole image is the whole image: the views are cut later.
        size = recipe.image_size
        splits = open_splits(folder, replace(owner.recipe, input_size=size, image_size=size))
        _check_held_out(folder, splits, checkpoint, owner)
        data = EvaluationData(splits.val, splits.names, title)
    else:
        source = open_folder(folder)
        split = "val" if "val" in source.folders else "train"
        used = {split: source.folders[split]}
        taken_for = f"{source.layout} layout"
        said = overview(folder, taken_for, source.classes, used, source.notes, source.left_out)
        files = ImageFiles(source, split, None, recipe.image_size, resize)
        data = EvaluationData(files, source.classes, str(folder / source.folders[split]), said)
    _check_classes(list(data.names), data.title, checkpoint)
    return data


def _check_held_out(
    folder: Path, splits: Splits, checkpoint: Checkpoint, owner: Checkpoint
) -> None:
    """DataError where the validation images are not those that the networks did not see."""
    resize = checkpoint.data.get("resize", "crop")
    if resize != splits.resize:
        raise DataError(
            f"{checkpoint.path} was trained on --resize {resize}, which {owner.path} was not: "
            "give a folder of other images"
        )
    if not splits.held_out or checkpoint.data["root"] != owner.data["root"]:
        return
    if checkpoint.data.get("digest", splits.digest) == splits.digest:
        return
    if checkpoint is owner:
        raise DataError(
            f"{folder} has other files than the run was trained on, so that other images would be "
            "held out: bring back the same files, or give another data set"
        )
    raise DataError(
        f"{checkpoint.path} was trained on some of the images that {owner.path} held out "
        "(--seed, --val-fraction): give a data set that none of them has seen"
    )


def _check_classes(classes: list[str], title: str, checkpoint: Checkpoint) -> None:
    missing = [c for c in checkpoint.classes if c not in classes]
    unknown = [c for c in classes if c not in checkpoint.classes]
    if not unknown:
        return
    raise DataError(
        f"{title}: not the classes that {checkpoint.path} was trained on"
        + f"; missing: {some(missing)}" * bool(missing)
        + f"; unknown: {some(unknown)}" * bool(unknown)
        + f"; {difference(missing, unknown) or 'give a data set with the same class folders'}"
    )
