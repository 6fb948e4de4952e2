"""MAT-files of MATLAB 5 and later, as far as ILSVRC2012's development kit needs them.

A file is a header of 128 bytes and then elements: a tag (type, bytes), the data, and padding to a
multiple of 8. A type of `_NUMBERS` is an array of numbers, `_COMPRESSED` is zlib's form of another
element, `_MATRIX` is a variable: flags, dimensions, name and contents, each an element again.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np

_HEADER = 128
_MOST = 16 << 20  # bytes of all variables, unpacked; those of the kit take 2 MB
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
            13: "u8"}  # fmt: skip
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}
_MATRIX, _COMPRESSED = 14, 15
# Classes of a matrix. MATLAB stores numbers of any class in the smallest type that holds them.
_STRUCT, _CHAR, _NUMERIC = 2, 4, range(6, 16)
_COMPLEX = 0x800


class _Element(NamedTuple):
    type: int
    data: bytes
    end: int  # where the next one begins


def load_mat(data: bytes) -> dict[str, Any]:
    """The variables of a little-endian MAT-file of version 5 by their names.

    A struct array is a list of dicts, in MATLAB's order (by columns); a row of characters a string;
    numbers an array of their dimensions.

    Raises ValueError for damaged bytes, for what unpacks to more than `_MOST`, and for what the kit
    does not hold: other versions and byte orders, cells, objects, sparse and complex matrices, and
    structs inside of structs.
    """
    if len(data) > _MOST:
        raise ValueError(f"{len(data)} bytes, expected at most {_MOST}")
    if len(data) < _HEADER or data[126:128] != b"IM":
        raise ValueError("not a little-endian MAT-file of version 5: its bytes 126 and 127 differ")
    variables, at, left = {}, _HEADER, _MOST
    while at < len(data):
        element = _element(data, at)
        at = element.end
        if element.type == _COMPRESSED:
            inflated = _inflated(element.data, left)
            left -= len(inflated)
            element = _element(inflated, 0)
        name, value = _matrix(element)
        variables[name] = value
    return variables


def _element(data: bytes, at: int) -> _Element:
    if at + 8 > len(data):
        raise ValueError("it ends too early")
    kind, size = struct.unpack_from("<II", data, at)
    if kind >> 16:  # a small one: up to four bytes of data, in the tag itself
        kind, size, begin, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if size > 4:
            raise ValueError(f"a small element says that it holds {size} bytes, at most 4 fit")
    else:
        begin = at + 8
        end = begin + size + (0 if kind == _COMPRESSED else -size % 8)
    if begin + size > len(data):
        raise ValueError(f"it ends too early: an element says that it holds {size} bytes")
    return _Element(kind, data[begin : begin + size], end)


def _inflated(data: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise ValueError(f"a compressed element is damaged ({error})") from error
    if len(found) > most:
        raise ValueError(f"more than {_MOST} bytes when unpacked")
    if not unpacker.eof:
        raise ValueError("a compressed element is cut short")
    return found


def _matrix(element: _Element, in_struct: bool = False) -> tuple[str, Any]:
    """The name and the value of a variable, or of a field, whose name is empty."""
    if element.type != _MATRIX:
        raise ValueError(f"an element of type {element.type}, expected {_MATRIX}, a matrix")
    if not element.data:  # MATLAB's short form of an empty matrix
        return "", np.zeros((0, 0))
    flags, shape, name, *rest = _parts(element.data)
    kind, dims = _integers(flags)[0], _integers(shape)
    if min(dims) < 0:
        raise ValueError(f"a matrix of dimensions {dims}")
    title = _text(name)
    if kind & 0xFF == _STRUCT and not in_struct:
        return title, _structs(rest, math.prod(dims))
    if kind & 0xFF == _CHAR and rest and (len(dims), dims[0]) in ((2, 0), (2, 1)):
        return title, _text(rest[0])
    if kind & 0xFF in _NUMERIC and rest and not kind & _COMPLEX:
        values = _numbers(rest[0])
        if values.size != math.prod(dims):
            raise ValueError(f"{values.size} numbers in a matrix of dimensions {dims}")
        return title, values.reshape(dims, order="F")
    where = " in a struct" if in_struct else ""
    raise ValueError(f"a matrix of class {kind & 0xFF} and dimensions {dims}{where}: not supported")


def _parts(data: bytes) -> list[_Element]:
    """The elements that a matrix consists of."""
    parts, at = [], 0
    while at < len(data):
        parts.append(_element(data, at))
        at = parts[-1].end
    if len(parts) < 3:
        raise ValueError(f"a matrix of {len(parts)} elements, expected at least 3")
    return parts


def _structs(rest: list[_Element], count: int) -> list[dict[str, Any]]:
    """`rest`: the length of a field's name, all names, then the fields of one struct after another.

    Names are padded with zeros to that length.
    """
    if len(rest) < 2:
        raise ValueError("structs without names of fields")
    length, names = _integers(rest[0])[0], rest[1].data
    starts = range(0, len(names), length) if length > 0 else ()
    fields = [names[i : i + length].split(b"\0")[0].decode("latin-1") for i in starts]
    if not fields or len(rest) - 2 != count * len(fields):
        raise ValueError(f"{len(rest) - 2} fields in {count} structs of {len(fields)} fields each")
    values = iter([_matrix(element, in_struct=True)[1] for element in rest[2:]])
    return [{field: next(values) for field in fields} for _ in range(count)]


def _numbers(element: _Element) -> Any:
    """The numbers of an element, one after another."""
    dtype = np.dtype(_NUMBERS.get(element.type, "V")).newbyteorder("<")
    if element.type not in _NUMBERS or len(element.data) % dtype.itemsize:
        raise ValueError(f"{len(element.data)} bytes of type {element.type} are no numbers")
    return np.frombuffer(element.data, dtype)


def _integers(element: _Element) -> list[int]:
    """The numbers of an element that describes others; at least one."""
    numbers = _numbers(element)
    if not numbers.size or numbers.dtype.kind not in "iu":
        raise ValueError(f"type {element.type} with {numbers.size} numbers, expected integers")
    return [int(number) for number in numbers]


def _text(element: _Element) -> str:
    if element.type not in _TEXT:
        raise ValueError(f"characters of type {element.type}")
    try:
        return element.data.decode(_TEXT[element.type])
    except UnicodeDecodeError as error:
        raise ValueError(f"characters that are damaged ({error})") from error
