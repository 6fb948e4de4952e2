"""From a data set to its two splits, augmented as the recipe says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minigrad.data import (
    CenterCrop,
    ColorJitter,
    DataLoader,
    Dataset,
    RandomResizedCrop,
    RandomRotation,
    Subset,
    Transform,
)

from ..data import DataError, split_samples
from ..data.augment import TrainingView
from ..data.folder import ImageFiles
from ..data.packed import PackedImages, is_packed, open_packed
from ..data.source import LeftOut, overview, overview_of
from ..data.sources import open_folder
from ..data.statistics import Accumulator, Statistics
from ..data.survey import enlarged_in, enlarged_note
from ..names import one_line
from ..progress import progress_bar
from ..recipe import RECIPES, Recipe
from ..zoo import MODELS
from .content import facts_of, noted

SMALLEST = 72  # side of images whose crops suit the paper's conv1; it takes 63 pixels
FEW_STEPS, ENOUGH_STEPS = 200, 400  # of a run: hardly anything is learnt in fewer; what to advise


@dataclass(frozen=True)
class Splits:
    """The training and validation images of a data set, and what its labels mean."""

    train: TrainingImages
    val: Dataset
    classes: list[str]
    names: dict[str, str]  # readable names of the classes
    resize: str  # how images were brought to their size, see `load_image`
    held_out: bool  # were the validation images taken from the training folder?
    statistics: Callable[[], Statistics]  # of the training images
    digest: str  # of the names of all images, in their order
    overview: list[str]  # what the data set was taken for, in lines for people
    left_out: Sequence[LeftOut] = ()  # files of its folder that are not used


def open_splits(root: str | os.PathLike[str], recipe: Recipe, trained: bool = False) -> Splits:
    """The two splits of a prepared set or a folder, with the recipe's crops and flips.

    A prepared set must have the recipe's image size: see `fitted`. Where a folder has no validation
    images, the recipe's `val_fraction` is held out by its seed. trained: the network has its
    weights, and with them its sizes, so that no other sizes are advised.
    Raises DataError for what cannot be used.
    """
    size = recipe.image_size
    if is_packed(root):
        packed = open_packed(root)
        train = packed.images("train", None, size)
        val = packed.images("val", test_transform(recipe), size)
        return _splits(
            recipe, train, val, packed.names, False, lambda: packed.statistics, packed.resize,
            names_digest([train.source_names, val.source_names]),
            overview(
                root, f"prepared from {packed.source}", packed.names, {},
                [] if trained else enlarged_in(packed) or little_seen(recipe), [],
            ),
        )  # fmt: skip
    source = open_folder(root)
    said = overview_of(root, source)
    images = ImageFiles(source, "train", None, size)
    items = [item for item in source.items if item.split == "train"]
    if not trained:
        said += enlarged_note(source, items, size) or [f"Note: {n}" for n in little_seen(recipe)]
    names = [item.name for item in items]
    if "val" in source.folders:
        held = ImageFiles(source, "val", test_transform(recipe), size)
        val_names = [item.name for item in source.items if item.split == "val"]
        return _splits(
            recipe, images, held, source.classes, False, lambda: measured(images, size), "crop",
            names_digest([names, val_names]), said, source.left_out,
        )  # fmt: skip
    kept, held_out = split_samples(images, recipe.val_fraction, recipe.seed)
    if not held_out:
        raise DataError(
            f"{images.root} has one image per class, none to hold out for validation: add images "
            "or a val folder"
        )
    plain = ImageFiles(source, "train", test_transform(recipe), size)
    train_part = Subset(images, kept)
    val_part = Subset(plain, held_out)
    digest = names_digest([names[i] for i in part] for part in (kept, held_out))
    return _splits(
        recipe, train_part, val_part, source.classes, True, lambda: measured(train_part, size),
        "crop", digest, said, source.left_out,
    )  # fmt: skip


def names_digest(splits: Iterable[Iterable[str]]) -> str:
    """SHA-256 of the names CLASS_ID/FILE of the images of each split, in their order."""
    digest = hashlib.sha256()
    for names in splits:
        for name in names:
            digest.update(f"{one_line(name)}\n".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def data_note(root: str | os.PathLike[str] | None, splits: Splits) -> dict[str, Any]:
    """What a checkpoint says about its data; see `content` for what tells it from other data."""
    train = splits.train.images
    facts = facts_of(train, splits.val, splits.names, sizes=root is not None)
    what = "names" if root is None else "names and sizes"  # drawn patterns: the same, other PNGs
    return {
        "root": os.path.realpath(root) if root else None,
        "train_images": len(splits.train),
        "digest": splits.digest,
        "names": splits.names,
        "resize": splits.resize,
        **noted(facts, "pixels and names" if isinstance(train, PackedImages) else what),
    }


def fitted(
    recipe: Recipe, root: str | os.PathLike[str], given: int | None = None, trained: bool = False
) -> Recipe:
    """The recipe with the image size of the prepared set in `root`; as it is for a folder.

    given: an image size that the user asked for by name. trained: the network comes with weights,
    so that its input is what it is.
    Raises DataError for a set of another size, or one too small for the recipe's crops.
    """
    if not is_packed(root):
        return recipe
    size = open_packed(root).image_size
    if given is not None and given != size:
        raise DataError(
            f"--image-size {given}, but {root} holds images of {size} pixels: leave it out, or "
            f"prepare the set with --image-size {given}"
        )
    if size < recipe.input_size:
        flags = "" if trained else flags_for(size, recipe.model)
        raise DataError(
            f"{root} holds images of {size} pixels, the recipe crops {recipe.input_size}: prepare "
            f"it with --image-size {recipe.image_size}" + f", or train with {flags}" * bool(flags)
        )
    return replace(recipe, image_size=size)


def flags_for(image_size: int, model: str = "alexnet") -> str:
    """What `alexnet train` is to be told where images have this side; "" if nothing, or if no
    network is small enough."""
    if model != "alexnet":
        side = max(MODELS[model].smallest, input_size_for(image_size))
        return f"--input-size {side}" if side <= image_size < Recipe.input_size else ""
    if SMALLEST <= image_size < Recipe.input_size:
        return f"--input-size {input_size_for(image_size)}"
    for small in (RECIPES["tiny"], RECIPES["cifar"]):
        if small.input_size <= image_size < SMALLEST:
            return f"--recipe {small.name}"
    return "--recipe cifar --input-size 16" if 16 <= image_size < SMALLEST else ""


def little_seen(recipe: Recipe) -> list[str]:
    """A note where crops are less than half as wide as the images: most of each is never judged."""
    size, seen = recipe.image_size, recipe.input_size
    if 2 * seen >= size:
        return []
    flags = flags_for(size, recipe.model) or f"--input-size {input_size_for(size)}"
    share = f"{seen} x {seen} of {size} x {size} pixels, {(seen / size) ** 2:.0%} of an image"
    return [f"the network sees {share}: train with {flags}, or on images of a smaller --image-size"]


def input_size_for(image_size: int) -> int:
    """A side for crops of images of this one, about seven eighths of it as the paper's 224."""
    return 16 * round(image_size * 7 / 8 / 16)


