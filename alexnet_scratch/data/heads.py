"""What stands in the head of a JPEG or a TIFF: may a decoder see it, and its EXIF orientation.

Read before a decoder sees the file, or in its place: files may be made to harm, and Pillow's own
reader warns or fails where EXIF data is damaged.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

_COUNT = 100_000  # numbers in one tag of a TIFF, as of its strips: Pillow makes objects of them
_TAGS = 1 << 19  # of a TIFF, which has a dozen
_EXIFS = 64  # pieces of EXIF data in a JPEG, of 64 KB each; cameras write one
_SCANS = 100  # of a JPEG, as libtiff allows; each goes over all pixels. Programs write a dozen
_SEGMENTS = 4096  # of a JPEG before its pixels; a photo has a dozen, with colour profiles hundreds
_BARE = frozenset((*range(0xC0), *range(0xD0, 0xDA), 0xFF))  # no markers of a segment with a length
EXIF, _ORIENTATION = b"Exif\0\0", 0x0112


def exif_of_jpeg(data: bytes) -> list[int]:
    """Where there is EXIF data in a JPEG, as far as that is known.

    ValueError for more pieces of it, or more scans, than any real one has.
    """
    exifs, colours = [], b""
    scans = pieces = 0
    for marker, at in _segments(data):
        if marker == 0xE1 and data.startswith(EXIF, at):
            exifs.append(at)
        elif marker in (0xC0, 0xC1):  # the frame of one that is not progressive
            colours = data[at + 5 : at + 6]
        elif marker == 0xDA and data[at : at + 1] == colours:
            scans = 1  # of all its colours, so there can be no more: most photos
    if not scans:  # or it cannot be told; marks within other data are counted, too
        pieces, scans = data.count(EXIF), data.count(b"\xff\xda")
    if max(pieces, len(exifs)) > _EXIFS:  # they are joined, and made objects of
        raise ValueError(f"EXIF data in more than {_EXIFS} pieces")
    if scans > _SCANS:
        raise ValueError(f"{scans} scans, expected at most {_SCANS}")
    return exifs


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """(marker, where its data begins) of a JPEG's segments up to its first scan.

    It ends before that where something else is in between, or after `_SEGMENTS`.
    """
    at = 2
    for _ in range(_SEGMENTS):
        if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] in _BARE:
            return
        yield data[at + 1], at + 4
        if data[at + 1] == 0xDA:
            return
        at += 2 + (data[at + 2] << 8 | data[at + 3])


def check_tiff(data: bytes) -> None:
    """ValueError for a TIFF whose tags hold more numbers than those of any real one."""
    for tag, kind, count, _ in _tags(data):
        # Text and bytes stay as they are, but where they tell the places of strips and tiles.
        if count > _COUNT and (kind not in (1, 2, 7) or tag in (273, 324)):
            raise ValueError(f"{count} numbers in tag {tag}, expected at most {_COUNT}")


def _tags(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(tag, kind, count, its value or where that is) of a TIFF, or of EXIF data, which is one.

    Nothing of other data, and what there is of a damaged one: Pillow's own reader warns, or fails.
    """
    if data[:2] not in (b"II", b"MM") or not {42, 43}.intersection(data[2:4]):
        return
    order, big = "<>"[data[:2] == b"MM"], data[2] == 43  # both as Pillow sees them
    try:
        (at,) = struct.unpack_from(f"{order}{'Q' if big else 'L'}", data, 8 if big else 4)
        (tags,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, at)
    except (struct.error, OverflowError):
        return  # cut short
    entry, at = struct.Struct(order + ("HHQ8s" if big else "HHL4s")), at + (8 if big else 2)
    rest = memoryview(data)[at:]
    whole = min(tags, len(rest) // entry.size, _TAGS)
    yield from entry.iter_unpack(rest[: whole * entry.size])


def orientation(exif: Any) -> int:
    """How EXIF data says that an image is to be turned, 1 (as it is) to 8; 1 where it says nothing.

    exif: bytes, or what else Pillow has in their place. Of a TIFF it has none: it turns those.
    """
    if not isinstance(exif, bytes):
        return 1
    exif = exif.removeprefix(EXIF)
    for tag, kind, count, value in _tags(exif):
        if tag == _ORIENTATION and kind == 3 and count == 1:  # a number of 16 bits
            return int.from_bytes(value[:2], "big" if exif.startswith(b"MM") else "little")
    return 1
