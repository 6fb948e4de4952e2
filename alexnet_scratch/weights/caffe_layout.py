"""AlexNet's weights as Caffe and what came of it lay them out, by our names and in our layout."""

from __future__ import annotations

import math
import re
from typing import Any

from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

_LAYER = re.compile(r"(conv[1-5]|fc[678])[._/](0|1|weights?|biases|bias|w_0|b_0)")
_BIASES = ("1", "biases", "bias", "b_0")


def from_caffe(arrays: Arrays, source: str) -> Arrays:
    """Our names and layout; red, green and blue for conv1, which has met blue, green and red.

    Caffe and ONNX have (outputs, inputs, height, width), and vectors with leading ones. The .npy
    files have TensorFlow's: (height, width, inputs, outputs), (inputs, outputs), and fc6 reads its
    maps pixel by pixel where ours reads them map by map.
    """
    found: Arrays = {}
    for given, array in arrays.items():
        match = _LAYER.fullmatch(given)
        if not match:
            found[given] = array
            continue
        layer, bias = match[1], match[2] in _BIASES
        ours = f"{layer}.{'bias' if bias else 'weight'}"
        if bias:
            found[ours] = array.reshape(-1)
        elif layer.startswith("conv"):
            found[ours] = array.transpose(3, 2, 0, 1) if _is(array, 4, source) else array
        elif _is(array, 2, source):
            found[ours] = array.T
        else:
            of_four = array.ndim == 4 and array.shape[:2] == (1, 1)
            found[ours] = array[0, 0] if of_four else array
    if source == "npy":
        _by_maps(found)
    first = found.get("conv1.weight")
    if first is not None and first.ndim == 4:
        found["conv1.weight"] = first[:, ::-1]
    return found


def _is(array: NDArray[Any], dimensions: int, source: str) -> bool:
    return source == "npy" and array.ndim == dimensions


def _by_maps(found: Arrays) -> None:
    """fc6's columns from the order (height, width, maps) to (maps, height, width)."""
    fc6, maps = found.get("fc6.weight"), outputs_of(found, "conv5")
    if fc6 is None or fc6.ndim != 2 or not maps or fc6.shape[1] % maps:
        return
    outputs, inputs = fc6.shape
    side = math.isqrt(inputs // maps)
    if side * side * maps == inputs:
        by_pixels = fc6.reshape(outputs, side, side, maps)
        found["fc6.weight"] = by_pixels.transpose(0, 3, 1, 2).reshape(outputs, inputs)


def outputs_of(arrays: Arrays, layer: str) -> int:
    """How many a layer has, 0 for one that is not there."""
    weight = arrays.get(f"{layer}.weight")
    return int(weight.shape[0]) if weight is not None and weight.ndim else 0
