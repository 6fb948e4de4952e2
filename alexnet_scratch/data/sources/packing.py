"""Files that gzip, bzip2 or xz has packed as a whole: unpacked once, as they have no middle.

To one temporary file without a name, and not beyond what images can shrink by.
"""

from __future__ import annotations

import gzip
import importlib
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from ...progress import progress_bar
from ..image import DataError

CHUNK = 1 << 20
# Images are packed already; zeros shrink a thousandfold. Small archives may shrink as they like.
MAX_RATIO, FREE = 100, 1 << 28
XZ_MEMORY = 128 << 20  # bytes of xz's window; the highest level of its program has 64 MB


def unpacker(start: bytes) -> Callable[[IO[bytes]], Iterator[bytes]] | None:
    """What unpacks a file that begins so, piece by piece; None where it is not packed."""
    for mark, pieces in _KINDS.items():
        if start.startswith(mark):
            return pieces
    return None


def unpacked(name: object, file: IO[bytes], size: int) -> IO[bytes] | None:
    """A temporary file with what is in `file`, of `size` bytes; None where it is not packed.

    DataError, which says `name`, for what unpacks to more than MAX_RATIO times as much. Any of
    EOFError, OSError, zlib.error and ValueError for damaged bytes.
    """
    pieces = unpacker(file.read(6))
    file.seek(0)
    if pieces is None:
        return None
    plain = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with progress_bar(f"unpacking {os.path.basename(str(name))}", size) as bar:
            for piece in pieces(file):
                plain.write(piece)
                bar.update(file.tell() - bar.n)
                if plain.tell() > max(FREE, MAX_RATIO * size):
                    raise DataError(bomb(name))
        plain.flush()
    except BaseException:
        plain.close()
        raise
    return plain


def bomb(name: object) -> str:
    """What is said of a file that unpacks to far more than is there."""
    return (
        f"{name}: more than {MAX_RATIO} times its size when unpacked, a decompression bomb? Images "
        "do not shrink so much; unpack it yourself"
    )


def _gzip(file: IO[bytes]) -> Iterator[bytes]:
    with gzip.open(file) as packed:
        while piece := packed.read(CHUNK):
            yield piece


def _bzip2(file: IO[bytes]) -> Iterator[bytes]:
    with _module("bz2").open(file) as packed:
        while piece := _read_bzip2(packed):
            yield piece


def _read_bzip2(packed: IO[bytes]) -> bytes:
    try:
        return packed.read(CHUNK)
    except OSError as error:  # also what the disk says, which has a number
        if error.errno is None:
            raise ValueError(str(error)) from error
        raise


def _xz(file: IO[bytes]) -> Iterator[bytes]:
    """lzma.open has no limit of memory, and the file says how much it wants."""
    lzma = _module("lzma")
    data = b""
    while data := data.lstrip(b"\0") or file.read(CHUNK):  # streams, with zeros between them
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
        try:
            while not stream.eof:
                if not data and stream.needs_input and not (data := file.read(CHUNK)):
                    raise EOFError("it ends within a stream")
                yield stream.decompress(data, CHUNK)
                data = b""
        except lzma.LZMAError as error:
            raise ValueError(str(error)) from error
        data = stream.unused_data


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f"this Python was built without {name}: unpack it yourself") from error


_KINDS = {b"\x1f\x8b": _gzip, b"BZh": _bzip2, b"\xfd7zXZ\0": _xz}
