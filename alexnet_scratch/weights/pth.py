"""PyTorch's files (torch.save): a zip with a pickle and the storages, or the form before 1.6.

The pickle describes tensors: a storage, where in it they begin, shape and strides. It is read by
`pickles`, which runs nothing, with the few names that a state_dict is made of.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigrad.serialization import CheckpointError

from ..data.sources.archive import ZipHeaders
from ..pickles import STEPS, Attributed, Makers, Name, load_pickle
from ..schema import json_of
from .file import WeightFile
from .stored import BFLOAT16, CutShortError, Stored

# A state_dict stands below one of these in a checkpoint with more in it.
INNER = ("state_dict", "model_state_dict", "model")
ALONE = "write its weights alone, with torch.save(model.state_dict(), FILE) or as safetensors"
NOTES = "alexnet.json"  # what a file of ours holds beside its tensors, as `alexnet export` writes
MOST_NOTES = 1 << 18  # bytes; 1,000 classes with their names have 80,000
AGAIN = "it is cut short or damaged: copy or download it again"
MAGIC = 0x1950A86A20F9469CFC6C  # what the form before 1.6 begins with
_LOCAL = struct.Struct("<4s22xHH")  # the header of a zip's member, up to the lengths of its names
_LIST = 1 << 18  # bytes of a zip's list of members, and a share of the file
_SHARE = 16
_FEW_STEPS = 20_000  # of a pickle; more in a larger file, of which they take no more than it has
_PER_STEP = 128
_DTYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16, "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2",
    "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip


@dataclass(eq=False)
class _Storage:
    """Numbers in a row that tensors share, `data` once it is known where they are."""

    dtype: str
    count: int
    data: NDArray[Any] | None = None


class _Tensor(NamedTuple):
    """What the pickle says of one."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


def _ordered(pairs: Any = ()) -> Attributed:
    """An empty dict, which is filled later, or as Python 2 has it a list of pairs."""
    found = Attributed()
    for key, value in pairs:
        if not isinstance(key, str | bytes | int):
            raise ValueError("a dict with other keys than texts")
        found[key] = value
    return found


NAMES: Makers = {
    "collections OrderedDict": _ordered,
    "torch._utils _rebuild_tensor": _tensor,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": lambda tensor, *_: tensor,
    "torch Size": lambda sizes: tuple(sizes),
    **{f"torch {name}": None for name in _DTYPES},
}


class _Storages(dict[str, _Storage]):
    """The storages that the pickle names, by their keys."""

    def __call__(self, stored: Any) -> _Storage:
        """("storage", type, key, device, count), and in the old form a view of another one."""
        if not isinstance(stored, tuple) or len(stored) < 5 or stored[0] != "storage":
            raise ValueError("it holds a whole network or another object, not only its tensors")
        _, kind, key, _, count, *view = stored
        name = kind.name.partition(" ")[2] if isinstance(kind, Name) else ""
        if name not in _DTYPES or not isinstance(key, str) or type(count) is not int:
            raise ValueError("a storage of an unknown type")
        if any(part is not None for part in view):
            raise ValueError("a storage that is a part of another one")
        known = self.setdefault(key, _Storage(_DTYPES[name], count))
        if (known.dtype, known.count) != (_DTYPES[name], count):
            raise ValueError(f"the storage {key!r:.40} is described in two ways")
        return known


def read_zip(path: str) -> WeightFile:
    """A file of torch.save since PyTorch 1.6. CheckpointError for what cannot be read."""
    return _read(path, _from_zip)


def read_legacy(path: str) -> WeightFile:
    """A file in the form before 1.6, which many networks of 2016 to 2020 have."""
    return _read(path, _from_legacy)


Loader = Callable[[IO[bytes], Stored, _Storages, dict[str, Any]], Any]


def _read(path: str, load: Loader) -> WeightFile:
    storages = _Storages()
    try:
        stored = Stored(path)
        notes: dict[str, Any] = {}
        with open(path, "rb") as file:
            whole = load(file, stored, storages, notes)
        state = _state_of(whole)
        return WeightFile(_arrays(state, stored), "torch", {**_facts(whole), **notes})
    except (
        ValueError, zipfile.BadZipFile, NotImplementedError, struct.error, OverflowError,
        UnicodeError, EOFError,
    ) as error:  # fmt: skip
        said = " ".join(f"{error}".split()) or type(error).__name__
        damaged = isinstance(error, zipfile.BadZipFile | EOFError | CutShortError)
        advice = AGAIN if damaged else ALONE
        raise CheckpointError(f"{path}: not read as PyTorch's: {said}; {advice}") from error


