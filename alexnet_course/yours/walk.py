"""Lesson 01's walk over a network: written for numbers, it works on tensors as it is.

`backward(output)` multiplies the gradient of a value by its slopes and adds up what arrives. Here a
slope is what a layer's backward does with a gradient, and * does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import minigrad as mg
from minigrad.core import Node

from .halves import Array, Function


class Value:
    """A tensor of the graph as lesson 01 knows values: its inputs, their slopes, its number."""

    __slots__ = ("inputs", "number", "slopes")

    def __init__(self, number: int) -> None:
        self.inputs: tuple[Value, ...] = ()
        self.slopes: tuple[Slope, ...] = ()
        self.number = number  # larger than those of its inputs


class Step:
    """The backward of one operation. It gives the gradients of all inputs at once, and is asked for
    one after the other."""

    def __init__(self, node: Node, dtype: Any, shape: tuple[int, ...]) -> None:
        self._node, self._dtype, self._shape = node, dtype, shape
        self._grad: Any = None
        self._found: list[Array] = []

    def gradient(self, index: int, grad: Any) -> Array:
        """That of input `index`, in memory of its own: the walk may add to it in place."""
        if self._grad is not grad:
            whole = np.broadcast_to(np.asarray(grad, self._dtype), self._shape)
            self._found = [g for _, g, _ in self._node.gradients(whole)]
            self._grad = grad
        return self._found[index].copy()


class Slope:
    """What stands for a slope: times a gradient, it is the gradient of the input."""

    __array_ufunc__ = None  # an array times this asks this

    def __init__(self, step: Step, index: int) -> None:
        self._step, self._index = step, index

    def __mul__(self, grad: Any) -> Array:
        return self._step.gradient(self._index, grad)

    __rmul__ = __mul__


def graph(output: mg.Tensor) -> tuple[Value, dict[int, Value]]:
    """The graph behind a tensor in values, and the value of each node and leaf by its id."""
    values: dict[int, Value] = {}

    def value(target: Any) -> Value:
        number = target.number if isinstance(target, Node) else -1 - len(values)
        return values.setdefault(id(target), Value(number))

    assert output.node is not None
    last = value(output.node)
    waiting = [(output.node, output.dtype, output.shape)]
    seen = {id(output.node)}
    while waiting:
        node, dtype, shape = waiting.pop()
        edges = [edge for edge in node.edges or () if edge.target is not None]
        step = Step(node, dtype, shape)
        one = value(node)
        one.inputs = tuple(value(edge.target) for edge in edges)
        one.slopes = tuple(Slope(step, index) for index in range(len(edges)))
        for edge in edges:
            if isinstance(edge.target, Node) and id(edge.target) not in seen:
                seen.add(id(edge.target))
                waiting.append((edge.target, edge.dtype, edge.shape))
    return last, values


def leaves(output: mg.Tensor) -> list[mg.Tensor]:
    """The leaves behind a tensor, each once."""
    found: dict[int, mg.Tensor] = {}
    waiting, seen = [output.node], {id(output.node)}
    while waiting:
        node = waiting.pop()
        for edge in (node.edges or ()) if node is not None else ():
            if isinstance(edge.target, mg.Tensor):
                found[id(edge.target)] = edge.target
            elif edge.target is not None and id(edge.target) not in seen:
                seen.add(id(edge.target))
                waiting.append(edge.target)
    return list(found.values())


def by(backward: Function) -> Callable[..., tuple[Array, ...]]:
    """The gradients of a scalar along some leaves, by lesson 01's `backward`."""

    def gradients(output: mg.Tensor, leaves: Sequence[mg.Tensor]) -> tuple[Array, ...]:
        last, values = graph(output)
        found = backward(last)
        return tuple(np.asarray(found[values[id(leaf)]], leaf.dtype) for leaf in leaves)

    return gradients


def engine(output: mg.Tensor, leaves: Sequence[mg.Tensor]) -> tuple[Array, ...]:
    """The same by minigrad."""
    return tuple(g.data for g in mg.grad(output, list(leaves), retain_graph=True))


def example(rng: np.random.Generator) -> tuple[mg.Tensor, list[mg.Tensor]]:
    """A small network in which one map is used twice."""
    x, weight, last = (
        mg.tensor(rng.standard_normal(shape), requires_grad=True)
        for shape in ((8, 12), (12, 12), (12, 1))
    )
    hidden = (x @ weight).relu()
    return ((hidden * hidden + hidden) @ last).mean(), [x, weight, last]
