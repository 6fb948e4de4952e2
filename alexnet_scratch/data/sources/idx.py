"""MNIST's files, and those of sets made like it: train-images-idx3-ubyte, packed by gzip or not.

A file begins with two zeros, 8 for bytes, the number of dimensions, and the dimensions, each as a
32-bit number, most significant byte first. Three dimensions are images of greys, one is labels.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO, NamedTuple

import numpy as np

from ..image import DataError, some
from .archive import read_member
from .packing import unpacked
from .tree import Found, Tree
from .within import TEST_NOTE, Labelled, as_image, class_ids, found_within, opened

_IMAGES, _LABELS = b"\0\0\x08\3", b"\0\0\x08\1"
_SIDE = 4096  # pixels, at most
_ROLES = {"train": "train", "t10k": "test", "test": "test", "val": "val"}  # words of a file's name


class _File(NamedTuple):
    """A file: what reads (offset, size) of it, unpacked, where its numbers begin, dimensions."""

    read: Callable[[int, int], bytes]
    start: int
    shape: tuple[int, ...]
    where: str


class _Pair(NamedTuple):
    """Two files: "train", "val" or "test", the name, and the positions in the tree."""

    split: str
    name: str
    images: int
    labels: int


class _Block(NamedTuple):
    """Images of one file, the first of them number `first` of all."""

    first: int
    images: _File


def find(tree: Tree) -> Found | None:
    """Files of images, each with its file of labels: -images-idx3- beside -labels-idx1-.

    DataError for a file that is cut off, and for other numbers of images and labels.
    """
    pairs = _pairs(tree)
    splits = {pair.split for pair in pairs}
    if "train" not in splits:
        return None
    val = "val" if "val" in splits else "test"
    used = [pair for pair in pairs if pair.split in ("train", val)]
    _check_one_set(tree, used)
    images: list[Labelled] = []
    blocks: list[_Block] = []
    numbers: list[bytes] = []
    with ExitStack() as stack:
        for pair in used:
            pixels = _opened(tree, pair.images, _IMAGES, stack)
            labels = _opened(tree, pair.labels, _LABELS, stack)
            if pixels.shape[0] != labels.shape[0]:
                raise DataError(
                    f"{pixels.where}: {pixels.shape[0]} images, but {labels.shape[0]} labels in "
                    f"{tree.names[pair.labels]}; get both anew"
                )
            blocks.append(_Block(sum(map(len, numbers)), pixels))
            numbers.append(labels.read(labels.start, labels.shape[0]))
        ids = class_ids(b"".join(numbers), (), tree.path)
        for pair, values in zip(used, numbers, strict=True):
            here = "train" if pair.split == "train" else "val"
            images += [
                Labelled(here, ids[label], "", f"{pair.name}-{i:05d}")
                for i, label in enumerate(values)
            ]
        read = [tree.names[position] for pair in used for position in pair[2:]]
        return found_within(
            tree, "idx", images, functools.partial(_image, blocks), stack.pop_all().close,
            labels=tuple(read), notes=[TEST_NOTE] * (val == "test" in splits),
        )  # fmt: skip


def _image(blocks: list[_Block], index: int) -> bytes:
    first, images = next(block for block in reversed(blocks) if block.first <= index)
    height, width = images.shape[1:]
    start = images.start + (index - first) * height * width
    data = images.read(start, height * width)
    return as_image(np.frombuffer(data, np.uint8).reshape(height, width))


def _pairs(tree: Tree) -> list[_Pair]:
    """What the names say, in their order."""
    positions = {name: position for position, name in enumerate(tree.names) if "ubyte" in name}
    found: list[_Pair] = []
    seen: set[str] = set()
    for name, position in sorted(positions.items()):
        above, slash, file = name.rpartition("/")
        labels = file.replace("images", "labels").replace("idx3", "idx1")
        beside = [labels, f"{labels}.gz", labels.removesuffix(".gz")]
        other = next((positions[n] for b in beside if (n := above + slash + b) in positions), None)
        split = next((split for word, split in _ROLES.items() if word in file.lower()), None)
        if "images" in file and other is not None and split is not None:
            plain = file.removesuffix(".gz")
            if above + slash + plain not in seen:  # packed beside unpacked
                seen.add(above + slash + plain)
                found.append(_Pair(split, plain, position, other))
    return found


def _check_one_set(tree: Tree, pairs: list[_Pair]) -> None:
    """DataError for several, as EMNIST's archive has them: a 1 is another class in each."""
    for split in ("train", "val", "test"):
        here = [tree.names[pair.images] for pair in pairs if pair.split == split]
        if len(here) > 1:
            raise DataError(
                f"{tree.path} holds several sets, in {some(here)}: give a folder with the files of "
                "one"
            )


def _opened(tree: Tree, position: int, mark: bytes, stack: ExitStack) -> _File:
    where = f"{tree.path}: {tree.names[position]}"
    size = tree.size(position)
    packed = opened(tree, position)
    try:
        file = unpacked(where, packed, size)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: cut off or damaged ({error}); download it again") from error
    read = functools.partial(tree.part, position)
    if file is not None:
        stack.callback(file.close)
        size = file.seek(0, 2)
        read = functools.partial(_read, file, where)
    dimensions = mark[3]
    start = 4 + 4 * dimensions
    head = read(0, min(start, size))
    if len(head) < start or not head.startswith(mark):
        what = "images of bytes, three" if mark == _IMAGES else "labels of a byte, one"
        raise DataError(f"{where}: not an idx file of {what} dimensional; download it again")
    shape = struct.unpack(f">{dimensions}I", head[4:])
    expected = start + int(np.prod(shape, dtype=object))
    if size != expected or not shape[0] or max(shape[1:], default=1) > _SIDE or not min(shape):
        raise DataError(
            f"{where}: {size} bytes, expected {expected} for {' x '.join(map(str, shape))}; "
            "download it again"
        )
    return _File(read, start, shape, where)


def _read(file: IO[bytes], where: str, offset: int, size: int) -> bytes:
    return read_member(file, offset, size, where)
