"""What preparing, downloading and reading sets share: a full disk in one line, and checksums."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .image import DataError

CHUNK = 1 << 22
FULL = (errno.ENOSPC, errno.EDQUOT)  # errors of a full disk, and of a user's share of it


@contextlib.contextmanager
def full_disk_told(folder: Path, advice: Callable[[], str]) -> Iterator[None]:
    """Raises DataError that names `folder` for a full disk; other errors stay as they are.

    advice: what to do and what is kept; asked for when it has happened.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DataError(f"disk full: {folder} ({error.strerror}); {advice()}") from error


def save_array(path: Path, array: NDArray[Any]) -> None:
    """`np.save`, whose own error does not say that the disk is full. OSError as the system's."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    path.write_bytes(buffer.getbuffer())


def checksum(file: Path, algorithm: str) -> str:
    """The checksum of a file in hexadecimal; algorithm: "sha256", "md5"."""
    digest = hashlib.new(algorithm, usedforsecurity=False)  # MD5 is what some publish
    with open(file, "rb") as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()
