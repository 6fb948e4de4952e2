"""Bytes that have no way to their middle where they come from, kept in one temporary file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ..disk import full_disk_told
from .archive import SEEKING, read_member

_ADVICE = "free some space there, or set TMPDIR to a folder with more"


class Spool:
    """A temporary file without a name that grows at its end; any thread may call it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self.close = self._file.close

    def append(self, data: Any) -> int:
        """Keep these bytes; returns where they are. DataError for a full disk."""
        with SEEKING, full_disk_told(Path(tempfile.gettempdir()), lambda: _ADVICE):
            where = self._file.seek(0, 2)
            self._file.write(data)
            self._file.flush()
            return where

    def read(self, offset: int, size: int, where: str) -> bytes:
        """These bytes. BadImageError, which says `where`, for more than an image may have."""
        return read_member(self._file, offset, size, where)
