"""The recorded graph of a tensor: as Graphviz DOT, as text, and what it keeps in memory.

Draw a graph before `backward()`, which frees it (or call `backward(retain_graph=True)`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...arrays import Array, device_of
from ...core import Edge, Node, Tensor
from ...nn.module import Module
from ..text import format_bytes

Names = Module | Mapping[str, Tensor] | None


class Kept(NamedTuple):
    """What the calls of one operation keep for backward."""

    operation: str
    calls: int
    bytes: int


def nodes_of(tensor: Tensor) -> list[Node]:
    """The operations behind a tensor, oldest first; empty for a leaf.

    Raises RuntimeError if `backward()` has freed the graph.
    """
    found: set[Node] = set()
    waiting = [] if tensor.node is None else [tensor.node]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [e.target for e in _edges(node) if isinstance(e.target, Node)]
    return sorted(found, key=lambda node: node.number)


def to_dot(tensor: Tensor, parameters: Names = None) -> str:
    """Return the graph in the DOT language: paste it into any Graphviz viewer.

    Boxes are operations with the shape and dtype of their result and the bytes they keep; ovals are
    leaves, named after `parameters` (a module, or a mapping of names to tensors). Inputs that
    need no gradient are not recorded and so not drawn. Raises RuntimeError for a freed graph.
    """
    nodes = nodes_of(tensor)
    names = _leaf_names(parameters)
    results = _results(tensor, nodes)
    kept = _kept_by_node(nodes)
    numbers: dict[Node | Tensor, int] = {node: i for i, node in enumerate(nodes)}
    lines = ["digraph graph_of_tensor {", "  rankdir=TB", '  node [fontname="sans-serif"]']
    for node in nodes:
        label = _label(node.operation, results[node], _bytes_text(kept[node], "keeps "))
        lines.append(f"  n{numbers[node]} [shape=box, label={label}]")
    leaves = _leaves(tensor, nodes)
    for i, leaf in enumerate(leaves.values()):
        label = _label(names.get(id(leaf), "leaf"), f"{leaf.shape} {leaf.dtype}")
        lines.append(f"  t{i} [shape=ellipse, label={label}]")
    ids = {leaf: f"t{i}" for i, leaf in enumerate(leaves)}
    for node in nodes:
        for target in (edge.target for edge in _edges(node)):
            if target is not None:
                source = ids.get(id(target)) or f"n{numbers[target]}"
                lines.append(f"  {source} -> n{numbers[node]}")
    return "\n".join([*lines, "}"]) + "\n"


def to_text(tensor: Tensor, parameters: Names = None) -> str:
    """Return the graph as a list of operations in the order they ran.

    A line reads `%3 = linear(%2, fc8.weight, fc8.bias)  (64, 10) float32  keeps 1.0 MB`; `·` is an
    argument without a gradient. Raises RuntimeError for a freed graph.
    """
    nodes = nodes_of(tensor)
    names = _leaf_names(parameters)
    results = _results(tensor, nodes)
    kept = _kept_by_node(nodes)
    numbers = {node: f"%{i}" for i, node in enumerate(nodes, 1)}
    calls = []
    for node in nodes:
        arguments = [
            numbers[target]
            if isinstance(target, Node)
            else "·" if target is None else names.get(id(target), "leaf")
            for target in (edge.target for edge in _edges(node))
        ]  # fmt: skip
        while arguments and arguments[-1] == "·":
            arguments.pop()  # strides, axes and the like
        calls.append(f"{numbers[node]} = {node.operation}({', '.join(arguments)})")
    width = max((len(call) for call in calls), default=0)
    lines = [
        f"{call:<{width}}  {results[node]}  {_bytes_text(kept[node], 'keeps ')}".rstrip()
        for call, node in zip(calls, nodes, strict=True)
    ]
    return "\n".join(lines) or f"leaf {tensor.shape} {tensor.dtype}"


def saved_bytes(tensor: Tensor) -> int:
    """Bytes that the graph keeps for backward: each piece of memory once, however many operations
    saved it, and without the leaves (parameters), which are there anyway."""
    return sum(_kept_by_node(nodes_of(tensor)).values())


def saved_by_operation(tensor: Tensor) -> list[Kept]:
    """`saved_bytes` by operation, most bytes first. Memory that several operations saved counts for
    the one whose array begins first, the oldest of those."""
    calls: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for node, size in _kept_by_node(nodes_of(tensor)).items():
        calls[node.operation] = calls.get(node.operation, 0) + 1
        sizes[node.operation] = sizes.get(node.operation, 0) + size
    kept = [Kept(name, calls[name], sizes[name]) for name in calls]
    return sorted(kept, key=lambda k: -k.bytes)


def _edges(node: Node) -> tuple[Edge, ...]:
    if node.edges is None:
        raise RuntimeError(
            f"graph: {node.operation} was freed by backward(): look at the graph before "
            "backward(), or call backward(retain_graph=True)"
        )
    return node.edges


def _leaf_names(parameters: Names) -> dict[int, str]:
    if parameters is None:
        return {}
    named = parameters.named_parameters() if isinstance(parameters, Module) else parameters.items()
    return {id(leaf): name for name, leaf in named}


def _results(tensor: Tensor, nodes: list[Node]) -> dict[Node, str]:
    """Shape and dtype of every node's result, which the edge of its consumer knows."""
    results = {
        edge.target: f"{edge.shape} {edge.dtype}"
        for node in nodes
        for edge in _edges(node)
        if isinstance(edge.target, Node)
    }
    if tensor.node is not None:
        results[tensor.node] = f"{tensor.shape} {tensor.dtype}"
    return results


