"""A prepared set: images as raw bytes in one file per split, read through a memory map.

    set.json          format, image size, source, classes, images and checksums of each split
    SPLIT.images      uint8 (N, S, S, 3), C order, nothing else
    SPLIT.labels.npy  int32 (N,): places in the sorted class ids
    SPLIT.names.txt   a line per image: CLASS_ID/FILE, as its source called it
    report.csv        files that were left out, and why
    statistics.json, mean_image.npy    of the training images, see statistics.py

`prepare` writes it. SPLIT is train or val.
"""

from __future__ import annotations

import functools
import json
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.data import Dataset, Transform

from .disk import checksum
from .image import DataError
from .source import SPLITS
from .statistics import Statistics, load_statistics

FORMAT, VERSION = "alexnet-packed", 1
DESCRIPTION, REPORT = "set.json", "report.csv"
AGAIN = "copy it again, or prepare it again"


def images_file(split: str) -> str:
    """The name of the file with a split's images."""
    return f"{split}.images"


def labels_file(split: str) -> str:
    """The name of the file with a split's labels."""
    return f"{split}.labels.npy"


def names_file(split: str) -> str:
    """The name of the file with the names of a split's images."""
    return f"{split}.names.txt"


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Is this a folder that `prepare` made, whole or damaged?"""
    file = Path(path) / DESCRIPTION
    parts = (f(split) for split in SPLITS for f in (images_file, labels_file))
    if any((Path(path) / name).is_file() for name in parts):
        return True
    try:
        if not file.is_file():  # to open a pipe waits for ever
            return False
        with open(file, "rb") as stream:
            return f'"{FORMAT}"'.encode() in stream.read(100)
    except OSError:
        return False


def open_packed(path: str | os.PathLike[str]) -> PackedSet:
    """The prepared set in folder `path`.

    Raises DataError for anything else, a file that is missing or of the wrong size, and a set of a
    later version.
    """
    return PackedSet(path)


class PackedSet:
    """A prepared set.

    classes: ids, sorted; a label is a place in them. names: class id -> readable name.
    counts: split -> images. image_size: S, pixels. source, layout: where it came from.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.root = Path(path)
        described = _description(self.root)
        try:
            self.image_size = int(described["image_size"])
            self.resize = str(described["resize"])
            self.source, self.layout = str(described["source"]), str(described["layout"])
            self.names = {str(c["id"]): str(c["name"]) for c in described["classes"]}
            self.counts = {split: int(described["splits"][split]["images"]) for split in SPLITS}
            self._sha256 = {split: str(described["splits"][split]["sha256"]) for split in SPLITS}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{self.root / DESCRIPTION}: damaged ({type(error).__name__}: {error}); {AGAIN}"
            ) from error
        self.classes = list(self.names)
        for split in SPLITS:
            self._check_size(split)

    @functools.cached_property
    def statistics(self) -> Statistics:
        """Of the training images. DataError if they cannot be read."""
        return load_statistics(self.root)

    def images(
        self, split: str, transform: Transform | None, image_size: int | None = None
    ) -> PackedImages:
        """The images of `split`, "train" or "val"; None as `image_size` takes any.

        Raises DataError if the set's images are of another size, or its labels are damaged.
        """
        if image_size not in (None, self.image_size):
            raise DataError(
                f"{self.root} holds images of {self.image_size} pixels, expected {image_size}: "
                f"prepare it again with --image-size {image_size}"
            )
        return PackedImages(self, split, transform)

    def pixels(self, split: str) -> NDArray[np.uint8]:
        """The images of `split` as they are on disk: uint8 (n, S, S, 3), read-only."""
        return self.mapped(split)[0]

    def mapped(self, split: str) -> tuple[NDArray[np.uint8], mmap.mmap]:
        """`pixels`, and the memory map that they are in."""
        side, count = self.image_size, self.counts[split]
        length = count * side * side * 3
        with open(self.root / images_file(split), "rb") as file:
            memory = mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ)
        # A slice of a plain array costs a tenth of a np.memmap's.
        return np.frombuffer(memory, np.uint8).reshape(count, side, side, 3), memory

    def verify(self) -> None:
        """Read all images and compare them with the checksums. Raises DataError if they differ."""
        for split in SPLITS:
            file = self.root / images_file(split)
            found = checksum(file, "sha256")
            if found != self._sha256[split]:
                raise DataError(
                    f"{file}: damaged: its sha256 is {found}, expected {self._sha256[split]}; "
                    f"{AGAIN}"
                )

    def _check_size(self, split: str) -> None:
        file = self.root / images_file(split)
        expected = max(self.counts[split], 1) * self.image_size**2 * 3  # no split is empty
        for needed in (file, self.root / labels_file(split), self.root / names_file(split)):
            if not needed.is_file():
                raise DataError(f"{needed}: no such file, expected in a prepared set; {AGAIN}")
        found = file.stat().st_size
        if found != expected:
            raise DataError(
                f"{file}: {found:,} bytes, expected {expected:,} for {self.counts[split]} images; "
                f"{AGAIN}"
            )


