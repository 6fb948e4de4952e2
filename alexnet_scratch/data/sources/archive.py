"""Archives as trees of files: an index of where each member's bytes are, then plain reads.

Nothing is unpacked but what has no other way to its middle, a tar that is packed as a whole: once,
to one temporary file. Threads share it: `os.pread` reads at a position of its own, without a lock.

An archive may be made to harm. Whatever it claims has a limit before memory is taken for it: the
headers of a member, the list of a zip, names, their number, and what all of it unpacks to.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import stat
import struct
import tarfile
import tempfile
import threading
import zipfile
import zlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NoReturn

from ..disk import FULL
from ..image import BadImageError, DataError, check_plain, checked
from ..source import LeftOut
from . import packing
from .tree import CLASS_TAR, KNOWN, MAX_DEPTH, Tree, hidden, is_leaving

BLOCK = 512  # bytes, of a tar
_LOCAL = 30  # bytes before the name in the header of a zip's member
FREE_FILE = 4 << 20  # bytes that one file in a zip may unpack to, however small it is
MAX_HEADERS = 1 << 20  # bytes of a tar's headers for one member: long names, records, sparse maps
MAX_LIST = 1 << 29  # bytes of a zip's list of members: three million long names
MAX_MEMBERS = 3_000_000  # of a zip, which are objects of 700 bytes for a while; Kaggle's has two
MAX_NAME = 4096  # letters, as a path on Linux may have
MAX_NAMES = 1 << 29  # letters of all names: ImageNet's 14 million images have less
_GLOBAL = 100  # records that a tar may hold for all members, which each one copies
_UNKNOWN = {b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"\x28\xb5\x2f\xfd": "zstd"}
SEEKING = threading.Lock()
_DIGITS = re.compile(rb"\d{128}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def open_archive(path: Path) -> Tree:
    """The tree in a zip or a tar, which may be packed as a whole. DataError for other files."""
    with _told(path):
        check_plain(path)
        with open(path, "rb") as file:
            start = file.read(6)
    for mark, kind in _UNKNOWN.items():
        if start.startswith(mark):
            raise DataError(
                f"{path}: packed as {kind}, expected .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz: "
                "unpack it, and give the folder"
            )
    return ZipTree(path) if start[:4] in (b"PK\3\4", b"PK\5\6") else TarTree(path, [(path, "")])


class TarTree:
    """The files in tars, each tar's below its own prefix; packed as a whole or not.

    A member nNNNNNNNN.tar is a folder of that name without ".tar", read in place.
    DataError for a file that is no tar, one that is cut off, and members that are refused.
    """

    in_files = False

    def __init__(self, path: Path, archives: Sequence[tuple[Path, str]]) -> None:
        self.path = path
        self.names: list[str] = []
        self.passed: list[LeftOut] = []
        self._files: list[tuple[Path, IO[bytes]]] = []
        self._where = array("q")  # for each name: which file, offset, size
        try:
            for archive, prefix in archives:
                self._add(archive, prefix)
        except BaseException:
            self.close()
            raise

    def read(self, position: int) -> bytes:
        """The bytes of the file names[position]."""
        number, offset, size = self._where[3 * position : 3 * position + 3]
        path, file = self._files[number]
        return read_member(file, offset, size, f"{path}: {self.names[position]!r}")

    def size(self, position: int) -> int:
        """The bytes that the file names[position] has."""
        return self._where[3 * position + 2]

    def part(self, position: int, offset: int, size: int) -> bytes:
        """Some bytes of the file names[position]."""
        number, start = self._where[3 * position : 3 * position + 2]
        path, file = self._files[number]
        return read_member(file, start + offset, size, f"{path}: {self.names[position]!r}")

    def close(self) -> None:
        """Close the files; a temporary one is gone then."""
        for _, file in self._files:
            file.close()

    def _add(self, path: Path, prefix: str) -> None:
        with _told(path):
            file = _open_tar(path)
            self._files.append((path, file))
            end = file.seek(0, os.SEEK_END)
            file.seek(0)
            letters = 0
            for name, offset, size in _tar_members(file, path, end, self.passed):
                letters = _count_letters(path, letters, name)
                self.names.append(prefix + name)
                self._where.extend((len(self._files) - 1, offset, size))


class ZipTree:
    """The files in a zip. DataError for one that is cut off, and members that are refused."""

    in_files = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []
        self.passed: list[LeftOut] = []
        self._where = array("q")  # for each name: where its header is, packed size, size, CRC
        self._plain: dict[int, IO[bytes]] = {}  # of members, unpacked
        self._unpacking = threading.Lock()
        with _told(path):
            self._file = open(path, "rb")  # noqa: SIM115
            try:
                with zipfile.ZipFile(ZipHeaders(self._file, MAX_LIST)) as archive:
                    self._check_sizes(archive.infolist())
                    letters = 0
                    for member in archive.infolist():
                        letters = _count_letters(path, letters, member.filename)
                        self._add(member)
            except BaseException:
                self.close()
                raise

    def read(self, position: int) -> bytes:
        """The bytes of the file names[position]."""
        # ZipFile.read would keep a heavy object per member, and count its users without a lock.
        packed, size, crc = self._where[4 * position + 1 : 4 * position + 4]
        where = f"{self.path}: {self.names[position]!r}"
        deflated, start = self._begin(position, where)
        data = read_member(self._file, start, packed, where)
        if deflated:
            try:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
                    data, checked(size, where) + 1
                )
            except zlib.error as error:
                raise BadImageError(f"{where}: damaged ({error})") from error
        if len(data) != size or zlib.crc32(data) != crc:
            raise BadImageError(f"{where}: damaged: its checksum does not match")
        return data

    def size(self, position: int) -> int:
        """The bytes that the file names[position] has."""
        return self._where[4 * position + 2]

    def part(self, position: int, offset: int, size: int) -> bytes:
        """Some bytes of the file names[position]; of one that is deflated all is unpacked once."""
        where = f"{self.path}: {self.names[position]!r}"
        deflated, start = self._begin(position, where)
        if not deflated:
            return read_member(self._file, start + offset, size, where)
        with self._unpacking:
            if position not in self._plain:
                self._plain[position] = self._inflated(position, start, where)
        return read_member(self._plain[position], offset, size, where)

    def close(self) -> None:
        """Close the file; temporary ones are gone then."""
        for file in (self._file, *self._plain.values()):
            file.close()

    def _begin(self, position: int, where: str) -> tuple[bool, int]:
        """Is a member deflated, and where its bytes begin. BadImageError for one that swells."""
        offset, packed, size = self._where[4 * position : 4 * position + 3]
        if size > max(FREE_FILE, packing.MAX_RATIO * packed):
            raise BadImageError(
                f"{where}: more than {packing.MAX_RATIO} times its size when unpacked, a "
                "decompression bomb? Images do not shrink so much"
            )
        header = read_member(self._file, offset, _LOCAL, where)
        method, name, extra = struct.unpack("<8xH16xHH", header)
        return method == zipfile.ZIP_DEFLATED, offset + _LOCAL + name + extra

    def _inflated(self, position: int, start: int, where: str) -> IO[bytes]:
        """A temporary file with a member's bytes."""
        packed, size = self._where[4 * position + 1 : 4 * position + 3]
        plain, unpacker = tempfile.TemporaryFile(), zlib.decompressobj(-zlib.MAX_WBITS)  # noqa: SIM115
        try:
            for at in range(start, start + packed, packing.CHUNK):
                piece = min(packing.CHUNK, start + packed - at)
                data = read_member(self._file, at, piece, where)
                while data and plain.tell() <= size:
                    plain.write(unpacker.decompress(data, packing.CHUNK))
                    data = unpacker.unconsumed_tail
            if plain.tell() != size:
                raise BadImageError(f"{where}: damaged: it has another size than it says")
            plain.flush()
        except zlib.error as error:
            plain.close()
            raise BadImageError(f"{where}: damaged ({error})") from error
        except BaseException:
            plain.close()
            raise
        return plain

    def _check_sizes(self, members: list[zipfile.ZipInfo]) -> None:
        """DataError for members that unpack to far more than is there, or share their bytes."""
        size = os.fstat(self._file.fileno()).st_size
        most = max(packing.FREE, packing.MAX_RATIO * size)
        if sum(member.file_size for member in members) > most:
            raise DataError(packing.bomb(self.path))
        end = 0
        for member in sorted(members, key=lambda member: member.header_offset):
            if member.header_offset < end:
                _refuse(self.path, member.filename, "it shares its bytes with another member")
            end = member.header_offset + _LOCAL + member.compress_size

    def _add(self, member: zipfile.ZipInfo) -> None:
        # Some zips made on Windows have its separator.
        plain = member.filename.replace("\\", "/")
        name = _clean(self.path, plain, plain.endswith("/"), self.passed)
        file_type = stat.S_IFMT(member.external_attr >> 16)  # 0 where it was not made on Unix
        if file_type not in (0, stat.S_IFREG, stat.S_IFDIR):
            _refuse(self.path, member.filename, "it is a link or a device")
        if member.flag_bits & 1 or member.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            _refuse(self.path, member.filename, "it is encrypted or packed in an unusual way")
        if name:
            self.names.append(name)
            place = (member.header_offset, member.compress_size, member.file_size, member.CRC)
            self._where.extend(place)


