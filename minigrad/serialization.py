"""safetensors in and out, atomically and with a checksum.

The format holds names, shapes and numbers, nothing that can run; a pickle is never loaded. It does
not notice a flipped bit, so `save_file` adds a SHA-256 of everything to the metadata.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, AnyStr

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors_numpy

from .arrays import is_array, to_numpy
from .core import Tensor
from .files import StrPath, replacing

# Two metadata keys are ours; both must be there or none, or a bit flipped in a key's own name
# would make the file look like one of another program, which has no checksum.
CHECKSUM, FORMAT = "minigrad.sha256", "minigrad.format"
TREE = "minigrad.tree"  # what was saved, where it is more than a dict of tensors
_RESERVED = (CHECKSUM, FORMAT, TREE)
_INTEGERS = tuple(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))
_STORABLE = ("bool", *_INTEGERS, "float16", "float32", "float64", "complex64")
_DAMAGE = "; copy it again from its source, or use an older checkpoint"


class CheckpointError(ValueError):
    """A file that cannot be loaded as safetensors; the message is one line that names it."""


def save_file(
    tensors: Mapping[str, Any], path: StrPath, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors or arrays to a safetensors file, all of it or nothing.

    Dicts and lists inside `tensors`, and numbers, texts and None, are stored, too, so that a
    checkpoint may be what PyTorch's is: {"model": model.state_dict(), "optimizer":
    optimizer.state_dict(), "epoch": 3}. Other programs find the tensors of it by their paths
    ("model.conv1.weight").

    A temporary file in the same folder is written, flushed to disk and renamed, so `path` holds
    either the old content or the new. Arrays of any memory order are stored in C order; arrays on
    a GPU are copied to the CPU first.

    dtypes: bool, integers, float16, float32, float64, complex64.

    Raises TypeError for names or metadata that are no strings and values that cannot be stored,
    ValueError for a reserved metadata key, for two tensors of one path and for text that is no
    Unicode, FileNotFoundError for a missing folder, and OSError as the system gives it (disk full,
    no permission).
    Source: the safetensors format.
    """
    metadata = _checked_metadata(metadata)
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    tree = _taken_apart(tensors, "", arrays)
    metadata[FORMAT] = "1"
    if tree != {"dict": [[name, {"tensor": name}] for name in tensors]}:  # not tensors alone
        metadata[TREE] = json.dumps(tree)
    metadata[CHECKSUM] = _checksum(arrays, metadata)
    with replacing(path) as temporary:
        try:
            safetensors_numpy.save_file(arrays, temporary, metadata=metadata)
        except SafetensorError as error:
            raise _system_error(error) from error


def load_file(path: StrPath) -> dict[str, Any]:
    """Read a safetensors file into tensors on the CPU, shapes and dtypes as stored; and whatever
    else `save_file` was given, as it was.

    The checksum is compared where the file has one; files of other programs have none.

    Raises CheckpointError for a file that is missing, no safetensors file (a pickle, for one), cut
    short, damaged, or of a dtype that NumPy lacks (bfloat16).
    """
    arrays, metadata = _read(path)
    expected = metadata.pop(CHECKSUM, None)
    if (expected or FORMAT in metadata) and expected != _checksum(arrays, metadata):
        raise CheckpointError(
            f"{path}: damaged: its content does not match the checksum stored with it{_DAMAGE}"
        )
    tensors = {name: Tensor(array) for name, array in arrays.items()}
    if TREE not in metadata:
        return tensors
    try:
        loaded = _put_together(parse_json(metadata[TREE]), tensors)
        if not isinstance(loaded, dict):
            raise TypeError(f"a {type(loaded).__name__}, no dict")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: damaged: {TREE} does not describe its tensors ({type(error).__name__}: "
            f"{error!s:.200}){_DAMAGE}"
        ) from error
    return loaded


def load_metadata(path: StrPath) -> dict[str, str]:
    """Read the metadata that `save_file` was given; the tensors are not read nor checked.

    Raises CheckpointError for a file that is missing, no safetensors file, or cut short.
    """
    with _opened(path) as file:
        metadata = dict(file.metadata() or {})
    return {key: value for key, value in metadata.items() if key not in _RESERVED}


