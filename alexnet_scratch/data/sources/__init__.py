"""Data sets in every layout that people have, told apart by what is in them."""

from __future__ import annotations

import os
from pathlib import Path

from ..folder import DataError
from ..packed import is_packed
from ..source import Source
from . import ilsvrc, kaggle, tiny
from .archive import TarTree, open_archive
from .folder import FolderTree
from .tree import KNOWN, Tree, TreeSource, class_folders

__all__ = ["KNOWN", "open_source"]

_LAYOUTS = (ilsvrc.find, kaggle.find, tiny.find, class_folders)  # the first that fits


def open_source(path: str | os.PathLike[str]) -> Source:
    """The data set in a folder or an archive; close it after use.

    Archives are read where they are, no tree of files is unpacked. A gzipped tar is unzipped once,
    to a temporary file without a name: that takes its unpacked size on the disk of $TMPDIR until
    the source is closed. The index takes about 450 bytes of memory per image.
    Raises DataError for a layout that is not known, labels that do not fit, an archive that is cut
    off, and one with links, device files or names that lead out of it.
    """
    tree = _open_tree(Path(path))
    try:
        for layout in _LAYOUTS:
            found = layout(tree)
            if found is not None:
                return TreeSource(tree, found)
        raise DataError(f"{path}: not a data set; expected {KNOWN}")
    except BaseException:
        tree.close()
        raise


def _open_tree(path: Path) -> Tree:
    if not path.exists():
        raise DataError(f"no such file or folder: {path}; expected {KNOWN}")
    if not path.is_dir():
        return open_archive(path)
    if is_packed(path):
        raise DataError(f"{path} is a prepared set already: give it to `alexnet train`")
    archives = ilsvrc.archives(path)
    return TarTree(path, archives) if archives else FolderTree(path)
