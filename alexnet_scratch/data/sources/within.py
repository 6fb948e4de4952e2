"""Images within files: of raw pixels, or of a table, which the tree beside them does not list."""

from __future__ import annotations

import io
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..image import DataError, some
from ..source import Item
from .tree import Found, Place, Tree, found

READ = 1 << 20  # bytes of a file at a time
TEST_NOTE = "the test images serve as validation: they also choose the best epoch"


class WithinTree:
    """A tree, and behind its files the images that some of them hold.

    names: those of the images, behind the tree's. image: their bytes by number. close: what is
    called in the end.
    """

    in_files = False

    def __init__(
        self, tree: Tree, names: Iterable[str], image: Callable[[int], bytes],
        close: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.path, self.passed = tree.path, tree.passed
        self.first = len(tree.names)
        self.names = [*tree.names, *names]
        self._tree, self._image = tree, image
        self._close = weakref.finalize(self, close)  # who trains from a folder never closes it

    def read(self, position: int) -> bytes:
        """The bytes of the file, or the image, names[position]."""
        if position < self.first:
            return self._tree.read(position)
        return self._image(position - self.first)

    def size(self, position: int) -> int:
        """The bytes that names[position] has."""
        return self._tree.size(position) if position < self.first else len(self.read(position))

    def part(self, position: int, offset: int, size: int) -> bytes:
        """Some bytes of names[position]."""
        if position < self.first:
            return self._tree.part(position, offset, size)
        return self.read(position)[offset : offset + size]

    def close(self) -> None:
        """Close what is open."""
        self._close()
        self._tree.close()


class Labelled(NamedTuple):
    """An image within a file: its split, class id, the file's name, if it has one, its place."""

    split: str
    class_id: str
    file: str
    place: str


def found_within(
    tree: Tree, layout: str, images: Sequence[Labelled], image: Callable[[int], bytes],
    close: Callable[[], None] = lambda: None, words: Mapping[str, str] = {}, **more: Any,
) -> Found:  # fmt: skip
    """What is found where image number i, whose bytes are `image(i)`, is images[i].

    more: see `found`.
    """
    items = named(images)
    whole = WithinTree(tree, (item.name for item in items), image, close)
    places = [Place(item, whole.first + i) for i, item in enumerate(items)]
    train, val = ([p for p in places if p.item.split == split] for split in ("train", "val"))
    folders = {"train": ""} | ({"val": ""} if val else {})
    return found(whole, layout, train, val, words or {}, folders=folders, **more)


def named(images: Sequence[Labelled]) -> list[Item]:
    """The images by CLASS_ID/FILE, or by CLASS_ID/PLACE where some have no name or share one."""
    by_file = [Item(split, i, f"{i}/{file}") for split, i, file, _ in images]
    if all(one.file for one in images) and len(set(by_file)) == len(by_file):
        return by_file
    return [Item(split, i, f"{i}/{place}") for split, i, _, place in images]


def class_ids(labels: Iterable[int], names: Sequence[str], where: object) -> dict[int, str]:
    """Class ids of numbers: of `names`, or the numbers, with zeros so that they sort as such.

    DataError, which says `where`, for a label below 0, and for one without a name where there are.
    """
    wanted = sorted(set(labels))
    if wanted and (wanted[0] < 0 or (names and wanted[-1] >= len(names))):
        wrong = wanted[0] if wanted[0] < 0 else wanted[-1]
        known = f"0 to {len(names) - 1}, as there are {len(names)} names" if names else "0 or more"
        raise DataError(f"{where}: a label is {wrong}, expected {known}; get it anew")
    digits = len(str(wanted[-1])) if wanted else 1
    return {i: names[i] if names else f"{i:0{digits}d}" for i in wanted}


def ids_of_names(names: Iterable[str], where: object) -> list[str]:
    """Class ids of names, in their order. DataError, which says `where`, for two of one name."""
    ids = [class_id(name) for name in names]
    twice = sorted(name for name, count in Counter(ids).items() if count > 1 or not name)
    if twice:
        raise DataError(f"{where}: two classes of one name, or none: {some(twice)}; rename one")
    return ids


def class_id(name: str) -> str:
    """A class's name as the name of a folder."""
    return sys.intern(" ".join(name.replace("/", "_").split()))


class _Part(io.RawIOBase):
    """A file of a tree as a stream."""

    def __init__(self, tree: Tree, position: int) -> None:
        self._tree, self._position, self._at = tree, position, 0
        self._size = tree.size(position)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        size = max(0, min(len(buffer), self._size - self._at, READ))
        data = self._tree.part(self._position, self._at, size)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def opened(tree: Tree, position: int) -> IO[bytes]:
    """A file of a tree to read from its beginning on; it need not be closed."""
    return io.BufferedReader(_Part(tree, position), 1 << 16)


def as_image(pixels: NDArray[np.uint8]) -> bytes:
    """uint8 (height, width, 3), or (height, width) of greys, as a file: a head, and the bytes."""
    height, width = pixels.shape[:2]
    kind = 6 if pixels.ndim == 3 else 5
    return b"P%d %d %d 255\n" % (kind, width, height) + pixels.tobytes()
