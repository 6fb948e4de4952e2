"""A prepared set: images as raw bytes in one file per split, read through a memory map.

    set.json          format, image size, source, classes, images of each split, checksums of all
    SPLIT.images      uint8 (N, S, S, 3), C order, nothing else
    SPLIT.labels.npy  int32 (N,): places in the sorted class ids
    SPLIT.names.txt   a line per image: CLASS_ID/FILE, as its source called it
    report.csv        files that were left out, and why
    statistics.json, mean_image.npy    of the training images, see statistics.py

`prepare` writes it. SPLIT is train or val.
"""

from __future__ import annotations

import functools
import hashlib
import json
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.data import Dataset, Transform

from ..names import program
from ..schema import MOST_PIXELS, SchemaError, as_given, checked, json_of, limited, read_text
from .disk import checksum, read_array
from .image import RESIZES, DataError
from .source import SPLITS
from .statistics import MEAN_IMAGE, STATISTICS, Statistics, load_statistics

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


# Small files, whose checksums are compared whenever they are read; images' only by `verify`.
CHECKED = (
    *(f(split) for split in SPLITS for f in (labels_file, names_file)), STATISTICS, MEAN_IMAGE,
)  # fmt: skip
MOST_NAME = 4200  # bytes of CLASS_ID/FILE in a line


@dataclass(kw_only=True)
class ClassEntry:
    """A class in set.json."""

    id: str
    name: str


@dataclass(kw_only=True)
class SplitEntry:
    """A split in set.json: how many images, and the checksum of their file."""

    images: int = limited(low=1, high=10**9)
    sha256: str


@dataclass(kw_only=True)
class SplitEntries:
    """The splits in set.json."""

    train: SplitEntry
    val: SplitEntry


@dataclass(kw_only=True)
class Description:
    """set.json, but for its format and version.

    enlarged: images that were smaller than image_size. short_side: that of the image in the middle
    before it got image_size, 0 if that is not known. files: the checksums of `CHECKED`. sha256: of
    set.json itself, see `sealed`. Sets from before there were these have none of them.
    """

    image_size: int = limited(low=1, high=MOST_PIXELS)
    resize: str = limited(choices=RESIZES)
    source: str
    layout: str
    classes: list[ClassEntry]
    splits: SplitEntries
    enlarged: int = limited(0, low=0, high=2 * 10**9)
    short_side: int = limited(0, low=0, high=10**9)
    files: dict[str, str] = limited(factory=dict)
    sha256: str = ""


def sealed(described: dict[str, Any]) -> dict[str, Any]:
    """What set.json says, with the checksum of the rest of it."""
    rest = {key: value for key, value in described.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    return {**rest, "sha256": digest.hexdigest()}


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
    counts: split -> images. sha256: split -> checksum of its pixels. image_size: S, pixels.
    source, layout: where it came from. enlarged, short_side: see `Description`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.root = Path(path)
        described = _description(self.root)
        self.image_size, self.resize = described.image_size, described.resize
        self.source, self.layout = described.source, described.layout
        self.enlarged, self.short_side = described.enlarged, described.short_side
        self.names = {entry.id: entry.name for entry in described.classes}
        self.classes = list(self.names)
        self.counts = {split: getattr(described.splits, split).images for split in SPLITS}
        self.sha256 = {split: getattr(described.splits, split).sha256 for split in SPLITS}
        self._files = described.files
        for split in SPLITS:
            self._check_size(split)

    @functools.cached_property
    def statistics(self) -> Statistics:
        """Of the training images. DataError if they cannot be read."""
        for name in (STATISTICS, MEAN_IMAGE):
            self.check_file(name)
        return load_statistics(self.root, self.image_size, self.counts["train"])

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
            _compare(self.root / images_file(split), self.sha256[split])
        for name in self._files:
            self.check_file(name)

    def check_file(self, name: str) -> None:
        """DataError if the set has a checksum of this file, one of `CHECKED`, and it differs."""
        if name in CHECKED and name in self._files:
            _compare(self.root / name, self._files[name])

    def _check_size(self, split: str) -> None:
        file = self.root / images_file(split)
        expected = self.counts[split] * self.image_size**2 * 3
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
        self.resize, self.sha256 = packed.resize, packed.sha256[split]
        self._check_file = packed.check_file
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
        self._check_file(file.name)
        try:
            names = read_text(file, MOST_NAME * len(self)).split("\n")[:-1]  # the last ends, too
        except SchemaError as error:
            raise DataError(f"{file}: damaged ({error}); {AGAIN}") from error
        if len(names) != len(self):
            raise DataError(f"{file}: {len(names)} names, expected {len(self)}; {AGAIN}")
        return names

    def _labels(self) -> list[int]:
        file = self.root / labels_file(self.split)
        self._check_file(file.name)
        labels = read_array(file, np.int32, (len(self),), AGAIN)
        if labels.min() < 0 or labels.max() >= len(self.classes):
            raise DataError(f"{file}: labels outside 0..{len(self.classes) - 1}; {AGAIN}")
        return [int(label) for label in labels]


def _compare(file: Path, expected: str) -> None:
    found = checksum(file, "sha256")
    if found != expected:
        raise DataError(
            f"{file}: damaged: its sha256 is {found}, expected {expected}; {AGAIN}"
        )


def _description(root: Path) -> Description:
    """What set.json says, of a format that is known here."""
    file = root / DESCRIPTION
    if not root.exists():
        raise DataError(f"no such folder: {root}; make it with `{program()} prepare SOURCE {root}`")
    if not file.is_file() and is_packed(root):
        raise DataError(f"{file}: no such file, expected in a prepared set; {AGAIN}")
    if not file.is_file():
        raise DataError(
            f"{root}: not a prepared set, it has no {DESCRIPTION}; make one with "
            f"`{program()} prepare {root} OUT`"
        )
    try:
        described = json_of(read_text(file))
    except SchemaError as error:
        raise DataError(f"{file}: damaged ({error}); {AGAIN}") from error
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise DataError(f"{file}: not the description of a prepared set; {AGAIN}")
    if described.get("version") != VERSION:
        raise DataError(
            f"{file}: version {as_given(described.get('version'))}, expected {VERSION}: use the "
            "program that prepared it, or prepare it again"
        )
    try:
        found = checked(Description, described)
        ids = [entry.id for entry in found.classes]
        if not ids or ids != sorted(set(ids)):
            raise SchemaError("classes are not sorted ids, each once")
        if found.sha256 and sealed(described)["sha256"] != found.sha256:
            raise SchemaError("it was changed after it was written: its checksum is another")
    except SchemaError as error:
        raise DataError(f"{file}: damaged: {error}; {AGAIN}") from error
    return found