def parse_json(text: AnyStr) -> Any:
    """JSON that anybody may have written. Raises ValueError for what is none, also where Python's
    reader has no such error: for objects nested beyond its stack."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    result = dict(metadata or {})
    for key, value in result.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(
                f"metadata maps strings to strings, got {key!r}: {value!r}; use json.dumps()"
            )
        _check_unicode("metadata", key, value)
    if not result.keys().isdisjoint(_RESERVED):
        raise ValueError(f"the metadata keys {', '.join(_RESERVED)} are reserved; rename yours")
    return result


def _taken_apart(value: Any, path: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """`value` for JSON, its tensors put into `arrays` under their paths: {"tensor": path},
    {"list": values}, {"tuple": values}, {"dict": pairs of key and value} (JSON's own dicts know no
    integer keys), and the rest as it is."""

    def below(key: Any, inner: Any) -> Any:
        return _taken_apart(inner, f"{path}.{key}" if path else key, arrays)

    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str | int if path else str):
                where = f" in {path!r}" if path else ""
                raise TypeError(f"names are strings, got {key!r} ({type(key).__name__}){where}")
        return {"dict": [[key, below(key, inner)] for key, inner in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [below(place, inner) for place, inner in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if path in arrays:
        raise ValueError(f"two tensors have the path {path!r}: rename one")
    arrays[path] = _storable(path, value)
    return {"tensor": path}


def _put_together(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What `_taken_apart` took apart."""
    if not isinstance(tree, dict):
        return tree
    ((kind, inner),) = tree.items()
    if kind == "tensor":
        return tensors[inner]
    if kind == "dict":
        return {key: _put_together(value, tensors) for key, value in inner}
    values = [_put_together(value, tensors) for value in inner]
    return values if kind == "list" else tuple(values)


def _check_unicode(what: str, *texts: str) -> None:
    """ValueError for what UTF-8 has no bytes for: a file name in another encoding holds it."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"{what}: {text!r} is no Unicode text (a file name that is not UTF-8?), the format "
                "holds nothing else: store json.dumps() of it, which loads back as it was"
            ) from None


def _storable(name: str, value: Any) -> np.ndarray[Any, Any]:
    """The value as a C-ordered little-endian NumPy array; no copy where it is one already."""
    _check_unicode("names", name)
    data = value.data if isinstance(value, Tensor) else value
    if isinstance(data, np.generic):
        data = np.asarray(data)
    if not is_array(data):
        raise TypeError(
            f"{name!r} is {type(value).__name__}; expected a tensor or an array, a number, a text, "
            "None, or a dict or list of these"
        )
    if data.dtype.name not in _STORABLE:
        raise TypeError(f"{name!r} has dtype {data.dtype}; expected one of {', '.join(_STORABLE)}")
    host = to_numpy(data)
    return np.asarray(host, dtype=host.dtype.newbyteorder("<"), order="C")


def _checksum(arrays: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str]) -> str:
    """SHA-256 of the metadata and of each tensor's name, dtype, shape and bytes, names sorted."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _system_error(error: SafetensorError) -> OSError:
    """What the system said when the library wrote: a full disk is no fault of the tensors."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    code = int(number[1]) if number else errno.EIO
    return OSError(code, os.strerror(code))


def _read(path: StrPath) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    with _opened(path) as file:
        for name in file.keys():  # noqa: SIM118 (not a dict)
            try:
                arrays[name] = file.get_tensor(name)
                if arrays[name].dtype.isbuiltin != 1:  # of a package, where that is installed
                    raise TypeError(arrays[name].dtype)
            except (TypeError, AttributeError, KeyError) as error:
                raise CheckpointError(
                    f"{path}: {name!r} is of dtype {file.get_slice(name).get_dtype()}, which NumPy "
                    "lacks; convert the file to float32 with the program that wrote it"
                ) from error
        return arrays, dict(file.metadata() or {})


@contextmanager
def _opened(path: StrPath) -> Iterator[Any]:
    """The file opened by the safetensors library; what is wrong with it as a CheckpointError."""
    if not os.path.isfile(path):
        kind = "is a folder, not a file" if os.path.isdir(path) else "no such file"
        raise CheckpointError(f"{path}: {kind}; expected a .safetensors file")
    try:
        file = safe_open(path, framework="np")
    except SafetensorError as error:
        raise CheckpointError(f"{path}: {_diagnosis(path)} ({error})") from error
    with file:
        yield file


def _diagnosis(path: StrPath) -> str:
    """Why the library refused the file, from its size, its first bytes and its header."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(9)
        if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
            return (
                "is a pickle or zip archive (.pth, .pt, .npz), not safetensors; pickles are never "
                "loaded, since that can run any code: write the tensors with "
                "safetensors.torch.save_file where they came from"
            )
        length = int.from_bytes(start[:8], "little")
        if len(start) < 9 or start[8:] != b"{" or length > 100_000_000:
            return f"is not a safetensors file, or its start is damaged ({size:,} bytes)"
        file.seek(8)
        header = file.read(min(length, size))  # or there is memory for all that it promises
    if len(header) < length:
        return f"is cut short in its header, or its start is damaged ({size:,} bytes){_DAMAGE}"
    expected = _promised_size(header)
    if expected is not None and size < expected:
        return f"is cut short: {size:,} bytes of {expected:,}{_DAMAGE}"
    return f"has a damaged header, or the wrong size ({size:,} bytes){_DAMAGE}"


def _promised_size(header: bytes) -> int | None:
    """The size of the whole file by its header, None where the header makes no sense."""
    try:
        entries = parse_json(header)
        ends = [e["data_offsets"][1] for name, e in entries.items() if name != "__metadata__"]
        return 8 + len(header) + max(ends, default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