def _splits(
    recipe: Recipe, train: Dataset, val: Dataset, names: dict[str, str], held_out: bool,
    statistics: Callable[[], Statistics], resize: str, digest: str, said: list[str],
    left_out: Sequence[LeftOut] = (),
) -> Splits:  # fmt: skip
    classes = list(names)
    if len(classes) < 2:
        raise DataError(f"the data has one class only, '{classes[0]}': expected at least two")
    if recipe.batch_size > len(train):
        said.append(
            f"Note: a batch of {recipe.batch_size} is more than the {len(train)} training images: "
            "each epoch is one step on all of them (--batch-size)"
        )
    per_epoch = -(-len(train) // recipe.batch_size)
    steps, epochs = per_epoch * recipe.epochs, -(-ENOUGH_STEPS // max(per_epoch, 1))
    if steps < FEW_STEPS:
        said.append(
            f"Note: a run of {steps} steps is too short to learn much from {len(train)} images: "
            f"--epochs {epochs} makes {epochs * per_epoch}"
        )
    images = TrainingImages(train, train_transform(recipe))
    return Splits(images, val, classes, names, resize, held_out, statistics, digest, said, left_out)


class TrainingImages(Dataset):
    """The training images as the recipe augments them: (uint8 crop, label, place).

    place: int16 (3,), the crop's `Place`, which a mean image needs.
    """

    def __init__(self, images: Dataset, view: TrainingView) -> None:
        self.images, self.view = images, view

    def __len__(self) -> int:
        return len(self.images)

    def sample(self, index: int, rng: np.random.Generator) -> Any:
        """The sample with the crop that `rng` draws."""
        image, label = self.images.sample(index, rng)  # whole: it draws nothing
        crop, place = self.view.draw(image, rng)
        return crop, label, np.array(place, np.int16)

    def describe(self, index: int) -> str:
        """The file's name."""
        return self.images.describe(index)


def train_loader(
    images: Dataset,
    recipe: Recipe,
    workers: int = 0,
    batch_size: int | None = None,
    device: str = "cpu",
) -> DataLoader:
    """Batches of the training images, in the order and with the draws of the recipe's seed.

    batch_size: the recipe's by default; what is drawn for an image does not depend on it.
    device: where they will be used.
    """
    return DataLoader(
        images, batch_size or recipe.batch_size, shuffle=True, num_workers=workers,
        seed=recipe.seed, share=recipe.crop_chunk, **pinned_for(device),
    )  # fmt: skip


def pinned_for(device: str) -> dict[str, Any]:
    """The loader's options for batches that go to `device`."""
    return {} if device == "cpu" else {"pin_memory": True, "pin_memory_device": device}


def train_transform(recipe: Recipe) -> TrainingView:
    """The recipe's augmentation of a training image, but for the noise on its colours."""
    before: list[Transform] = []
    if recipe.rotation:
        before.append(RandomRotation(recipe.rotation, fill=128))
    if recipe.colour_jitter:
        before.append(ColorJitter(*(recipe.colour_jitter,) * 3))
    resized = RandomResizedCrop(recipe.input_size, recipe.crop_area)
    return TrainingView(
        recipe.input_size,
        before,
        resized if recipe.crop == "resized" else None,
        random=recipe.crop.startswith("random"),
        last=recipe.crop != "random-2048",
        flip=recipe.flip,
    )


def test_transform(recipe: Recipe) -> Transform:
    """The central crop."""
    return CenterCrop(recipe.input_size)


def measured(images: Dataset, size: int) -> Statistics:
    """Statistics of images (size, size, 3) that are not prepared, each decoded once for it."""
    sums = Accumulator(size)
    loader = DataLoader(images, 64, num_workers=2)
    with progress_bar("mean image and colours", len(loader)) as bar:
        for pixels, _ in loader:
            sums.add(pixels.data)
            bar.update()
    return sums.result()
