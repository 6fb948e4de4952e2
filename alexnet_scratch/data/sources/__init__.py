"""Data sets in every layout that people have, told apart by what is in them."""

from __future__ import annotations

import os
from pathlib import Path

from ...names import in_shell, program
from ..image import DataError, not_an_image, some
from ..packed import is_packed
from ..source import LeftOut, Source
from ..splits import check_same_classes
from . import cifar, idx, ilsvrc, kaggle, parquet, tiny, webdataset
from .archive import TarTree, open_archive
from .folder import FolderTree
from .shards import expanded
from .tars_in_folder import TarsInFolder, class_tars
from .tree import KNOWN, Tree, TreeSource, class_folders, is_image, only_classes

__all__ = ["KNOWN", "folder_classes", "image_files", "open_folder", "open_source"]

_UNPACKED = "unpacked beside it"
_TO_BE_SEEN = "expected images, in one of the forms that `alexnet prepare --help` lists"
# The first that fits.
_LAYOUTS = (
    ilsvrc.find, kaggle.find, tiny.find, parquet.find, webdataset.find, cifar.find, idx.find,
    class_folders,
)  # fmt: skip


def open_source(path: str | os.PathLike[str], shards: int | None = None) -> Source:
    """The data set in a folder or an archive; close it after use.

    shards: of parquet files and the tars of a WebDataset take the first so many of each split. A
    WebDataset may also be given as a pattern, shard-{000000..000009}.tar.

    Archives are read where they are, no tree of files is unpacked. What is packed as a whole, a
    gzipped tar or the images in parquet files, is unpacked once, to a temporary file without a
    name: that takes its unpacked size on the disk of $TMPDIR until the source is closed. The index
    takes about 450 bytes of memory per image.
    Raises DataError for a layout that is not known, labels that do not fit, an archive that is cut
    off, and one with links, device files or names that lead out of it.
    """
    return _found(_open_tree(Path(path), shards), shards)


def open_folder(path: str | os.PathLike[str]) -> TreeSource:
    """The data set in a folder, read where it is: nothing is open between two reads, but for a
    temporary file of what parquet files hold. Also that of a pattern, and of one parquet file.

    Raises DataError for an archive, splits of different classes, and what `open_source` raises.
    """
    tree = _folder(path)
    held = [f"an archive, {archive.name}" for archive, _ in ilsvrc.archives(tree.path)]
    packed, unpacked = class_tars(tree)
    if packed:
        held.append(f"the class tars of {ilsvrc.TRAIN}, {some(packed, 2)}")
    if held:
        raise DataError(
            f"{path} holds {held[0]}: make a set of it with `{program()} prepare {in_shell(path)} "
            "OUT`"
        )
    tree.leave_out(unpacked, _UNPACKED)
    source = _found(webdataset.with_shards(tree))
    if "val" in source.folders:
        classes: dict[str, set[str]] = {"train": set(), "val": set()}
        for item in source.items:
            classes[item.split].add(item.class_id)
        train, val = (tree.path / (source.folders[split] or split) for split in classes)
        check_same_classes(train, sorted(classes["train"]), val, sorted(classes["val"]))
    return source


def folder_classes(path: str | os.PathLike[str]) -> TreeSource:
    """The images of the class folders right in a folder, whatever these are called.

    DataError for a folder without them, and a class without images.
    """
    tree = _folder(path)
    return TreeSource(only_classes(tree))


def image_files(path: str | os.PathLike[str]) -> tuple[list[str], list[LeftOut]]:
    """The paths of all images below a folder, sorted, and what else is there."""
    tree = _folder(path)
    images, left_out = [], tree.passed
    for position, name in sorted(enumerate(tree.names), key=lambda one: one[1]):
        if name.endswith("/"):
            continue
        if is_image(tree, position):
            images.append(os.path.join(path, name))
        else:
            left_out.append(LeftOut(name, not_an_image(name)))
    return images, left_out


def _folder(path: str | os.PathLike[str]) -> FolderTree:
    path = Path(path)
    some_files = _some_files(path)
    if some_files is not None:
        return some_files
    if not path.exists():
        raise DataError(f"no such folder: {path}; {_TO_BE_SEEN}")
    if not path.is_dir():
        raise DataError(f"not a folder: {path}; `alexnet prepare` makes a set of an archive")
    return FolderTree(path)


def _found(tree: Tree, shards: int | None = None) -> TreeSource:
    try:
        for layout in _LAYOUTS:
            found = parquet.find(tree, shards) if layout is parquet.find else layout(tree)
            if found is not None:
                if shards is not None and found.layout not in ("parquet", "webdataset"):
                    raise DataError(f"{tree.path} has no shards: leave --shards out")
                return TreeSource(found)
        raise DataError(f"{tree.path}: not a data set; expected {KNOWN}")
    except BaseException:
        tree.close()
        raise


def _some_files(path: Path) -> FolderTree | None:
    """Of a pattern its files, and a parquet file, as if they were all that is in their folder."""
    if not path.exists():
        named = expanded(path)
        return None if named is None else FolderTree(path.parent, named)
    if path.is_file() and parquet.begins(path):
        return FolderTree(path.parent, [path.name])
    return None


def _open_tree(path: Path, shards: int | None) -> Tree:
    some_files = _some_files(path)
    if some_files is not None:
        return webdataset.with_shards(some_files, shards)
    if not path.exists():
        raise DataError(f"no such file or folder: {path}; {_TO_BE_SEEN}")
    if not path.is_dir():
        return open_archive(path)
    if is_packed(path):
        raise DataError(f"{path} is a prepared set already: give it to `alexnet train`")
    archives = ilsvrc.archives(path)
    if archives:
        return TarTree(path, archives)
    tree = FolderTree(path)
    packed, unpacked = class_tars(tree)
    tree.leave_out(unpacked, _UNPACKED)
    return TarsInFolder(tree, packed) if packed else webdataset.with_shards(tree, shards)
