"""A file that TensorBoard reads, written without it: scalars by step and by epoch.

A record is the length of its data (8 bytes), its checksum, the data, their checksum; the data are
a protocol-buffer message, of which a scalar needs three kinds of fields. Sources: TensorFlow's
core/lib/io/record_writer.cc, core/util/event.proto and core/framework/summary.proto.
"""

from __future__ import annotations

import functools
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from minigrad.files import replacing

from .log import GrowingFile
from .metrics import EpochMetrics

FILE = "events.out.tfevents.run"  # TensorBoard looks for "tfevents" in a name
LOSS, RATE, EPOCH = "step/loss", "step/lr", "epoch/"
_POLYNOMIAL = 0x82F63B78  # CRC-32C, Castagnoli's, bits reversed
_DOUBLE_TIME, _VARINT_STEP = 0x09, 0x10  # the first byte of an event's first two fields


class Events:
    """The event file of a run; what is added is on the disk after `flush`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = GrowingFile(path)
        self._waiting = bytearray()

    def begin(self, step: int, rows: Sequence[EpochMetrics]) -> None:
        """Leave the steps up to `step`, which a killed run does not do again, and these epochs."""
        data = self.path.read_bytes() if self.path.is_file() else b""
        kept = [_record(_message(time.time(), 0, version=True))]
        kept += [record for record in _records(data) if _is_step_until(step, record)]
        kept += self._epochs(rows)
        with replacing(self.path) as temporary:
            Path(temporary).write_bytes(b"".join(kept))

    def steps(self, last: int, losses: Sequence[float], lr: float) -> None:
        """The losses of the steps up to `last`, and the rate of the last one."""
        for step, loss in enumerate(losses, last - len(losses) + 1):
            values = {LOSS: loss, RATE: lr} if step == last else {LOSS: loss}
            self._waiting += _record(_message(time.time(), step, values))

    def epoch(self, row: EpochMetrics) -> None:
        """What an epoch came to, at its number."""
        self._waiting += self._epochs([row])[0]

    def flush(self) -> None:
        """Write what is there. Raises OSError; then it waits for the next time."""
        waiting, self._waiting = bytes(self._waiting), bytearray()
        self._file.add(waiting)

    def _epochs(self, rows: Sequence[EpochMetrics]) -> list[bytes]:
        ends = time.time()
        found = []
        for row in reversed(rows):  # each ended when the one after it began
            values = {
                f"{EPOCH}{name}": getattr(row, name)
                for name in ("train_loss", "train_top1", "val_loss", "val_top1", "val_top5")
            }
            found.append(_record(_message(ends, row.epoch, values)))
            ends -= row.seconds
        return found[::-1]


def crc32c(data: bytes) -> int:
    """The checksum of RFC 3720."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@functools.cache
def _table() -> tuple[int, ...]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


def _masked(data: bytes) -> bytes:
    """The checksum as a record has it: turned by 15 bits, so that it is none of itself."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _record(message: bytes) -> bytes:
    length = struct.pack("<Q", len(message))
    return length + _masked(length) + message + _masked(message)


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a file, up to the first that is not whole."""
    at = 0
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        end = at + 16 + length
        message = data[at + 12 : end - 4]
        if end > len(data) or data[end - 4 : end] != _masked(message):
            return
        yield data[at:end]
        at = end


def _is_step_until(last: int, record: bytes) -> bool:
    """Is it one of `Events.steps`, of a step up to `last`?"""
    message = record[12:-4]
    if LOSS.encode() not in message or message[0] != _DOUBLE_TIME or message[9] != _VARINT_STEP:
        return False
    step = shift = 0
    for byte in message[10:]:
        step |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return step <= last


def _message(
    seconds: float, step: int, values: Mapping[str, float] | None = None, version: bool = False
) -> bytes:
    """An Event: wall_time = 1, step = 2, file_version = 3, summary = 5."""
    event = bytes([_DOUBLE_TIME]) + struct.pack("<d", seconds)
    event += bytes([_VARINT_STEP]) + _varint(step)
    if version:
        return event + _field(3, b"brain.Event:2")
    summary = b"".join(
        # A Value: tag = 1, simple_value = 2, a float.
        _field(1, _field(1, tag.encode()) + b"\x15" + struct.pack("<f", value))
        for tag, value in (values or {}).items()
    )
    return event + _field(5, summary)


def _field(number: int, data: bytes) -> bytes:
    """A field of bytes, a text or a message."""
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the high bit says that there are more."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
