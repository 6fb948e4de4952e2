"""What a network computes: the operations between its input and its output, in their order.

The recorded graph says which result came from which; an observer adds what each operation was
called with. So a forward may be any Python, with branches, loops and edits in place: what is traced
is what ran.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import modes
from ..arrays import Array
from ..core import Function, Node, Tensor
from .graph import nodes_of


class Call(NamedTuple):
    """One operation: what its forward was called with, and where that came from.

    sources[i]: the node that computed arguments[i], the leaf that it is, or None for anything else:
    a tensor that needs no gradient, an option. Of what was computed, result and arguments, shape
    and dtype alone are kept.
    """

    function: type[Function]
    arguments: tuple[Any, ...]
    sources: tuple[Node | Tensor | None, ...]
    result: Array
    node: Node


class Trace(NamedTuple):
    """`calls`, the oldest first; the nodes that stand for the input and for the output."""

    calls: list[Call]
    input: Node
    output: Node


def trace(forward: Callable[[Tensor], Any], input: Tensor) -> Trace:
    """Run `forward` on `input` and return what it computed from it.

    RuntimeError if the output is no tensor, or owes nothing to the input. What is computed aside of
    the tensors, by NumPy on `x.data` say, is a constant here.
    """
    ran: dict[int, tuple[tuple[Any, ...], Array]] = {}
    thread = threading.get_ident()

    def observe(phase: str, _: str, __: float, result: Any, arguments: tuple[Any, ...]) -> None:
        if phase == "forward" and threading.get_ident() == thread:
            ran[id(arguments[0])] = arguments, result  # which keeps the context, and so its id

    modes.observers.append(observe)
    try:
        with modes.enable_grad():
            start = Tensor(input.data, requires_grad=True).clone()  # may be edited in place
            first = start.node
            output = forward(start)
    finally:
        modes.observers.remove(observe)
    if not isinstance(output, Tensor):
        raise RuntimeError(f"trace: the network gives {type(output).__name__}, expected one tensor")
    nodes = nodes_of(output)
    if first is None or first not in nodes or output.node is None:
        raise RuntimeError(
            "trace: the output owes nothing to the input, as far as the graph tells: leave out "
            "no_grad() and detach() in the network's forward"
        )
    calls = []
    for node in nodes:
        if id(node.context) not in ran:
            raise RuntimeError(f"trace: {node.operation} ran before the network was called")
        if node is not first:
            (_, *given), result = ran[id(node.context)]
            sources = tuple(edge.target for edge in node.edges or ())
            arguments = tuple(
                _outline(a) if isinstance(source, Node) else a
                for a, source in zip(given, sources, strict=True)
            )
            calls.append(Call(node.function, arguments, sources, _outline(result), node))
    for node in nodes:
        node.free()
    return Trace(calls, first, output.node)


def _outline(array: Array) -> Array:
    """An array of the same shape and dtype that takes no memory."""
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)
