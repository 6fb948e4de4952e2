"""A network as an ONNX model: what its forward ran, operation by operation.

    model = to_onnx(net, (3, 224, 224))        # the shape of one sample, as for `summary`
    export(net, (3, 224, 224), "net.onnx")

The network is run on two batches of different size (`tools.trace`). What depends on the size is
told by comparing the two, so that the model takes any; what differs otherwise was computed beside
the tensors, and is refused. `onnx_rules` has a function for each operation; `@rule(MyFunction)`
adds one for an operation of your own.

Needs the package onnx (`pip install onnx`), which writes the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays import is_array
from ..core import Node, Tensor
from ..files import StrPath, replacing
from ..nn.module import Module
from ..ops.shape import Expand, Reshape
from .onnx_graph import Graph, Value, onnx_package, place_of
from .onnx_rules import BATCH, RULES, OnnxError, Rule, rule
from .trace import Call, Trace, trace

__all__ = ["OnnxError", "export", "rule", "to_onnx"]

OPSET, IR_VERSION = 18, 8  # of 2022
SIZES = (2, 5)  # of the two batches; halves and thirds of them differ, too


def export(
    model: Module, sample_shape: Sequence[int], path: StrPath,
    metadata: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Write `to_onnx` of a network to a file, whole or not at all."""
    data = to_onnx(model, sample_shape, metadata).SerializeToString()
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(data)


def to_onnx(
    model: Module, sample_shape: Sequence[int], metadata: Mapping[str, str] | None = None
) -> Any:
    """The network in evaluation mode as an `onnx.ModelProto`, for batches of any size.

    sample_shape: of one sample, without the batch. metadata: texts, as the model's properties.
    Input "input" and output "output" have the batch first; weights keep their names in the
    `state_dict`. OnnxError for an operation that has no rule, or a network of which a part is
    computed aside of the tensors; ImportError without the package onnx.
    """
    onnx = onnx_package()
    example, traced = _merged(model, tuple(sample_shape))
    graph = Graph({place_of(t.data): name for name, t in model.state_dict().items()})
    values: dict[Any, Value] = {traced.input: Value("input", example)}
    for call in traced.calls:
        arguments = [
            values[source] if isinstance(source, Node) else argument
            for argument, source in zip(call.arguments, call.sources, strict=True)
        ]
        graph.stem = _module_of(graph, call)
        write = _rule_for(call)
        values[call.node] = Value(write(graph, call.result, *arguments), call.result)
    last = values[traced.output]
    if last.shape[:1] != example.shape[:1]:
        raise OnnxError(f"the output has shape {last.shape}, expected the batch first")
    graph.nodes.append(graph.helper.make_node("Identity", [last.name], ["output"], name="output"))
    element = onnx.helper.np_dtype_to_tensor_dtype(example.dtype)
    made = onnx.helper.make_graph(
        graph.nodes, type(model).__name__,
        [onnx.helper.make_tensor_value_info("input", element, ["batch", *sample_shape])],
        [onnx.helper.make_tensor_value_info("output", element, ["batch", *last.shape[1:]])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
         for name, array in graph.constants.items()],
    )  # fmt: skip
    opset = onnx.helper.make_opsetid("", OPSET)
    result = onnx.helper.make_model(
        made, producer_name="minigrad", opset_imports=[opset], ir_version=IR_VERSION
    )
    onnx.helper.set_model_props(result, dict(metadata or {}))
    return result


def _module_of(graph: Graph, call: Call) -> str:
    """The module whose parameter an operation takes: what it computes is named after it."""
    arrays = [a for a in call.arguments if is_array(a)]
    names = (graph.names.get(place_of(array)) for array in arrays)
    return next((name.rpartition(".")[0] for name in names if name), "")


def _rule_for(call: Call) -> Rule:
    write = RULES.get(call.function)
    if write is None:
        raise OnnxError(
            f"{call.function.operation} has no rule for ONNX: write one under @rule("
            f"{call.function.__name__}) of minigrad.tools.onnx, or take other operations"
        )
    return write


# ----- two batches, and what differs between them -----


def _merged(model: Module, sample: tuple[int, ...]) -> tuple[Any, Trace]:
    """The first input, and what was computed from it, with BATCH where the second differs."""
    modes = [(module, module.training) for module in model.modules()]
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    noise = np.random.default_rng(0)
    inputs = [noise.standard_normal((size, *sample)).astype(dtype) for size in SIZES]
    model.eval()
    try:
        first, second = (trace(model, Tensor(x)) for x in inputs)
    except RuntimeError as error:
        raise OnnxError(str(error)) from error
    finally:
        for module, training in modes:
            module.__dict__["training"] = training
    same = [a.function is b.function for a, b in zip(first.calls, second.calls, strict=False)]
    if len(first.calls) != len(second.calls) or not all(same):
        raise OnnxError("the network runs other operations for another batch")
    calls = [_both(a, b) for a, b in zip(first.calls, second.calls, strict=True)]
    return inputs[0], first._replace(calls=calls)


def _both(a: Call, b: Call) -> Call:
    """The call, with BATCH where its two runs differ by the size of the batch."""
    given, other = a.arguments, b.arguments
    if a.function in (Reshape, Expand):  # the shape that came out, whatever -1 was given for
        sizes = tuple(
            n if n == m else BATCH for n, m in zip(a.result.shape, b.result.shape, strict=True)
        )
        given, other = (given[0], sizes), (other[0], sizes)
    arguments = tuple(
        x if isinstance(source, Node) else _compared(a, x, y)
        for x, y, source in zip(given, other, a.sources, strict=True)
    )
    return a._replace(arguments=arguments)


def _compared(call: Call, x: Any, y: Any) -> Any:
    if x is y:
        return x
    if is_array(x) and is_array(y):
        if x.shape == y.shape and x.dtype == y.dtype and (x == y).all():
            return x
    elif isinstance(x, tuple) and isinstance(y, tuple) and len(x) == len(y):
        return tuple(_compared(call, one, other) for one, other in zip(x, y, strict=True))
    elif x == y:
        return x
    raise OnnxError(
        f"{call.function.operation} is given what changes with the input, though no operation "
        "computed it: compute it by operations on tensors"
    )


