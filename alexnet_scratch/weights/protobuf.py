"""The wire format of protocol buffers, as far as files of weights need it.

A message is a row of fields: a key (the field's number and how it is stored), then a number or a
run of bytes. What a field means stands in a schema that is not in the file: callers know numbers.
Nothing is copied: a run of bytes is a span of the file until it is asked for, of any length; what
has to be stepped through one by one has a limit.

Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .stored import Stored

STEPS, PER_STEP = 40_000, 128  # fields that a file may have, and one more for so many bytes
MOST_LAYERS = 2_500  # of a network, and most tensors; DenseNet-121 has 910 and 836
MOST_TEXT = 10_000  # bytes of a name
VARINT, FIXED64, RUN, FIXED32 = 0, 1, 2, 5


class _File:
    """What all messages of a file share; `steps`: those that are left."""

    def __init__(self, stored: Stored) -> None:
        self.stored, self.data = stored, stored.bytes.data
        self.steps = STEPS + stored.size // PER_STEP


class Message:
    """A span of a file that is taken for a message, or a text, or packed numbers: as whatever it is
    read. ValueError for what it is not."""

    __slots__ = ("_file", "end", "start")

    def __init__(self, file: _File, start: int, end: int) -> None:
        self._file, self.start, self.end = file, start, end

    @property
    def stored(self) -> Stored:
        return self._file.stored

    def fields(self) -> Iterator[tuple[int, Any]]:
        """(number, value) of each field in its order: an int, a `Message`, or the bytes of a
        number of fixed width."""
        at = self.start
        while at < self.end:
            self._step()
            key, at = self._varint(at)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise ValueError("a field of number 0: not protobuf, or damaged")
            if kind == VARINT:
                value, at = self._varint(at)
                yield number, value
                continue
            if kind == RUN:
                size, at = self._varint(at)
            elif kind in (FIXED32, FIXED64):
                size = 4 if kind == FIXED32 else 8
            else:
                raise ValueError(f"a field of the unknown kind {kind}: not protobuf, or damaged")
            if at + size > self.end:
                raise ValueError("it ends too early, or a length in it is damaged")
            part = Message(self._file, at, at + size)
            yield number, part if kind == RUN else part.bytes()
            at += size

    def grouped(self) -> Fields:
        """All fields by their numbers."""
        found = Fields()
        for number, value in self.fields():
            found.setdefault(number, []).append(value)
        return found

    def bytes(self) -> bytes:
        """What it holds, copied: for what is short."""
        return self.stored.bytes[self.start : self.end].tobytes()

    def text(self, most: int = MOST_TEXT) -> str:
        """It as a text of at most so many bytes. ValueError for a longer one, or no UTF-8."""
        if self.end - self.start > most:
            raise ValueError(f"a text of {self.end - self.start:,} bytes, at most {most:,}")
        return self.bytes().decode()

    def numbers(self, dtype: str) -> NDArray[Any]:
        """It as packed numbers of a fixed width, a view of the file."""
        width = np.dtype(dtype).itemsize
        if (self.end - self.start) % width:
            raise ValueError(f"{self.end - self.start} bytes are no numbers of {width} bytes each")
        return self.stored.numbers(self.start, (self.end - self.start) // width, dtype)

    def varints(self) -> list[int]:
        """It as packed whole numbers of 64 bits, with their signs."""
        found, at = [], self.start
        while at < self.end:
            self._step()
            value, at = self._varint(at)
            found.append(_signed(value))
        return found

    def _step(self) -> None:
        self._file.steps -= 1
        if self._file.steps < 0:
            raise ValueError("more fields and numbers in lists than a network's weights need")

    def _varint(self, at: int) -> tuple[int, int]:
        """(value, where it ends): seven bits a byte, the lowest first, at most ten bytes."""
        value, data = 0, self._file.data
        for shift in range(0, 70, 7):
            if at >= self.end:
                break
            byte = data[at]
            value |= (byte & 127) << shift
            at += 1
            if byte < 128:
                return value & (2**64 - 1), at
        raise ValueError("it ends within a number, or a number is damaged")


def open_message(path: str) -> Message:
    """A file as one message. ValueError for an empty one."""
    file = _File(Stored(path))
    return Message(file, 0, file.stored.size)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


class Fields(dict[int, list[Any]]):
    """The values of a message's fields by number; of a field that stands once, the last counts.
    ValueError for one that is stored as something else than what is asked for."""

    def messages(self, number: int) -> list[Message]:
        """Those that are messages."""
        found = self.get(number, [])
        if not all(isinstance(value, Message) for value in found):
            raise ValueError(f"field {number} is not stored as a message or a text")
        return found

    def message(self, number: int) -> Message | None:
        return ([None, *self.messages(number)])[-1]

    def texts(self, number: int) -> list[str]:
        return [value.text() for value in self.messages(number)]

    def text(self, number: int) -> str:
        return (["", *self.texts(number)])[-1]

    def integers(self, number: int) -> list[int]:
        """Whole numbers with their signs, of which each value may be one or many in a row."""
        found: list[int] = []
        for value in self.get(number, []):
            if isinstance(value, Message):
                found += value.varints()
            elif isinstance(value, int):
                found.append(_signed(value))
            else:
                raise ValueError(f"field {number} is not stored as a whole number")
        return found

    def integer(self, number: int, default: int = 0) -> int:
        return ([default, *self.integers(number)])[-1]

    def number(self, number: int, default: float) -> float:
        """A float of 32 bits."""
        if number not in self:
            return default
        value = self[number][-1]
        if not isinstance(value, bytes) or len(value) != 4:
            raise ValueError(f"field {number} is not stored as a number of 32 bits")
        return float(struct.unpack("<f", value)[0])
