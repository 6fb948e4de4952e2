"""Weights in .npy, as converters of Caffe's networks write them: a dict of layers, pickled.

bvlc_alexnet.npy maps a layer to a list of its weights and biases, others to a dict of them. The
names here join the two by a point: "conv1.0", "conv1.weights".
"""

from __future__ import annotations

import io
import math
import re
import warnings
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from minigrad.serialization import CheckpointError

from ..pickles import NUMPY, STEPS, Array, InFile, load_pickle
from .file import WeightFile
from .stored import Stored

_FEW_STEPS, _PER_STEP = 20_000, 128  # as in `pth`
MOST_HEADER = 1 << 17  # bytes of a header, which NumPy bounds to less
MOST_DEPTH, MOST_ARRAYS = 4, 10_000
_NUMBER = re.compile("[fiu][1248]")


def read_npy(path: str) -> WeightFile:
    """The arrays in a file's dict. CheckpointError for any other .npy file."""
    try:
        stored = Stored(path)
        with open(path, "rb") as file:
            _header(file)
            steps = min(STEPS, _FEW_STEPS + stored.size // _PER_STEP)
            held = load_pickle(file, NUMPY, steps=steps)
        if not isinstance(held, Array) or not isinstance(held.data, list) or len(held.data) != 1:
            raise ValueError("an array of objects, expected one dict of layers")
        found: dict[str, Array] = {}
        _gather(held.data[0], "", 0, found)
        if not found:
            raise ValueError("no array in it, expected a dict of layers")
        made: dict[int, NDArray[Any]] = {}
        for name, array in found.items():
            if id(array) not in made:
                made[id(array)] = _array(array, name, stored)
        return WeightFile({name: made[id(array)] for name, array in found.items()}, "npy")
    except (ValueError, OverflowError) as error:
        said = " ".join(str(error).split())
        raise CheckpointError(
            f"{path}: not read as a .npy file of weights: {said}; expected what np.save writes of "
            "a dict {layer: [weights, biases]}"
        ) from error


def _header(file: IO[bytes]) -> None:
    """Read over it. ValueError unless it is that of one object."""
    head = io.BytesIO(file.read(MOST_HEADER))  # a file takes memory for all that is asked of it
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            version = np.lib.format.read_magic(head)
            if version == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(head)
            else:
                shape, _, dtype = np.lib.format.read_array_header_2_0(head)
    except Exception as error:  # NumPy takes the header for Python, which fails in any way
        raise ValueError(f"a damaged header ({type(error).__name__})") from error
    if dtype != np.dtype(object):
        raise ValueError(f"one array of {dtype}, {shape}, without names")
    file.seek(head.tell())


def _gather(held: Any, path: str, depth: int, found: dict[str, Array]) -> None:
    """The arrays in dicts, lists and tuples, by their paths."""
    if isinstance(held, Array):
        found[path] = held
        if len(found) > MOST_ARRAYS:
            raise ValueError(f"more than {MOST_ARRAYS} arrays")
        return
    if isinstance(held, dict):
        pairs = list(held.items())
    elif isinstance(held, list | tuple) and not isinstance(held, InFile):
        pairs = list(enumerate(held))
    else:
        return
    if depth == MOST_DEPTH:
        raise ValueError(f"nested deeper than {MOST_DEPTH} levels")
    for key, value in pairs:
        text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        _gather(value, f"{path}.{text}" if path else text, depth + 1, found)


def _array(array: Array, name: str, stored: Stored) -> NDArray[Any]:
    dtype, shape = array.dtype or "", array.shape or ()
    if not _NUMBER.fullmatch(dtype):
        raise ValueError(f"{name!r:.80} is an array of {dtype!r:.20}, expected numbers")
    dtype = array.order + dtype
    count = math.prod(shape)
    if isinstance(array.data, InFile):
        size = array.data.size
        numbers = stored.numbers(array.data.offset, size // np.dtype(dtype).itemsize, dtype)
    else:
        data = array.data if isinstance(array.data, bytes) else b""
        size = len(data)
        numbers = np.frombuffer(data[: size - size % np.dtype(dtype).itemsize], dtype)
    if size != count * np.dtype(dtype).itemsize:
        raise ValueError(
            f"{name!r:.80} has {size:,} bytes, expected {count * np.dtype(dtype).itemsize:,} for "
            f"its shape {shape}"
        )
    strides = [math.prod(shape[:axis]) for axis in range(len(shape))] if array.fortran else None
    return stored.array(numbers, dtype, 0, shape, strides)
