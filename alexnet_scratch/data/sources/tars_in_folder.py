"""Many tars in a folder, each as a folder of its name: the class tars that
ILSVRC2012_img_train.tar unpacks to, and the shards of a WebDataset."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence

from ..source import LeftOut
from .archive import tar_index
from .folder import FolderTree, read_part
from .shards import Shards
from .tree import CLASS_TAR


def class_tars(tree: FolderTree) -> tuple[list[str], list[str]]:
    """The names of the class tars in a folder: those to be read, and those unpacked beside them."""
    tars = [name for name in tree.names if CLASS_TAR.fullmatch(name.rpartition("/")[2])]
    unpacked = {name.rpartition("/")[0] for name in tree.names if not name.endswith("/")}
    apart: tuple[list[str], list[str]] = [], []
    for name in sorted(tars):
        apart[name.removesuffix(".tar") in unpacked].append(name)
    return apart


class TarsInFolder:
    """A folder's files, and for each of some tars in it a folder of that name, read in place.

    A tar is opened for each image, so that a thousand of them are not open at a time.
    shards: what split each is of, where they are shards.
    DataError for a file that is no tar, one that is cut off, and members that are refused.
    """

    in_files = False

    def __init__(
        self, folder: FolderTree, tars: Sequence[str], shards: Shards | None = None
    ) -> None:
        self.shards = shards
        self.path = folder.path
        self.passed: list[LeftOut] = list(folder.passed)
        self._folder, self._tars = folder, [os.path.join(folder.path, name) for name in tars]
        given = set(tars)
        kept = [position for position, name in enumerate(folder.names) if name not in given]
        self._positions = array("q", kept)
        self.names: list[str] = [folder.names[position] for position in kept]
        self._where = array("q")  # for each name of a tar: which tar, offset, size
        for number, (name, path) in enumerate(zip(tars, self._tars, strict=True)):
            prefix = f"{name.removesuffix('.tar')}/"
            for inner, offset, size in [("", 0, 0), *tar_index(path, self.passed)]:
                self.names.append(prefix + inner)
                self._where.extend((number, offset, size))

    def read(self, position: int) -> bytes:
        """The bytes of the file names[position]."""
        if position < len(self._positions):
            return self._folder.read(self._positions[position])
        return self.part(position, 0, self.size(position))

    def size(self, position: int) -> int:
        """The bytes that the file names[position] has."""
        if position < len(self._positions):
            return self._folder.size(self._positions[position])
        return self._where[3 * (position - len(self._positions)) + 2]

    def part(self, position: int, offset: int, size: int) -> bytes:
        """Some bytes of the file names[position]."""
        if position < len(self._positions):
            return self._folder.part(self._positions[position], offset, size)
        first = 3 * (position - len(self._positions))
        number, start = self._where[first : first + 2]
        where = f"{self._tars[number]}: {self.names[position]!r}"
        return read_part(self._tars[number], start + offset, size, where)

    def close(self) -> None:
        """Nothing is open."""