def _leaves(tensor: Tensor, nodes: list[Node]) -> dict[int, Tensor]:
    """Each leaf once, by id (tensors compare element by element)."""
    found = {id(tensor): tensor} if tensor.node is None else {}
    for node in nodes:
        found.update({id(e.target): e.target for e in _edges(node) if isinstance(e.target, Tensor)})
    return found


def _kept_by_node(nodes: list[Node]) -> dict[Node, int]:
    """Bytes of each node's saved arrays that no other node and no leaf accounts for."""
    spans: list[tuple[str, int, int, int, Node | None]] = []  # device, start, end, rank, owner
    for node in nodes:
        for array in _saved_arrays(node):
            spans.append((*_span(array), node.number, node))
        for edge in _edges(node):
            if isinstance(edge.target, Tensor):
                spans.append((*_span(edge.target.data), -1, None))  # first: a leaf pays for itself
    kept = dict.fromkeys(nodes, 0)
    covered = ("", 0)
    # By start, then the leaf and the oldest first: a sweep counts every byte for its first owner.
    for device, start, end, _, owner in sorted(spans, key=lambda s: (s[0], s[1], s[3])):
        known = covered[1] if covered[0] == device else 0
        if owner is not None:
            kept[owner] += max(0, end - max(start, known))
        covered = (device, max(end, known))
    return kept


def _saved_arrays(node: Node) -> list[Array]:
    # Not `context.saved`, which raises after an in-place edit: a report may look all the same.
    return [array for array in node.context._saved or () if array is not None]


def _span(array: Array) -> tuple[str, int, int]:
    """Device and first and last byte (exclusive) of the memory that an array's elements lie in."""
    interface = getattr(array, "__cuda_array_interface__", None) or array.__array_interface__
    first = interface["data"][0]
    if array.size == 0:
        return device_of(array), first, first
    reach = [(n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    start = first + sum(r for r in reach if r < 0)
    end = first + sum(r for r in reach if r > 0) + array.itemsize
    return device_of(array), start, end


def _label(*lines: str) -> str:
    escaped = (line.replace("\\", r"\\").replace('"', r"\"") for line in lines if line)
    text = r"\n".join(escaped)
    return f'"{text}"'


def _bytes_text(count: int, prefix: str) -> str:
    return f"{prefix}{format_bytes(count)}" if count else ""
