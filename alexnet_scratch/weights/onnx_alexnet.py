"""An ONNX model that came from Caffe's AlexNet, as a recipe and weights by our names.

What the graph says of every layer (strides, borders, groups, order, LRN's numbers) becomes fields
of the recipe, so that the network here computes what the model does. What it does not say is taken
from Caffe: the input is blue, green and red from 0 to 255, less Caffe's mean colour.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..recipe import RECIPES, Recipe, shapes_of
from .file import WeightFile

# The mean of Caffe's mean image of ILSVRC 2012, as red, green and blue.
CAFFE_MEAN = (122.67891434, 116.66876762, 104.00698793)
NAMES = tuple(f"conv{i}" for i in range(1, 6)) + tuple(f"fc{i}" for i in range(6, 9))
_STEPS = {"Relu": "relu", "LRN": "lrn", "MaxPool": "pool"}
_FREE = ("Reshape", "Flatten", "Dropout", "Softmax", "Identity")  # nothing to say of them


def as_alexnet(file: WeightFile) -> WeightFile | None:
    """The file with its tensors as conv1.weight ... fc8.bias, and recipe and preprocessing among
    its facts; None for a model that is not Caffe's AlexNet in all of its layers."""
    graph = file.facts.get("graph", [])
    if not _is_chain(graph) or not all(f"{name}_w_0" in file.tensors for name in NAMES):
        return None
    weighed = [i for i, node in enumerate(graph) if node["type"] in ("Conv", "Gemm")]
    if [graph[i]["inputs"][1:] for i in weighed] != [[f"{n}_w_0", f"{n}_b_0"] for n in NAMES]:
        return None
    layers = [graph[a:b] for a, b in zip(weighed, [*weighed[1:], len(graph)], strict=True)]
    tensors: dict[str, NDArray[Any]] = {}
    for name in NAMES:
        tensors[f"{name}.weight"] = file.tensors[f"{name}_w_0"]
        tensors[f"{name}.bias"] = file.tensors[f"{name}_b_0"]
    try:
        recipe = _recipe(layers, file.facts["input"], tensors)
        expected = shapes_of(recipe, len(tensors["fc8.bias"]))
    except (ValueError, KeyError, TypeError, IndexError, ZeroDivisionError):
        return None
    if {name: array.shape for name, array in tensors.items()} != expected:
        return None
    tensors["conv1.weight"] = tensors["conv1.weight"][:, ::-1]
    resize = json.dumps({"resize": "both sides"})  # as `preprocessing` of what is exported
    facts = {**file.facts, "recipe": recipe.to_json(), "preprocessing": resize}
    return WeightFile(tensors, file.source, facts)


def _is_chain(graph: list[dict[str, Any]]) -> bool:
    """Does every node take the result of the one before it?"""
    return bool(graph) and all(
        node["inputs"][:1] == before["outputs"][:1]
        for before, node in pairwise(graph)
    )


def _recipe(
    layers: list[list[dict[str, Any]]], shape: list[int], tensors: dict[str, NDArray[Any]]
) -> Recipe:
    """ValueError for a layer that no AlexNet has."""
    size = shape[2]
    steps = [[_step(node) for node in layer[1:] if node["type"] not in _FREE] for layer in layers]
    if steps[2:] != [["relu"], ["relu"], ["relu", "pool"], ["relu"], ["relu"], []]:
        raise ValueError("other layers behind conv3 to fc8")
    conv1, lrn = layers[0][0], {_lrn(node) for layer in layers for node in layer if _is_lrn(node)}
    for (first, *_), group, pad in zip(layers[1:5], (2, 1, 2, 2), (2, 1, 1, 1), strict=True):
        if _ints(first, "strides", 1) != [1, 1] or _ints(first, "pads", 0) != [pad] * 4:
            raise ValueError("another stride or border")
        if first.get("group", 1) != group:
            raise ValueError("another number of groups")
    if any(layer[0].get("transB", 0) != 1 for layer in layers[5:]) or len(lrn) > 1:
        raise ValueError("two kinds of LRN, or weights the other way round")
    (stride, _), border = _ints(conv1, "strides", 1), _ints(conv1, "pads", 0)
    edges = {(0, 0, 0, 0): "valid", (2, 2, 2, 2): "pad"}
    numbers = next(iter(lrn), (5, 1.0, 2e-5, 0.75))
    pools = [node for layer in layers for node in layer if node["type"] == "MaxPool"]
    pool1, pool2, pool5 = map(_edge, pools)
    return replace(
        RECIPES["caffe"], name="onnx", input_size=size, image_size=max(size, 256),
        conv1_kernel=tensors["conv1.weight"].shape[2], conv1_stride=stride,
        conv1_edge=edges[border[0], border[1], border[2], border[3]],
        pool_edges=(pool1, pool2, pool5),
        orders=("-".join(steps[0]), "-".join(steps[1])),
        lrn_size=numbers[0], lrn_k=numbers[1], lrn_alpha=numbers[2], lrn_beta=numbers[3],
        widths=tuple(len(tensors[f"{name}.bias"]) for name in NAMES[:5]),
        fc_width=len(tensors["fc7.bias"]), mean="constant", input_mean=CAFFE_MEAN,
    )  # fmt: skip


def _step(node: dict[str, Any]) -> str:
    return _STEPS[node["type"]]


def _is_lrn(node: dict[str, Any]) -> bool:
    return bool(node["type"] == "LRN")


def _lrn(node: dict[str, Any]) -> tuple[int, float, float, float]:
    """(size, k, alpha on the plain sum, beta)."""
    size = node["size"]
    alpha = _short(node.get("alpha", 1e-4)) / size
    return size, _short(node.get("bias", 1.0)), alpha, _short(node.get("beta", 0.75))


def _short(number: float) -> float:
    """The number that was meant by one of 32 bits: 0.0001 by 9.999999747378752e-05."""
    return float(str(np.float32(number)))


def _edge(node: dict[str, Any]) -> str:
    """How a pooling of 3 x 3 at stride 2 ends."""
    if _ints(node, "kernel_shape", 0) != [3, 3] or _ints(node, "strides", 1) != [2, 2]:
        raise ValueError("another pooling")
    pads = _ints(node, "pads", 0)
    if pads == [0, 0, 1, 1] or node.get("ceil_mode"):
        return "ceil"
    if any(pads):
        raise ValueError("a pooling with a border")
    return "floor"


def _ints(node: dict[str, Any], name: str, default: int) -> list[int]:
    """An attribute of two numbers, or of four for `pads`."""
    found = node.get(name, [default] * (4 if name == "pads" else 2))
    return list(found)