class PackedImages(Dataset):
    """One split of a prepared set, with the attributes of an ImageFolder.

    transform: called as `transform(image, rng)` on uint8 (image_size, image_size, 3), a read-only
    view of the memory map, or None. A sample is (uint8 HWC array, label).
    """

    def __init__(self, packed: PackedSet, split: str, transform: Transform | None) -> None:
        if split not in SPLITS:
            raise ValueError(f"no split {split!r}: give one of {', '.join(SPLITS)}")
        self.root, self.split, self.transform = packed.root, split, transform
        self.image_size, self.classes = packed.image_size, packed.classes
        self.class_to_idx = {name: label for label, name in enumerate(packed.classes)}
        self.pixels, self._memory = packed.mapped(split)
        self.targets = self._labels()

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        return self.sample(index, np.random.default_rng(index % len(self)))

    def sample(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """(uint8 HWC image after the transform, label); nothing is copied here.

        Raises DataError if the file has become shorter: to read on would end the process (SIGBUS).
        """
        if self._memory.size() < self.pixels.nbytes:
            raise DataError(
                f"{self.root / images_file(self.split)} was cut to {self._memory.size():,} bytes "
                f"while it was read, expected {self.pixels.nbytes:,}; {AGAIN}"
            )
        image = self.pixels[index]
        return (self.transform(image, rng) if self.transform else image), self.targets[index]

    def describe(self, index: int) -> str:
        """The image's name in its source, CLASS_ID/FILE."""
        return self.source_names[index]

    @functools.cached_property
    def source_names(self) -> list[str]:
        """The names of all images. DataError if there are too few or too many."""
        file = self.root / names_file(self.split)
        names = file.read_text("utf-8", "replace").split("\n")[:-1]  # the last line ends, too
        if len(names) != len(self):
            raise DataError(f"{file}: {len(names)} names, expected {len(self)}; {AGAIN}")
        return names

    def _labels(self) -> list[int]:
        file = self.root / labels_file(self.split)
        try:
            labels: NDArray[Any] = np.load(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{file}: cannot be read ({error}); {AGAIN}") from error
        if labels.dtype != np.int32 or labels.shape != (len(self),):
            raise DataError(
                f"{file}: {labels.dtype} {labels.shape}, expected int32 ({len(self)},); {AGAIN}"
            )
        if labels.min() < 0 or labels.max() >= len(self.classes):
            raise DataError(f"{file}: labels outside 0..{len(self.classes) - 1}; {AGAIN}")
        return [int(label) for label in labels]


def _description(root: Path) -> dict[str, Any]:
    """What set.json says, of a format that is known here."""
    file = root / DESCRIPTION
    if not root.exists():
        raise DataError(f"no such folder: {root}; make it with `alexnet prepare SOURCE {root}`")
    if not file.is_file() and is_packed(root):
        raise DataError(f"{file}: no such file, expected in a prepared set; {AGAIN}")
    if not file.is_file():
        raise DataError(
            f"{root}: not a prepared set, it has no {DESCRIPTION}; make one with "
            f"`alexnet prepare {root} OUT`"
        )
    try:
        described = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"{file}: damaged ({error}); {AGAIN}") from error
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise DataError(f"{file}: not the description of a prepared set; {AGAIN}")
    if described.get("version") != VERSION:
        raise DataError(
            f"{file}: version {described.get('version')}, expected {VERSION}: use the program that "
            "prepared it, or prepare it again"
        )
    return described
