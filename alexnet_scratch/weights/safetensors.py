"""Weights in safetensors, of any program: the library checks the file, the tensors stay in it."""

from __future__ import annotations

from typing import Any

from minigrad.serialization import CHECKSUM, CheckpointError, load_file, load_metadata, parse_json

from .file import WeightFile
from .stored import BFLOAT16, Stored

MOST_HEADER = 1 << 18  # bytes of a header, and as many as a share of the file
_SHARE = 16
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16, "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def read_safetensors(path: str) -> WeightFile:
    """The tensors and the metadata.

    CheckpointError as for `load_file`, for a dtype that NumPy lacks and for a file without tensors.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        size = file.seek(0, 2)
        if MOST_HEADER + size // _SHARE < length <= size - 8:
            raise CheckpointError(
                f"{path}: a header of {length:,} bytes in a file of {size:,}: no network needs one"
            )
        facts: dict[str, Any] = dict(load_metadata(path))  # which checks the header, too
        file.seek(8)
        header = parse_json(file.read(length))
    if CHECKSUM in (header.pop("__metadata__", None) or {}):
        load_file(path)  # compares it
    if not header:
        raise CheckpointError(f"{path}: holds no tensor, expected a network's weights")
    stored, start = Stored(path), 8 + length
    tensors = {}
    for name, entry in header.items():
        dtype = _DTYPES.get(entry["dtype"])
        if dtype is None:
            raise CheckpointError(
                f"{path}: {name!r:.80} is of dtype {entry['dtype']}, which is not read here: "
                "convert the file to float32 with the program that wrote it"
            )
        begin, end = entry["data_offsets"]
        try:
            count = (end - begin) // (2 if dtype == BFLOAT16 else int(dtype[-1:].replace("?", "1")))
            numbers = stored.numbers(start + begin, count, dtype)
            tensors[name] = stored.array(numbers, dtype, 0, entry["shape"])
        except ValueError as error:
            raise CheckpointError(f"{path}: {name!r:.80}: {error}") from error
    return WeightFile(tensors, "safetensors", facts)