def _from_zip(
    file: IO[bytes], stored: Stored, storages: _Storages, notes: dict[str, Any]
) -> Any:
    with zipfile.ZipFile(ZipHeaders(file, _LIST + stored.size // _SHARE)) as archive:
        members = {member.filename: member for member in archive.infolist()}
    if sum(member.file_size for member in members.values()) > stored.size:
        raise ValueError("a zip whose parts are packed, or lie over each other")
    roots = sorted((name for name in members if name.endswith("/data.pkl")), key=len)
    if not roots:
        raise ValueError("a zip without a data.pkl, as torch.save writes it")
    root = roots[0].removesuffix("data.pkl")

    def member(name: str) -> NDArray[np.uint8]:
        if root + name not in members:
            raise ValueError(f"the part {name!r:.60} is missing")
        return _member(stored, members[root + name])

    if root + "byteorder" in members and member("byteorder").tobytes() != b"little":
        raise ValueError("numbers in the byte order of another machine")
    if root + NOTES in members:
        notes.update(_notes(member(NOTES).tobytes()))
    whole = _unpickled(io.BytesIO(member("data.pkl").tobytes()), stored, storages)
    for key, storage in storages.items():
        data = member(f"data/{key}")
        storage.data = _numbers(data, storage)
    return whole


def _member(stored: Stored, member: zipfile.ZipInfo) -> NDArray[np.uint8]:
    """The bytes of a zip's member, which are not packed. ValueError for damaged ones."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ValueError("a zip whose parts are packed or encrypted")
    header = stored.numbers(member.header_offset, _LOCAL.size, "u1").tobytes()
    mark, name, extra = _LOCAL.unpack(header)
    if mark != b"PK\3\4":
        raise ValueError("a damaged list of the zip's parts")
    start = member.header_offset + _LOCAL.size + name + extra
    data = stored.numbers(start, member.file_size, "u1")
    if member.CRC and zlib.crc32(data.data) != member.CRC:  # 0: written without it
        raise ValueError(f"damaged: the checksum of {member.filename!r:.80} does not match")
    return data


def _notes(data: bytes) -> dict[str, Any]:
    """What a file of ours says beside its tensors: texts by name."""
    if len(data) > MOST_NOTES:
        raise ValueError(f"notes of {len(data):,} bytes, expected at most {MOST_NOTES:,}")
    found = json_of(data.decode())
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


def _from_legacy(
    file: IO[bytes], stored: Stored, storages: _Storages, notes: dict[str, Any]
) -> Any:
    """Five pickles (a mark, a version, the machine, the object, the keys), then the storages."""
    if _unpickled(file, stored, storages) != MAGIC:
        raise ValueError("a pickle of another program")
    _unpickled(file, stored, storages)
    machine = _unpickled(file, stored, storages)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("numbers in the byte order of another machine")
    whole = _unpickled(file, stored, storages)
    keys = _unpickled(file, stored, storages)
    known = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not known or sorted(keys) != sorted(storages):
        raise ValueError("a list of storages that is not that of its tensors")
    at = file.tell()
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(stored.numbers(at, 8, "u1").tobytes(), "little")
        if count != storage.count:
            raise ValueError(f"the storage {key!r:.40} has {count} numbers, not {storage.count}")
        storage.data = stored.numbers(at + 8, count, storage.dtype)
        at += 8 + storage.data.nbytes
    return whole


def _numbers(data: NDArray[np.uint8], storage: _Storage) -> NDArray[Any]:
    kind = np.dtype(np.uint16 if storage.dtype == BFLOAT16 else storage.dtype)
    if len(data) != storage.count * kind.itemsize:
        raise ValueError(
            f"a storage of {len(data):,} bytes, expected {storage.count * kind.itemsize:,}"
        )
    return data.view(kind)


def _unpickled(file: IO[bytes], stored: Stored, storages: _Storages) -> Any:
    steps = min(STEPS, _FEW_STEPS + stored.size // _PER_STEP)
    return load_pickle(file, NAMES, storages, steps)


def _state_of(whole: Any) -> dict[Any, Any]:
    """The state_dict in what was saved. ValueError where there is none."""
    if isinstance(whole, dict):
        for inner in (*(whole.get(key) for key in INNER), whole):
            if isinstance(inner, dict) and any(isinstance(t, _Tensor) for t in inner.values()):
                return inner
    held = ", ".join(str(key) for key in whole)[:200] if isinstance(whole, dict) else ""
    raise ValueError(
        "no state_dict, which has a tensor by each name, nor one below " + " or ".join(INNER)
        + f"; it has {held}" * bool(held)
    )  # fmt: skip


def _arrays(state: dict[Any, Any], stored: Stored) -> dict[str, NDArray[Any]]:
    """The tensors; those that are the same of the same storage are one array."""
    arrays: dict[str, NDArray[Any]] = {}
    made: dict[Any, NDArray[Any]] = {}
    for name, tensor in state.items():
        if not isinstance(tensor, _Tensor) or not isinstance(name, str):
            continue
        storage, offset, shape, strides = tensor
        whole = isinstance(shape, tuple) and isinstance(strides, tuple)
        if not isinstance(storage, _Storage) or storage.data is None or not whole:
            raise ValueError(f"the tensor {name!r:.80} is not described as a tensor is")
        if any(type(number) is not int for number in (offset, *shape, *strides)):
            raise ValueError(f"{name!r:.80}: a shape, stride or offset that is no whole number")
        key = (id(storage), offset, shape, strides)
        try:
            if key not in made:
                made[key] = stored.array(storage.data, storage.dtype, offset, shape, strides)
        except ValueError as error:
            raise ValueError(f"{name!r:.80}: {error}") from error
        arrays[name] = made[key]
    return arrays


def _facts(whole: dict[Any, Any]) -> dict[str, Any]:
    """What else was saved, as far as it is texts, numbers and lists of texts."""
    return {
        key: value for key, value in whole.items()
        if isinstance(key, str) and (
            isinstance(value, str | int | float)
            or (isinstance(value, list) and all(isinstance(item, str) for item in value))
        )
    }  # fmt: skip
