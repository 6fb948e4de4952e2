"""What preparing, downloading and reading sets share: a full disk told, checksums, arrays."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .image import DataError, check_plain

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
    """The checksum of a file in hexadecimal; algorithm: "sha256", "md5".

    Raises BadImageError, a DataError, for a pipe or a device, which is not opened.
    """
    check_plain(file)
    digest = hashlib.new(algorithm, usedforsecurity=False)  # MD5 is what some publish
    with open(file, "rb") as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def read_array(file: Path, dtype: Any, shape: tuple[int, ...], advice: str) -> NDArray[Any]:
    """The array of a .npy file, whose header is compared before memory is taken.

    Raises DataError, which ends in `advice`, for a file that holds anything else.
    """
    try:
        check_plain(file)
        with open(file, "rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            if np.lib.format.read_magic(stream) != (1, 0):
                raise ValueError("a version of the format that is not written here")
            found, _, kind = np.lib.format.read_array_header_1_0(stream)
            if (kind, found) == (np.dtype(dtype), shape):
                stream.seek(0)
                array: NDArray[Any] = np.load(stream, allow_pickle=False)
                if stream.read(1):
                    raise ValueError("longer than its header says")
                return array
    except MemoryError:
        raise
    except Exception as error:  # NumPy takes the header for Python, which fails in any way
        said = " ".join(f"{type(error).__name__}: {error}".split())  # one line
        raise DataError(f"{file}: cannot be read ({said}); {advice}") from error
    raise DataError(f"{file}: {kind} {found}, expected {np.dtype(dtype)} {shape}; {advice}")
