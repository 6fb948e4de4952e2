"""Weights as PyTorch saves a state_dict: a zip with a pickle and the numbers.

The pickle is written step by step, in protocol 2 and of the few names that `torch.load` takes with
`weights_only=True`: an OrderedDict, and for each tensor a storage, where in it the tensor begins,
its shape and its strides. Source: torch/serialization.py and pickletools.
"""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.files import StrPath, replacing

ALIGNMENT = 64  # bytes at which PyTorch wants numbers to begin, to map the file into memory
STORAGES = {
    "float64": "DoubleStorage", "float32": "FloatStorage", "float16": "HalfStorage",
    "int64": "LongStorage", "int32": "IntStorage", "int16": "ShortStorage", "int8": "CharStorage",
    "uint8": "ByteStorage", "bool": "BoolStorage",
}  # fmt: skip
_HEADER = 30  # bytes of a zip member's header before its name
_ORDERED = b"ccollections\nOrderedDict\n)R"  # an empty one


def write_pth(
    path: StrPath, tensors: Mapping[str, NDArray[Any]], notes: Mapping[str, str] | None = None
) -> None:
    """Write arrays for `torch.load(path, weights_only=True)`, whole or not at all.

    notes: texts by name, files of the zip beside the pickle, which PyTorch passes over.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as file:

        def add(name: str, data: Any) -> None:
            member = zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0))  # the same each time
            end = file.start_dir + _HEADER + len(member.filename)
            rest = -(end + 4) % ALIGNMENT
            member.extra = b"FB" + struct.pack("<H", rest) + b"Z" * rest
            file.writestr(member, data)

        add("data.pkl", _pickle(arrays))
        add("byteorder", b"little")
        for name, text in (notes or {}).items():
            add(name, text)
        for key, array in enumerate(arrays.values()):
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            add(f"data/{key}", little.reshape(-1).view(np.uint8).data)
        add("version", b"3\n")


def _pickle(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    items = [_text(name) + _tensor(str(key), a) for key, (name, a) in enumerate(arrays.items())]
    return b"\x80\x02" + _ORDERED + b"(" + b"".join(items) + b"u."


def _tensor(key: str, array: NDArray[Any]) -> bytes:
    """_rebuild_tensor_v2(storage, 0, shape, strides, requires_grad=False, no hooks)."""
    storage = STORAGES.get(array.dtype.name)
    if storage is None:
        raise TypeError(f"a tensor of {array.dtype}, expected one of {', '.join(STORAGES)}")
    strides = list(accumulate(array.shape[:0:-1], lambda a, b: a * b, initial=1))[::-1]
    where = (
        _text("storage"), f"ctorch\n{storage}\n".encode(), _text(key), _text("cpu"),
        _number(math.prod(array.shape)),
    )  # fmt: skip
    arguments = (
        _tuple(where) + b"Q", _number(0), _tuple(map(_number, array.shape)),
        _tuple(map(_number, strides[: array.ndim])), b"\x89", _ORDERED,
    )  # fmt: skip
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + _tuple(arguments) + b"R"


def _tuple(items: Any) -> bytes:
    return b"(" + b"".join(items) + b"t"


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _number(number: int) -> bytes:
    if number < 1 << 31:
        return b"J" + struct.pack("<i", number)
    return b"\x8a\x08" + struct.pack("<q", number)
