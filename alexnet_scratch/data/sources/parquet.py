"""Parquet as Hugging Face's data sets have it: a column of images, one of labels, in many files.

An image is a struct of bytes and path, or bytes; a label is a number, whose name stands in the
schema's metadata, or a name. Rows come in groups that are packed as a whole. A group is unpacked
once, when one of its images is wanted, a few rows at a time, to a temporary file: the images of a
class lie in all groups, so that to unpack one for each of them would take a hundred times as long.
"""

from __future__ import annotations

import contextlib
import os
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ...schema import SchemaError, json_of
from ..image import BadImageError, DataError, check_plain, some
from ..source import LeftOut
from .folder import FolderTree, read_part
from .packing import FREE, MAX_RATIO, bomb
from .shards import choose_shards, found_in_shards
from .spool import Spool
from .tree import Found, Tree, in_class_folders
from .within import Labelled, WithinTree, class_id, class_ids, ids_of_names, named

MAGIC = b"PAR1"
_POINTER = b"vers"  # version https://git-lfs.github.com/spec/v1
_ROWS = 1 << 16  # whose labels are in memory at once
_MEMORY = 32 << 20  # bytes that images may take at once, were each as large as all of its group
_ROW = 16  # bytes of a file, at least, for each of its rows
_BUFFER = 1 << 20  # bytes of a column that are read at once
_LONG = 255  # letters of a file's name, and of a class's
_TEXTS = ("string", "large_string")
_IMAGES = ("image", "img", "images", "picture", "jpg", "png")
_LABELS = ("label", "labels", "fine_label", "class", "target", "category", "cls")

Label: TypeAlias = int | str | None


class _Columns(NamedTuple):
    """Which columns are used: of the image, in a struct or not, and of the label.

    names: the ids of the numbered classes, or none.
    """

    image: str
    in_struct: bool
    has_path: bool
    label: str
    names: list[str]

    @property
    def bytes(self) -> str:
        """The column of the images' bytes alone."""
        return f"{self.image}.bytes" if self.in_struct else self.image


def begins(path: Path) -> bool:
    """Does this file begin as a parquet file? Not one that cannot be read."""
    try:
        return read_part(str(path), 0, min(4, check_plain(path))) == MAGIC
    except BadImageError:
        return False


def find(tree: Tree, first: int | None = None) -> Found | None:
    """The rows of the parquet files in a folder, the `first` files of each split.

    DataError for files that pyarrow does not read, without it, for no column of images or labels,
    and for labels that are missing or have no name.
    """
    names = [name for name in tree.names if name.lower().endswith(".parquet")]
    if not names or in_class_folders(tree):
        return None
    if not isinstance(tree, FolderTree):
        raise DataError(f"{tree.path} holds {some(names, 1)}: unpack it, and give the folder")
    arrow = _pyarrow(tree)
    shards = choose_shards(names, tree.path, first)
    left_out = list(shards.left_out)
    files: list[_File] = []
    tables: list[tuple[str, _File, list[Label], list[str]]] = []
    columns = None
    for name, split in shards.split_of().items():
        file = _File(arrow, tree.path, name)
        columns = columns or _columns(file)
        labels, paths = file.labels(columns)
        if split == "val" and all(label in (None, -1) for label in labels):
            left_out.append(LeftOut(name, "without labels"))  # as test images mostly are
            continue
        files.append(file)
        tables.append((split, file, labels, paths))
    assert columns is not None  # there is a file for training
    for one in left_out:
        tree.leave_out([one.name], one.reason)
    reader = _Reader(files, columns.bytes)
    try:
        items = named(_images(tables, columns.names, tree))
        whole = WithinTree(tree, (item.name for item in items), reader.image, reader.close)
        return found_in_shards(
            whole, "parquet", items, range(whole.first, len(whole.names)), columns.names, shards,
            str(tree.path), labels=tuple(file.name for file in files),
        )  # fmt: skip
    except BaseException:
        reader.close()
        raise


def _images(
    tables: Sequence[tuple[str, _File, list[Label], list[str]]], names: list[str], tree: Tree
) -> list[Labelled]:
    """All rows, in the order of the files."""
    numbers = [label for _, _, labels, _ in tables for label in labels if isinstance(label, int)]
    ids = class_ids(numbers, names, tree.path)
    images = []
    for split, file, labels, paths in tables:
        stem = os.path.basename(file.path).rpartition(".")[0]
        for row, (label, path) in enumerate(zip(labels, paths, strict=True)):
            if label is None:
                raise DataError(f"{file.path}: row {row} has no label; give the files with labels")
            name = ids[label] if isinstance(label, int) else class_id(label)
            images.append(Labelled(split, name, path, f"{stem}-{row:05d}"))
    return images


