"""CIFAR-10 and CIFAR-100 as Toronto has them: records of bytes, or pickles with an array each.

An image is 3072 bytes: 1024 of red, row by row, then green and blue. In the binary files its label
stands before it, in CIFAR-100 two: one of twenty groups, and the class.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeGuard, TypeVar

import numpy as np

from ...pickles import Array, InFile, load_pickle
from ..image import BadImageError, DataError
from .tree import Found, Tree, find_file, read_lines
from .within import (
    READ,
    TEST_NOTE,
    Labelled,
    as_image,
    class_ids,
    found_within,
    ids_of_names,
    opened,
)

_T = TypeVar("_T")
SIDE = 32
_PIXELS = 3 * SIDE * SIDE
_TRAIN_10, _TEST_10 = re.compile(r"data_batch_\d{1,3}"), re.compile(r"test_batch")
_TRAIN_100, _TEST_100 = re.compile("train"), re.compile("test")


class _Kind(NamedTuple):
    """A layout: its file of names, the names of its files, how a file is read."""

    layout: str
    names: str
    ending: str  # of the files with images
    train: re.Pattern[str]
    test: re.Pattern[str]
    batch: Callable[[Tree, int, _Kind], _Batch]
    labels: int = 1  # bytes before an image, of which the last is its class
    classes: str = ""  # the keys of a pickle
    label_key: str = ""


class _Batch(NamedTuple):
    """A file: its images' labels, their names or none, and where image i is: first + i * step."""

    position: int
    labels: list[int]
    files: list[str]
    first: int
    step: int


def find(tree: Tree) -> Found | None:
    """The batches beside their file of class names, in a folder or an archive.

    DataError for a file that is cut off, a label without a name, and a pickle that would run code.
    """
    for kind in _KINDS:
        meta = find_file(tree, kind.names)
        if meta is None:
            continue
        root = tree.names[meta].removesuffix(kind.names)
        files = [
            (name[len(root) :].removesuffix(kind.ending), position)
            for position, name in enumerate(tree.names)
            if name.startswith(root) and name.endswith(kind.ending)
        ]
        splits = {
            split: sorted(one for one in files if pattern.fullmatch(one[0]))
            for split, pattern in (("train", kind.train), ("val", kind.test))
        }
        if splits["train"]:
            return _found(tree, kind, meta, splits)
    return None


def _found(
    tree: Tree, kind: _Kind, meta: int, splits: dict[str, list[tuple[str, int]]]
) -> Found:
    names = _class_names(tree, meta, kind)
    batches: list[_Batch] = []
    images: list[Labelled] = []
    starts: list[int] = []  # of each batch among the images
    for split, files in splits.items():
        for name, position in files:
            where = f"{tree.path}: {tree.names[position]}"
            batch = kind.batch(tree, position, kind)
            ids = class_ids(batch.labels, names, where)
            starts.append(len(images))
            batches.append(batch)
            for i, label in enumerate(batch.labels):
                file = batch.files[i] if batch.files else ""
                images.append(Labelled(split, ids[label], file, f"{name}-{i:05d}"))

    def image(index: int) -> bytes:
        number = np.searchsorted(starts, index, "right") - 1
        batch = batches[number]
        data = tree.part(
            batch.position, batch.first + (index - starts[number]) * batch.step, _PIXELS
        )
        planes = np.frombuffer(data, np.uint8).reshape(3, SIDE, SIDE)
        return as_image(planes.transpose(1, 2, 0))

    notes = [TEST_NOTE] if splits["val"] else []
    beside = [position for files in splits.values() for _, position in files]
    root = tree.names[meta].removesuffix(kind.names)
    labels = (
        *(tree.names[position] for position in (meta, *beside)),
        *(f"{root}{name}" for name in ("readme.html", "coarse_label_names.txt", "file.txt~")),
    )
    return found_within(tree, kind.layout, images, image, labels=labels, notes=notes)


def _class_names(tree: Tree, meta: int, kind: _Kind) -> list[str]:
    where = f"{tree.path}: {tree.names[meta]}"
    if not kind.classes:
        return ids_of_names(filter(None, map(str.strip, read_lines(tree, meta))), where)
    names = _pickled(tree, meta).get(kind.classes)
    if not _is_list_of(names, str) or not names:
        raise DataError(f"{where}: no list {kind.classes!r} in it; download it again")
    return ids_of_names(names, where)


def _binary(tree: Tree, position: int, kind: _Kind) -> _Batch:
    """data_batch_1.bin, train.bin."""
    where, size = f"{tree.path}: {tree.names[position]}", tree.size(position)
    step = kind.labels + _PIXELS
    if size % step or not size:
        raise DataError(f"{where}: {size} bytes, expected images of {step} each: download it again")
    labels: list[int] = []
    for records in _pieces(tree, position, size, READ // step * step):
        labels += records[kind.labels - 1 :: step]
    return _Batch(position, labels, [], kind.labels, step)


def _pieces(tree: Tree, position: int, size: int, step: int) -> Iterator[bytes]:
    for at in range(0, size, step):
        yield tree.part(position, at, min(step, size - at))


def _python(tree: Tree, position: int, kind: _Kind) -> _Batch:
    """data_batch_1, train: a dict with the images and their labels, and mostly their names."""
    held, where = _pickled(tree, position), f"{tree.path}: {tree.names[position]}"
    data, labels, files = (held.get(key) for key in ("data", kind.label_key, "filenames"))
    if not isinstance(data, Array) or data.dtype != "u1" or data.fortran:
        raise DataError(f"{where}: no array of bytes 'data' in it; download it again")
    if not (_is_list_of(labels, int) and labels and data.shape == (len(labels), _PIXELS)):
        raise DataError(
            f"{where}: not as many labels as images of {_PIXELS} bytes; download it again"
        )
    if not isinstance(data.data, InFile) or data.data.size != len(labels) * _PIXELS:
        raise DataError(f"{where}: its images are not whole; download it again")
    plain = [file.rpartition("/")[2] for file in files] if _is_list_of(files, str) else []
    plain = plain if len(plain) == len(labels) else []
    return _Batch(position, labels, plain, data.data.offset, _PIXELS)


def _pickled(tree: Tree, position: int) -> dict[Any, Any]:
    where = f"{tree.path}: {tree.names[position]}"
    try:
        held = load_pickle(opened(tree, position))
    except BadImageError as error:
        raise DataError(str(error)) from error
    except ValueError as error:
        raise DataError(
            f"{where}: not a pickle of images and labels: {error}; download it again"
        ) from error
    if not isinstance(held, dict):
        raise DataError(f"{where}: not a pickle of a dict; download it again")
    # In Python 3 people have loaded the pickles as bytes, and saved them so.
    return {k.decode("latin-1") if isinstance(k, bytes) else k: v for k, v in held.items()}


def _is_list_of(values: Any, kind: type[_T]) -> TypeGuard[list[_T]]:
    return isinstance(values, list) and all(type(value) is kind for value in values)


_KINDS: Sequence[_Kind] = (
    _Kind("cifar-10", "batches.meta.txt", ".bin", _TRAIN_10, _TEST_10, _binary),
    _Kind("cifar-100", "fine_label_names.txt", ".bin", _TRAIN_100, _TEST_100, _binary, labels=2),
    _Kind(
        "cifar-10", "batches.meta", "", _TRAIN_10, _TEST_10, _python, classes="label_names",
        label_key="labels",
    ),
    _Kind(
        "cifar-100", "meta", "", _TRAIN_100, _TEST_100, _python, classes="fine_label_names",
        label_key="fine_labels",
    ),
)  # fmt: skip
