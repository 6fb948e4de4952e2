"""Caffe's files of weights (.caffemodel): a NetParameter of caffe.proto in protobuf's wire format.

Layers are LayerParameters, or V1LayerParameters in files from before the end of 2014, as that of
bvlc_alexnet. A layer's blobs are its weight and its bias; their layout is PyTorch's.

Source: src/caffe/proto/caffe.proto (BVLC/caffe), for the numbers of fields.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from minigrad.serialization import CheckpointError

from .file import WeightFile
from .protobuf import MOST_LAYERS, Fields, Message, open_message

_NAME, _V1_LAYERS, _LAYERS = 1, 2, 100  # fields of NetParameter
_DATA, _SHAPE, _DOUBLES, _OLD_SHAPE = 5, 7, 8, (1, 2, 3, 4)  # fields of BlobProto
BLOBS = ("weight", "bias")
MOST_BLOBS = 16  # of a layer; a recurrent one has a dozen


class Schema(NamedTuple):
    """The numbers of a layer's fields."""

    name: int
    type: int
    blobs: int
    convolution: int
    dropout: int
    lrn: int
    pooling: int


_NEW = Schema(name=1, type=2, blobs=7, convolution=106, dropout=108, lrn=118, pooling=121)
_V1 = Schema(name=4, type=5, blobs=6, convolution=10, dropout=12, lrn=18, pooling=19)
_SCHEMAS = {_LAYERS: _NEW, _V1_LAYERS: _V1}
_V1_TYPES = {
    3: "Concat", 4: "Convolution", 5: "Data", 6: "Dropout", 8: "Flatten", 14: "InnerProduct",
    15: "LRN", 17: "Pooling", 18: "ReLU", 20: "Softmax", 21: "SoftmaxWithLoss", 22: "Split",
}  # fmt: skip


def read_caffemodel(path: str) -> WeightFile:
    """The blobs of each layer, as LAYER.weight and LAYER.bias; views of the file.

    facts: `network`, its name; `layers`, the names of all layers in their order; `graph`, for each
    of them what it does: see `_layer`.
    Raises CheckpointError for what is no file of Caffe's, or is damaged.
    """
    graph: list[dict[str, Any]] = []
    tensors: dict[str, NDArray[Any]] = {}
    title = ""
    try:
        for number, value in open_message(path).fields():
            if number == _NAME and isinstance(value, Message):
                title = value.text()
            elif number in _SCHEMAS and isinstance(value, Message):
                if len(graph) == MOST_LAYERS:
                    raise ValueError(f"more than {MOST_LAYERS:,} layers")
                layer, blobs = _layer(value, _SCHEMAS[number])
                graph.append(layer)
                if tensors.keys() & blobs:
                    raise ValueError(f"two layers of the name {layer['name']!r:.80}")
                tensors |= blobs
        if not tensors:
            raise ValueError("no layer in it has weights")
    except (ValueError, OverflowError) as error:
        said = " ".join(f"{error}".split())
        raise CheckpointError(f"{path}: not read as Caffe's: {said:.300}") from error
    names = [layer["name"] for layer in graph]
    return WeightFile(tensors, "caffe", {"network": title, "layers": names, "graph": graph})


def _layer(message: Message, schema: Schema) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a layer does, and its blobs.

    name and type as Caffe has them, and of a convolution `stride`, `padding` and `groups`, of a
    pooling `pool` ("max" or "mean"), `kernel`, `stride` and `padding`, of LRN `size`, `alpha` (on
    the mean of the squares), `beta` and `k`, of dropout `p`.
    """
    given = message.grouped()
    name = given.text(schema.name)
    if schema is _V1:
        number = given.integer(schema.type)
        kind = _V1_TYPES.get(number, f"V1 type {number}")
    else:
        kind = given.text(schema.type)
    found: dict[str, Any] = {"name": name, "type": kind}
    for number, options in ((schema.convolution, _convolution), (schema.pooling, _pooling),
                            (schema.lrn, _lrn), (schema.dropout, _dropout)):  # fmt: skip
        held = given.message(number)
        if held is not None or kind == _DEFAULTS.get(options):
            found |= options(Fields() if held is None else held.grouped())
    blobs = {}
    if len(given.messages(schema.blobs)) > MOST_BLOBS:
        raise ValueError(f"{name!r:.80} has more than {MOST_BLOBS} blobs")
    for i, blob in enumerate(given.messages(schema.blobs)):
        key = f"{name}.{BLOBS[i] if i < len(BLOBS) else i}"
        try:
            blobs[key] = _array(blob)
        except ValueError as error:
            raise ValueError(f"{key!r:.80}: {error}") from error
    return found, blobs


def _convolution(given: Fields) -> dict[str, Any]:
    return {
        "stride": _pair(given, 6, (13, 14), 1), "padding": _pair(given, 3, (9, 10), 0),
        "groups": given.integer(5, 1),
    }  # fmt: skip


def _pooling(given: Fields) -> dict[str, Any]:
    return {
        "pool": {0: "max", 1: "mean"}.get(given.integer(1), "stochastic"),
        "kernel": _pair(given, 2, (5, 6), 0), "stride": _pair(given, 3, (7, 8), 1),
        "padding": _pair(given, 4, (9, 10), 0),
    }  # fmt: skip


def _lrn(given: Fields) -> dict[str, Any]:
    return {
        "size": given.integer(1, 5), "alpha": given.number(2, 1.0),
        "beta": given.number(3, 0.75), "k": given.number(5, 1.0),
    }  # fmt: skip


def _dropout(given: Fields) -> dict[str, Any]:
    return {"p": given.number(1, 0.5)}


# What a layer of this type does where it says nothing.
_DEFAULTS = {_lrn: "LRN", _dropout: "Dropout"}


def _array(blob: Message) -> NDArray[Any]:
    """A blob's numbers in its shape. Before there was `shape`, all had four sizes."""
    given = blob.grouped()
    rows = [(value, "<f4") for value in given.messages(_DATA)]
    rows += [(value, "<f8") for value in given.messages(_DOUBLES)]
    if len(rows) != 1:
        raise ValueError(f"it has {len(rows)} rows of numbers, expected one")
    shape = given.message(_SHAPE)
    if shape is None:
        sizes = [given.integer(number, 1) for number in _OLD_SHAPE]
    else:
        sizes = shape.grouped().integers(1)
    ((row, dtype),) = rows
    numbers = row.numbers(dtype)
    array = blob.stored.array(numbers, dtype, 0, sizes)
    if array.size != len(numbers):
        raise ValueError(f"{len(numbers):,} numbers for a shape of {array.size:,}")
    return array


def _pair(given: Fields, repeated: int, single: tuple[int, int], default: int) -> tuple[int, int]:
    """A size for both directions, for each of them, or in two fields of their own."""
    own = [given.integers(number) for number in single]
    if all(own):
        return own[0][-1], own[1][-1]
    both = given.integers(repeated) or [default]
    return both[0], both[-1]
