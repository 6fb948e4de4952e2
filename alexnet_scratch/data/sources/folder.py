"""A folder as a tree of files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..folder import BadImageError, DataError
from .tree import checked, hidden


class FolderTree:
    """The files below a folder, links followed. DataError if it cannot be listed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []
        try:
            self._list(str(path), "", ())
        except OSError as error:
            raise DataError(f"{error.filename}: {error.strerror}; it must be readable") from error

    def read(self, position: int) -> bytes:
        """The bytes of the file names[position]."""
        path = self.path / self.names[position]
        try:
            found = path.stat()  # first: to open a pipe waits for ever
            if not stat.S_ISREG(found.st_mode):
                raise BadImageError(f"{path}: a device, a pipe or a folder, not a plain file")
            size = checked(found.st_size, str(path))
            with open(path, "rb") as file:
                return file.read(size)
        except OSError as error:
            raise BadImageError(f"{path}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is open."""

    def _list(self, folder: str, prefix: str, above: tuple[str, ...]) -> None:
        real = os.path.realpath(folder)
        if real in above:  # a link to a folder that it is in
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if hidden(entry.name):
                    continue
                name = prefix + entry.name
                if entry.is_dir():
                    self.names.append(f"{name}/")
                    self._list(entry.path, f"{name}/", (*above, real))
                elif entry.is_file() or entry.is_symlink():  # a broken link is told when it is read
                    self.names.append(name)
