"""ONNX models: their weights, and what each node does with them.

Read without the package onnx: a ModelProto of onnx.proto in protobuf's wire format.

Source: onnx/onnx.proto (github.com/onnx/onnx), for the numbers of fields and of types.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.serialization import CheckpointError

from .file import WeightFile
from .onnx_alexnet import as_alexnet
from .protobuf import MOST_LAYERS, Fields, Message, open_message
from .stored import BFLOAT16, MOST_DIMENSIONS

Arrays = dict[str, NDArray[Any]]

_PRODUCER, _GRAPH, _PROPERTIES = 2, 7, 14  # fields of ModelProto
_NODES, _INITIALIZERS, _INPUTS = 1, 5, 11  # fields of GraphProto
# TensorProto's: dims, type, name, raw bytes, and numbers by the field that they are in.
_DIMS, _TYPE, _TENSOR_NAME, _RAW, _EXTERNAL = 1, 2, 8, 9, 13
_DTYPES = {
    1: "<f4", 2: "u1", 3: "i1", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8",
    16: BFLOAT16,
}  # fmt: skip
_PACKED = {1: (4, "<f4"), 11: (10, "<f8")}  # by type: the field of numbers of fixed width
_VARINTS = {6: 5, 7: 7}  # and that of whole numbers
# Operations whose further inputs are weights.
WEIGHED = ("Conv", "Gemm", "MatMul", "BatchNormalization", "PRelu", "Add")
MOST_PROPERTY = 1 << 18  # bytes of a text about the model; the names of 1,000 classes have 30,000
MOST_NUMBERS = 1 << 33  # of a constant of one value, which takes no memory


def read_onnx(path: str) -> WeightFile:
    """The weights by their names in the model; views of the file.

    What nodes take as weights: initialisers, and the results of Constant and ConstantOfShape.
    facts: the model's properties; `producer`; `input`, the shape of its first input (0: any size);
    `layers`, a name for each node in its order; `graph`, for each of them name, type, inputs,
    outputs and attributes. Caffe's AlexNet has our names and its recipe: see `as_alexnet`.
    Raises CheckpointError for what is no ONNX model, or is damaged, and for numbers that are in
    another file.
    """
    try:
        model = open_message(path).grouped()
        graph = model.message(_GRAPH)
        if graph is None:
            raise ValueError("there is no graph in it")
        given = graph.grouped()
        for field, what in ((_NODES, "nodes"), (_INITIALIZERS, "tensors")):
            if len(given.messages(field)) > MOST_LAYERS:
                raise ValueError(f"more than {MOST_LAYERS:,} {what}")
        constants: Arrays = {}
        for tensor in given.messages(_INITIALIZERS):
            name, array = _tensor(tensor)
            constants[name] = array
        nodes = [_node(node) for node in given.messages(_NODES)]
        layers = [node for node in nodes if not _is_constant(node, constants)]
        used = {
            name for node in layers if node["type"] in WEIGHED for name in node["inputs"]
        }  # fmt: skip
        tensors = {
            name: array for name, array in constants.items()
            if name in used and array.dtype.kind == "f" and array.ndim
        }  # fmt: skip
        if not tensors:
            raise ValueError("no node in it has weights")
        facts = {
            **_properties(model), "producer": model.text(_PRODUCER),
            "input": _input(given, constants), "layers": [node["name"] for node in layers],
            "graph": layers,
        }  # fmt: skip
    except (ValueError, OverflowError) as error:
        said = " ".join(f"{error}".split())
        raise CheckpointError(f"{path}: not read as an ONNX model: {said:.300}") from error
    found = WeightFile(tensors, "onnx", facts)
    return as_alexnet(found) or found


def _tensor(message: Message) -> tuple[str, NDArray[Any]]:
    """(name, array) of a TensorProto."""
    given = message.grouped()
    name, number = given.text(_TENSOR_NAME), given.integer(_TYPE)
    if given.messages(_EXTERNAL):
        raise ValueError(
            f"the numbers of {name!r:.80} are in another file: save the model as one file"
        )
    dtype = _DTYPES.get(number)
    if dtype is None:
        raise ValueError(f"{name!r:.80} has the type {number}, which is not read here")
    shape = given.integers(_DIMS)
    try:
        if len(shape) > MOST_DIMENSIONS:
            raise ValueError(f"{len(shape)} dimensions, expected at most {MOST_DIMENSIONS}")
        return name, _array(message, given, number, dtype, shape)
    except ValueError as error:
        raise ValueError(f"{name!r:.80}: {error}") from error


def _array(
    message: Message, given: Fields, number: int, dtype: str, shape: list[int]
) -> NDArray[Any]:
    stored = message.stored
    raw = given.message(_RAW)
    if number in _PACKED and raw is None:
        field, _ = _PACKED[number]
        rows = given.get(field, [])
        if all(isinstance(row, bytes) for row in rows):  # one by one, as short ones may be
            whole: NDArray[Any] = np.frombuffer(b"".join(rows), dtype)
            if not rows and _count(shape):
                raise ValueError("it has no numbers")
            return stored.array(whole, dtype, 0, shape)
        raw = given.message(field)
    if raw is not None:
        numbers = raw.numbers("<u2" if dtype == BFLOAT16 else dtype)
    elif number in _VARINTS:
        numbers = np.array(given.integers(_VARINTS[number]), np.int64).astype(dtype)
    else:
        raise ValueError("its numbers are stored in a way that is not read here")
    if len(numbers) != _count(shape):
        raise ValueError(f"{len(numbers):,} numbers for the shape {shape!r:.60}")
    return stored.array(numbers, dtype, 0, shape)


def _count(shape: list[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _node(message: Message) -> dict[str, Any]:
    """Attributes stand beside name, type, inputs and outputs; those that are tensors as arrays."""
    given = message.grouped()
    inputs, outputs = given.texts(1), given.texts(2)
    found: dict[str, Any] = {}
    for attribute in given.messages(5):
        held = attribute.grouped()
        found[held.text(1)] = _attribute(held)
    return {
        **found, "name": given.text(3) or (outputs or [""])[0], "type": given.text(4),
        "inputs": inputs, "outputs": outputs,
    }  # fmt: skip


def _attribute(given: Fields) -> Any:
    """A float, a whole number, a text, a tensor, or a list of the first two; None for others."""
    kind = given.integer(20)
    if kind == 1 or (not kind and 2 in given):
        return given.number(2, 0.0)
    if kind == 2 or (not kind and 3 in given):
        return given.integer(3)
    if kind == 3:
        held = given.message(4)
        return "" if held is None else held.bytes()[:100].decode("utf-8", "replace")
    if kind == 4:
        tensor = given.message(5)
        return None if tensor is None else _tensor(tensor)[1]
    if kind == 6:
        return _floats(given)
    return given.integers(8) if kind == 7 else None


def _floats(given: Fields) -> list[float]:
    found: list[float] = []
    for value in given.get(7, []):
        if isinstance(value, Message):
            found += value.numbers("<f4")[:1000].tolist()
        elif isinstance(value, bytes) and len(value) == 4:
            found += struct.unpack("<f", value)
    return found


def _is_constant(node: dict[str, Any], constants: Arrays) -> bool:
    """Does a node compute nothing of the input? Its result then is a constant, as far as it is one
    that weights may be."""
    if not node["outputs"]:
        return False
    result = node["outputs"][0]
    if node["type"] == "Constant":
        value = node.get("value", node.get("value_floats", node.get("value_ints")))
        if value is not None:
            constants[result] = np.asarray(value)
        return True
    if node["type"] == "ConstantOfShape":
        shape = constants.get((node["inputs"] or [""])[0])
        if shape is not None:
            constants[result] = _filled(node.get("value"), shape)
        return True
    if node["type"] == "Identity" and node["inputs"] and node["inputs"][0] in constants:
        constants[result] = constants[node["inputs"][0]]
        return True
    return False


def _filled(value: Any, shape: NDArray[Any]) -> NDArray[Any]:
    """One number at all places of a shape, without memory for it."""
    number = np.zeros(1, np.float32) if value is None else np.asarray(value).reshape(-1)[:1]
    sizes = [int(size) for size in shape.reshape(-1)[: MOST_DIMENSIONS + 1]]
    if shape.dtype.kind != "i" or len(sizes) > MOST_DIMENSIONS or min(sizes, default=0) < 0:
        raise ValueError(f"a constant of the shape {shape!r:.60}")
    if not len(number) or _count(sizes) > MOST_NUMBERS:
        raise ValueError(f"a constant of the shape {sizes} and {len(number)} values")
    return np.broadcast_to(number.reshape((1,) * len(sizes)), sizes)


def _properties(model: Fields) -> dict[str, str]:
    found = {}
    for entry in model.messages(_PROPERTIES):
        given = entry.grouped()
        value = given.message(2)
        found[given.text(1)] = "" if value is None else value.text(MOST_PROPERTY)
    return found


def _input(graph: Fields, constants: Arrays) -> list[int]:
    """The shape of the first input that is no weight, 0 where it is free."""
    for entry in graph.messages(_INPUTS):
        given = entry.grouped()
        if given.text(1) in constants:
            continue
        found = given.message(2)
        for number in (1, 2):  # TypeProto.tensor_type, then its shape
            found = None if found is None else found.grouped().message(number)
        if found is not None:
            return [dim.grouped().integer(1) for dim in found.grouped().messages(1)]
    return []
