"""What preparing, downloading and reading sets share: a full disk told, checksums, arrays."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .image import DataError, check_plain

CHUNK = 1 << 22
_HEADER = 1 << 17  # bytes of a .npy file's, which NumPy bounds to less
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


def read_npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """(shape, by columns?, dtype) of a .npy file, whose numbers come next. ValueError for others.
    """
    head = io.BytesIO(stream.read(_HEADER))  # a stream takes memory for all that is asked of it
    start = stream.tell() - len(head.getbuffer())
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0
    }  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            found = readers[np.lib.format.read_magic(head)](head)
    except Exception as error:  # NumPy takes the header for Python, which fails in any way
        raise ValueError(f"a damaged header ({type(error).__name__})") from error
    stream.seek(start + head.tell())
    return found


def read_array(file: Path, dtype: Any, shape: tuple[int, ...], advice: str) -> NDArray[Any]:
    """The array of a .npy file, whose header is compared before memory is taken.

    Raises DataError, which ends in `advice`, for a file that holds anything else.
    """
    try:
        check_plain(file)
        with open(file, "rb") as stream:
            found, _, kind = read_npy_header(stream)
            if (kind, found) == (np.dtype(dtype), shape):
                stream.seek(0)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of headers that Python 2 wrote
                    array: NDArray[Any] = np.load(stream, allow_pickle=False)
                if stream.read(1):
                    raise ValueError("longer than its header says")
                return array
    except MemoryError:
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())  # one line
        raise DataError(f"{file}: cannot be read ({said}); {advice}") from error
    raise DataError(f"{file}: {kind} {found}, expected {np.dtype(dtype)} {shape}; {advice}")