class _Headers:
    """A file whose headers are read, not more than `most` bytes of them before the next `renew`."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._most, self._left = file, most, most
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size < 0:  # all the rest
            here = self._file.tell()
            size = self._file.seek(0, os.SEEK_END) - here
            self._file.seek(here)
        self._left -= size
        if self._left < 0:
            raise ValueError(f"more than {self._most} bytes of headers")
        return self._file.read(size)

    def renew(self) -> None:
        self._left = self._most


class ZipHeaders(_Headers):
    """Of a list of short names, which zipfile reads whole, there are ten million in `MAX_LIST`."""

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        if data.count(b"PK\1\2") > MAX_MEMBERS:
            raise ValueError(f"more than {MAX_MEMBERS} members")
        return data


class _TarHeaders(_Headers):
    """Of n digits in a row tarfile makes n*n steps, before Python 3.11.10 (CVE-2024-6232)."""

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        if _DIGITS.search(data):
            raise ValueError("a header of hundreds of digits")
        return data


def _tar_members(
    file: IO[bytes], path: Path, end: int, passed: list[LeftOut], inner: bool = False
) -> Iterator[tuple[str, int, int]]:
    """(name, offset, size) of the members of the tar that is in `file` from here up to `end`.

    Hidden ones are added to `passed`. inner: is it a class tar, in which there are no others?
    """
    before = -1
    headers = _TarHeaders(file, MAX_HEADERS)
    with tarfile.open(fileobj=headers, mode="r:") as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            headers.renew()
            tar.members.clear()  # or it keeps all, a kilobyte each
            if len(tar.pax_headers) > _GLOBAL:
                raise tarfile.ReadError(f"more than {_GLOBAL} records for all members")
            offset, size = member.offset_data, member.size
            if size < 0 or offset <= before or offset + size > end:
                raise tarfile.ReadError(f"it ends within {member.name!r}")
            before = offset
            if not (member.isdir() or (member.isreg() and not member.issparse())):
                _refuse(path, member.name, "it is a link or a device")
            name = _clean(path, member.name, member.isdir(), passed)
            if CLASS_TAR.fullmatch(name.rpartition("/")[2]) and not inner:
                folder = f"{name.removesuffix('.tar')}/"
                yield folder, offset, 0
                file.seek(offset)
                for below, place, length in _tar_members(file, path, offset + size, passed, True):
                    yield folder + below, place, length
            elif name:
                yield name, offset, size
        # tarfile takes a damaged header, and the end of the file, for the end of the tar.
        if tar.offset + BLOCK > end or any(_read_at(file, tar.offset, BLOCK)):
            raise tarfile.ReadError(f"no end after {before} bytes")


def _clean(path: Path, name: str, folder: bool, passed: list[LeftOut]) -> str:
    """A member's name as in `Tree.names`, "" for one that is left out. DataError if not safe."""
    if len(name) > MAX_NAME or name.count("/") > MAX_DEPTH:
        _refuse(path, name, f"its name has {len(name)} letters and {name.count('/')} folders")
    parts = name.split("/")
    plain = name.replace("\\", "/")
    if ".." in plain.split("/") or plain.startswith("/") or plain[1:3] == ":/":
        _refuse(path, name, "its name leads out of the archive")
    parts = [part for part in parts if part not in ("", ".")]
    if not parts and not folder:
        _refuse(path, name, "it has no name")
    if any(hidden(part) for part in parts):
        if not folder and not any(is_leaving(part) for part in parts):
            passed.append(LeftOut("/".join(parts), "hidden"))
        return ""
    if _CONTROL.search(name):
        _refuse(path, name, "its name has control characters")
    return "/".join(parts) + "/" * (folder and bool(parts))


