"""A folder as a tree of files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ..image import BadImageError, DataError, check_plain, checked
from ..source import LeftOut
from .tree import MAX_DEPTH, hidden, is_leaving

_VISITS = 16  # paths on which a folder is taken


class FolderTree:
    """The files below a folder, links followed. DataError if it cannot be listed.

    only: take these files, whatever else is there.
    """

    in_files = True

    def __init__(self, path: Path, only: Iterable[str] | None = None) -> None:
        self.path = path
        self.names: list[str] = [] if only is None else list(only)
        self.passed: list[LeftOut] = []
        if only is not None:
            return
        self._visits: Counter[str] = Counter()
        try:
            self._list(str(path), "", ())
        except OSError as error:
            raise DataError(f"{error.filename}: {error.strerror}; it must be readable") from error

    def read(self, position: int) -> bytes:
        """The bytes of the file names[position]."""
        path = os.path.join(self.path, self.names[position])
        try:
            size = checked(check_plain(path), path)
            with open(path, "rb") as file:
                return file.read(size)
        except OSError as error:
            raise BadImageError(f"{path}: {error.strerror}") from error

    def size(self, position: int) -> int:
        """The bytes that the file names[position] has."""
        path = os.path.join(self.path, self.names[position])
        try:
            return check_plain(path)
        except OSError as error:
            raise BadImageError(f"{path}: {error.strerror}") from error

    def part(self, position: int, offset: int, size: int) -> bytes:
        """Some bytes of the file names[position], which is open for as long as that takes."""
        return read_part(os.path.join(self.path, self.names[position]), offset, size)

    def close(self) -> None:
        """Nothing is open."""

    def leave_out(self, names: Iterable[str], reason: str) -> None:
        """Count these files among those that are passed over."""
        left = set(names)
        self.names = [name for name in self.names if name not in left]
        self.passed += [LeftOut(name, reason) for name in sorted(left)]

    def _list(self, folder: str, prefix: str, above: tuple[str, ...]) -> None:
        real = os.path.realpath(folder)
        if real in above:  # a link to a folder that it is in
            self.passed.append(LeftOut(prefix, "a link to a folder that it lies in"))
            return
        if len(above) > MAX_DEPTH:
            self.passed.append(LeftOut(prefix, f"more than {MAX_DEPTH} folders deep"))
            return
        self._visits[real] += 1
        if self._visits[real] > _VISITS:  # links to links double the paths with each folder
            self.passed.append(LeftOut(prefix, f"a folder that {_VISITS} links lead to already"))
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                if hidden(entry.name):
                    if not is_leaving(entry.name):
                        self.passed.append(LeftOut(name, "hidden"))
                    continue
                self._add(entry, name, (*above, real))

    def _add(self, entry: os.DirEntry[str], name: str, above: tuple[str, ...]) -> None:
        try:
            folder, file = entry.is_dir(), entry.is_file()
        except OSError as error:
            self.passed.append(LeftOut(name, error.strerror or str(error)))
            return
        if folder:
            self.names.append(f"{name}/")
            self._list(entry.path, f"{name}/", above)
        elif file or entry.is_symlink():  # a broken link is told when it is read
            self.names.append(name)
        else:
            self.passed.append(LeftOut(name, "a device, a pipe or a socket"))


def read_part(path: str, offset: int, size: int, where: str = "") -> bytes:
    """So many bytes of a file from `offset` on.

    BadImageError, which names `where`, else the file, if they are not all there.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(checked(size, where or path))
    except OSError as error:
        raise BadImageError(f"{path}: {error.strerror}") from error
    if len(data) != size:
        raise BadImageError(f"{where or path}: cut short, it has changed since it was opened")
    return data
