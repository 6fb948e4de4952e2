"""Images of a data set in a folder, read where they are; and holding some out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minigrad.data import Dataset, Transform

from .image import BadImageError, load_image
from .sources import folder_classes, open_folder
from .sources.tree import TreeSource


class ImageFiles(Dataset):
    """The images of one split of a data set in a folder, see `open_folder`.

    transform: called as `transform(image, rng)` on uint8 (image_size, image_size, 3), or None.
    resize: see `load_image`. classes: ids, sorted; a label is a place in them.
    A sample is (uint8 HWC array, label). `dataset[i]` always draws the same augmentation, the
    loader draws a new one every epoch.
    Raises SkipSample (as BadImageError), from a sample, for a file that is not a whole image, and
    DataError for an image of another class.
    """

    def __init__(
        self, source: TreeSource, split: str, transform: Transform | None,
        image_size: int = 256, resize: str = "crop",
    ) -> None:  # fmt: skip
        if image_size < 1:
            raise ValueError(
                f"{type(self).__name__} got image_size={image_size}: give a size in pixels, >= 1"
            )
        self.root, self.split = source.path, split
        self.transform = transform
        self.image_size, self.resize = image_size, resize
        self.classes = list(source.classes)
        self.class_to_idx = {name: label for label, name in enumerate(self.classes)}
        labels = self.class_to_idx
        items = [item for item in source.items if item.split == split]
        self.samples = [(source.file(item), labels[item.class_id]) for item in items]
        # Images within files have no files of their own.
        self._within = None if source.in_files else (source, items)
        self.targets = [label for _, label in self.samples]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        return self.sample(index, np.random.default_rng(index % len(self)))

    def sample(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """(uint8 HWC image after the transform, label)."""
        file, label = self.samples[index]
        if self._within is None:
            image = load_image(file, self.image_size, self.resize)
        else:
            source, items = self._within
            try:
                image = load_image(source.read(items[index]), self.image_size, self.resize)
            except BadImageError as error:
                said = str(error).removeprefix("image: ")  # it was given bytes, without a name
                raise BadImageError(f"{file}: {said}") from error
        return (self.transform(image, rng) if self.transform else image), label

    def describe(self, index: int) -> str:
        """The path of the image file; of one within a file the name that it would have."""
        return self.samples[index][0]


class ImageFolder(ImageFiles):
    """Images of `root_split/CLASS/**`, labelled by class folder; otherwise as `ImageFiles`.

    Classes are sorted by name and samples by path; hidden files and folders are ignored.
    Raises DataError for a folder without classes or a class without images.
    """

    def __init__(
        self, root_split: str | os.PathLike[str], transform: Transform | None,
        image_size: int = 256, resize: str = "crop",
    ) -> None:  # fmt: skip
        super().__init__(folder_classes(root_split), "train", transform, image_size, resize)


def find_splits(root: str | os.PathLike[str]) -> tuple[Path, Path | None]:
    """The training folder and the validation folder, or None, of a data set, see `open_folder`."""
    source = open_folder(root)
    train, val = (source.folders.get(split) for split in ("train", "val"))
    return Path(root) / (train or ""), None if val is None else Path(root) / val


def split_samples(dataset: ImageFiles, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """(training indices, validation indices), drawn class by class; for `minigrad.data.Subset`.

    A class gives round(fraction * its images) to validation, at least one, and keeps at least one.
    The same files and seed give the same split. ValueError if fraction is not within 0..1.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"split_samples got fraction={fraction}: give a share between 0 and 1")
    targets = np.asarray(dataset.targets)
    train: list[int] = []
    val: list[int] = []
    for label, class_id in enumerate(dataset.classes):
        indices = np.flatnonzero(targets == label)
        held_out, kept = hold_out(len(indices), fraction, seed, class_id)
        val += indices[held_out].tolist()
        train += indices[kept].tolist()
    return sorted(train), sorted(val)


def hold_out(images: int, fraction: float, seed: int, class_id: str) -> tuple[list[int], list[int]]:
    """Which of a class's images (by number, sorted) are for validation, and which are not.

    At least one is, but never the last one. A folder and the set prepared from it agree.
    """
    count = min(max(1, round(fraction * images)), images - 1)
    return drawn(images, count, [seed, 0, *class_id.encode(errors="surrogateescape")])


def drawn(images: int, count: int, entropy: list[int]) -> tuple[list[int], list[int]]:
    """`count` of the numbers below `images` at random, and the others; both sorted."""
    order = np.random.default_rng(entropy).permutation(images).tolist()
    return sorted(order[:count]), sorted(order[count:])