def _count_letters(path: Path, before: int, name: str) -> int:
    """`before` and the letters of a name. DataError if a tree cannot have so many."""
    if before + len(name) > MAX_NAMES:
        raise DataError(f"{path}: more than {MAX_NAMES} letters in names; expected a set of images")
    return before + len(name)


def _refuse(path: Path, member: str, why: str) -> NoReturn:
    shown = repr(member if len(member) <= 200 else f"{member[:200]}...")
    raise DataError(
        f"{path}: {shown} is refused: {why}; expected plain files and folders only: unpack the "
        "archive yourself if you trust it, and give the folder"
    )


def _open_tar(path: Path) -> IO[bytes]:
    """The file, or a temporary one with what is packed in it."""
    file = open(path, "rb")  # noqa: SIM115
    try:
        plain = packing.unpacked(path, file, os.fstat(file.fileno()).st_size)
    except BaseException:
        file.close()
        raise
    if plain is None:
        return file
    file.close()
    return plain


def tar_index(path: str | os.PathLike[str], passed: list[LeftOut]) -> list[tuple[str, int, int]]:
    """(name, offset, size) of the members of a tar that is not gzipped; hidden ones to `passed`."""
    path = Path(path)
    with _told(path), open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        return list(_tar_members(file, path, end, passed))