def _pyarrow(tree: Tree) -> Any:
    try:
        import pyarrow.parquet  # heavy, and only needed here
    except ImportError as error:
        raise DataError(
            f"{tree.path} holds parquet files, which pyarrow reads: pip install pyarrow"
        ) from error
    return pyarrow


class _File:
    """A parquet file: its name and path, metadata and schema, and the rows before each group."""

    def __init__(self, arrow: Any, root: Path, name: str) -> None:
        self.name, self._arrow = name, arrow
        self.path = path = os.path.join(root, name)
        self.size = size = check_plain(path)
        start = read_part(path, 0, min(4, size))
        if start != MAGIC:
            said = "no parquet file, damaged or cut off: get it anew"
            if start == _POINTER:
                said = "a pointer of Git LFS, not the file: git lfs pull brings it"
            raise DataError(f"{path}: {said}")
        with self._told(DataError), contextlib.closing(self._open()) as file:
            self.metadata, self.schema = file.metadata, file.schema_arrow
            groups = range(file.metadata.num_row_groups)
            counts = [file.metadata.row_group(i).num_rows for i in groups]
        if min(counts, default=0) < 0 or sum(counts) * _ROW > size or not sum(counts):
            raise DataError(f"{path}: {sum(counts)} rows in {size} bytes: damaged, get it anew")
        self.starts = [0, *np.cumsum(counts).tolist()]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(self.starts[-1])

    def labels(self, columns: _Columns) -> tuple[list[Label], list[str]]:
        """Of all rows the labels, and the names of their files, "" where there is none."""
        labels: list[Label] = []
        paths: list[str] = []
        wanted = [columns.label, *([f"{columns.image}.path"] if columns.has_path else [])]
        types = {field.name: str(field.type) for field in self.schema}
        # Of texts each different one is in memory once: one may stand for all rows.
        texts = [name for name in wanted if types.get(name, _TEXTS[0]) in _TEXTS]
        for group in range(len(self.starts) - 1):
            with self._told(DataError), contextlib.closing(self._open(texts)) as file:
                for batch in file.iter_batches(_ROWS, [group], wanted, use_threads=False):
                    labels += _labels(batch.column(columns.label))
                    if columns.has_path:
                        paths += map(_file_name, _values(batch.column(columns.image).flatten()[0]))
        if len(labels) != self.rows:
            raise DataError(f"{self.path}: not a label for each row: damaged, get it anew")
        return labels, paths or [""] * len(labels)

    def image_batches(self, group: int, column: str) -> Iterator[Any]:
        """A group's images, some at a time. BadImageError for what pyarrow does not read."""
        with self._told(BadImageError):
            # Not of the column alone: pyarrow ends the process for some that are damaged.
            plain = self.metadata.row_group(group).total_byte_size
            if plain > max(FREE, MAX_RATIO * self.size):
                raise BadImageError(bomb(self.path))
            rows = min(_ROWS, max(1, _MEMORY // max(plain, 1)))
            with contextlib.closing(self._open()) as file:
                for batch in file.iter_batches(rows, [group], [column], use_threads=False):
                    held = batch.column(0)
                    yield held.flatten()[0] if held.type.num_fields else held

    def _open(self, texts: Sequence[str] = ()) -> Any:
        """texts: columns of which each different value is kept once."""
        return self._arrow.parquet.ParquetFile(
            self.path, metadata=getattr(self, "metadata", None), buffer_size=_BUFFER,
            pre_buffer=False, read_dictionary=list(texts) or None,
        )  # fmt: skip

    @contextlib.contextmanager
    def _told(self, kind: type[DataError]) -> Iterator[None]:
        """What pyarrow says about a file, in a line."""
        try:
            yield
        except DataError:
            raise
        except (self._arrow.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
            said = " ".join(str(error).split())[:200]
            raise kind(
                f"{self.path}: damaged, or not read by pyarrow ({said}); get it anew"
            ) from error


def _values(column: Any) -> list[Any]:
    """The numbers or texts of a column."""
    if not str(column.type).startswith("dictionary<"):
        return list(column.to_pylist())
    texts = column.dictionary.to_pylist()
    return [None if i is None else texts[i] for i in column.indices.to_pylist()]


def _labels(column: Any) -> list[Label]:
    """ValueError for other values than numbers and names."""
    values = _values(column)
    for value in set(values):
        if not (value is None or type(value) in (int, str)):
            raise ValueError(f"its labels are of type {column.type}, expected numbers or names")
        if isinstance(value, str) and not 0 < len(value) <= _LONG:
            raise ValueError(f"a label of {len(value)} letters, expected 1 to {_LONG}")
    return values


def _file_name(path: str | None) -> str:
    name = (path or "").replace("\\", "/").rpartition("/")[2]
    return name if len(name) <= _LONG and name.isprintable() else ""


def _columns(file: _File) -> _Columns:
    """DataError where there are none, or where it cannot be told which."""
    schema = file.schema
    features = _features(file)
    of_type = {
        kind: [name for name, one in features.items() if one.get("_type") == kind]
        for kind in ("Image", "ClassLabel")
    }
    types = {field.name: field.type for field in schema}
    bytes_in = [name for name, kind in types.items() if _is_bytes(kind) or "bytes" in _parts(kind)]
    images = [name for name in of_type["Image"] or _IMAGES if name in bytes_in] or bytes_in
    labels = [n for n in _LABELS if n in types] or [n for n in of_type["ClassLabel"] if n in types]
    if len(images) < 1 or len(labels) < 1:
        what = "images (bytes, or a struct of bytes and path)" if not images else "labels"
        listed = some([f"{name} ({kind!s:.60})" for name, kind in types.items()])
        raise DataError(f"{file.path}: no column of {what}; it has {listed}")
    if labels[0] not in _LABELS and len(labels) > 1:
        raise DataError(f"{file.path}: which is the label, {some(labels)}? Rename one to label")
    image, label = images[0], labels[0]
    names = features.get(label, {}).get("names") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{file.path}: the names of its classes are no names: get it anew")
    parts = _parts(types[image])
    return _Columns(
        image, bool(parts), "path" in parts, label, ids_of_names(names, file.path)
    )


def _features(file: _File) -> dict[str, dict[str, Any]]:
    """What Hugging Face's metadata says about the columns."""
    text = (file.schema.metadata or {}).get(b"huggingface")
    if text is None:
        return {}
    try:
        held = json_of(text.decode("utf-8", "replace"))
        features = held["info"]["features"]
        return {name: one for name, one in features.items() if isinstance(one, dict)}
    except (SchemaError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file.path}: its metadata 'huggingface' is damaged ({error!s:.100}); get it anew"
        ) from error


def _is_bytes(kind: Any) -> bool:
    return str(kind) in ("binary", "large_binary")


def _parts(kind: Any) -> list[str]:
    """The names of a struct's fields that are of use."""
    if not str(kind).startswith("struct<"):
        return []
    fields = [kind.field(i) for i in range(kind.num_fields)]
    wanted = {"bytes": ("binary", "large_binary"), "path": _TEXTS}
    return [field.name for field in fields if str(field.type) in wanted.get(field.name, ())]


class _Reader:
    """The images of files, by the number of the row in all of them."""

    def __init__(self, files: Sequence[_File], column: str) -> None:
        self._files, self._column = files, column
        self._first = [0, *np.cumsum([file.rows for file in files]).tolist()]
        self._spool = Spool()
        self._lock = threading.Lock()
        # Of each group that is unpacked: offset and size of each image; or why it cannot be.
        self._unpacked: dict[tuple[int, int], list[tuple[int, int]] | str] = {}
        self._left = max(FREE, MAX_RATIO * sum(file.size for file in files))
        self.close = self._spool.close

    def image(self, number: int) -> bytes:
        """The bytes of an image. BadImageError without."""
        at = bisect_right(self._first, number) - 1
        file, row = self._files[at], number - self._first[at]
        group = bisect_right(file.starts, row) - 1
        with self._lock:
            key = (at, group)
            if key not in self._unpacked:
                self._unpacked[key] = self._unpack(file, group)
            held = self._unpacked[key]
        if isinstance(held, str):
            raise BadImageError(held)
        offset, size = held[row - file.starts[group]]
        where = f"{file.path}: row {row}"
        if size < 0:
            raise BadImageError(f"{where}: no bytes of an image in it")
        return self._spool.read(offset, size, where)

    def _unpack(self, file: _File, group: int) -> list[tuple[int, int]] | str:
        places: list[tuple[int, int]] = []
        try:
            for column in file.image_batches(group, self._column):
                places += self._keep(column, file.path)
            if len(places) != file.starts[group + 1] - file.starts[group]:
                raise BadImageError(f"{file.path}: a group of rows is cut short: get it anew")
        except BadImageError as error:
            return str(error)  # itself it would keep what was read
        return places

    def _keep(self, column: Any, path: str) -> list[tuple[int, int]]:
        """Write the bytes of a column of them; where each is, and -1 bytes for none."""
        wide = "large" in str(column.type)
        _, ends, data = column.buffers()
        ends = np.frombuffer(ends, np.int64 if wide else np.int32)
        ends = ends[column.offset : column.offset + len(column) + 1].astype(np.int64)
        length = int(ends[-1] - ends[0])
        self._left -= length
        if self._left < 0:
            raise BadImageError(bomb(path))
        start = self._spool.append(memoryview(data)[ends[0] : ends[-1]]) if length else 0
        sizes = np.where(column.is_valid().to_numpy(False), np.diff(ends), -1)
        return list(zip((start + ends[:-1] - ends[0]).tolist(), sizes.tolist(), strict=True))
