"""Weights in .npy, as converters of Caffe's networks write them: a dict of layers, pickled.

bvlc_alexnet.npy maps a layer to a list of its weights and biases, others to a dict of them. The
names here join the two by a point: "conv1.0", "conv1.weights".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.serialization import CheckpointError

from ..data.disk import read_npy_header
from ..pickles import NUMPY, STEPS, Array, InFile, load_pickle
from .file import WeightFile
from .stored import MOST_DIMENSIONS, Stored

_FEW_STEPS, _PER_STEP = 20_000, 128  # as in `pth`
MOST_DEPTH, MOST_VALUES, MOST_NAME = 4, 10_000, 200
_NUMBER = re.compile("[fiu][1248]")


def read_npy(path: str) -> WeightFile:
    """The arrays in a file's dict. CheckpointError for any other .npy file."""
    try:
        stored = Stored(path)
        with open(path, "rb") as file:
            shape, _, dtype = read_npy_header(file)
            if dtype != np.dtype(object):
                raise ValueError(f"one array of {dtype}, {shape}, without names")
            steps = min(STEPS, _FEW_STEPS + stored.size // _PER_STEP)
            held = load_pickle(file, NUMPY, steps=steps)
        if not isinstance(held, Array) or not isinstance(held.data, list) or len(held.data) != 1:
            raise ValueError("an array of objects, expected one dict of layers")
        found: dict[str, Array] = {}
        for looked, (name, value) in enumerate(_values(held.data[0])):
            if looked == MOST_VALUES:  # what is named in many places is short in the file
                raise ValueError(f"more than {MOST_VALUES} values")
            if isinstance(value, Array):
                found[name] = value
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


def _values(held: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """All that is in dicts, lists and tuples, and these, with where it is."""
    yield path, held
    if isinstance(held, dict):
        pairs: Iterable[tuple[Any, Any]] = list(held.items())
    elif isinstance(held, list | tuple) and not isinstance(held, InFile):
        pairs = enumerate(held)
    else:
        return
    if depth == MOST_DEPTH:
        raise ValueError(f"nested deeper than {MOST_DEPTH} levels")
    for key, value in pairs:
        text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        whole = f"{path}.{text}" if path else text
        if len(whole) > MOST_NAME:
            raise ValueError(f"a name of {len(whole)} letters, at most {MOST_NAME}")
        yield from _values(value, whole, depth + 1)


def _array(array: Array, name: str, stored: Stored) -> NDArray[Any]:
    dtype, shape = array.dtype or "", array.shape or ()
    if len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"{name!r:.80} has {len(shape)} dimensions, at most {MOST_DIMENSIONS}")
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