def read_member(file: IO[bytes], offset: int, size: int, where: str) -> bytes:
    """These bytes of an archive. BadImageError, which names `where`, if they are not all there."""
    try:
        data = _read_at(file, offset, checked(size, where))
    except OSError as error:
        raise BadImageError(f"{where}: {error.strerror}") from error
    if len(data) != size:
        raise BadImageError(f"{where}: cut short, the archive has changed since it was opened")
    return data


def _read_at(file: IO[bytes], offset: int, size: int) -> bytes:
    if hasattr(os, "pread"):
        data: bytes = os.pread(file.fileno(), size, offset)
        return data
    with SEEKING:  # Windows has none
        file.seek(offset)
        return file.read(size)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong with an archive, as a DataError that names it."""
    try:
        yield
    except DataError:
        raise
    except (tarfile.ReadError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"{path}: cut off, damaged, or no archive ({error}); download or copy it again; "
            f"expected {KNOWN}"
        ) from error
    except OSError as error:
        if error.errno in FULL:
            raise DataError(
                f"disk full: {tempfile.gettempdir()}, where {path} is unpacked to be read; free "
                "some space there, or set TMPDIR to a folder with more"
            ) from error
        raise DataError(f"{path}: {error.strerror or error}; it must be readable") from error
    except (ValueError, OverflowError, RecursionError, NotImplementedError, struct.error) as error:
        raise DataError(
            f"{path}: damaged ({type(error).__name__}: {error}); download or copy it again"
        ) from error
