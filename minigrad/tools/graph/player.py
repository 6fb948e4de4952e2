"""A small expression step by step: forward, then backward, as a page with buttons.

    from minigrad.tools.graph import player
    player(lambda w, x: (w * x).tanh(), 2.0, 0.3)                # in a notebook: shown
    player(lambda w, x: (w * x).tanh(), 2.0, 0.3).save("tape.html")
    print(player(lambda w, x: (w * x).tanh(), 2.0, 0.3))         # the same steps as text

What is shown is what the engine did: an observer (`modes.observers`) sees each forward and backward
run, as a profile does, so nothing is slower where nobody looks.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ... import arrays, modes
from ...arrays import Array, as_array, is_array
from ...core import Context, Edge, Node, Tensor, backpropagate, unbroadcast
from ...nn.module import Module
from .formulas import FORMULAS, WORDS
from .page import Box, Player, Step
from .recorded import Names, nodes_of

LIMIT = 120  # operations: more cannot be stepped through, nor drawn
SHOWN = 12  # numbers of an array that are all shown; of a larger one, its first FEW
FEW = 3


def player(
    function: Callable[..., Tensor], *inputs: Any, parameters: Names = None, gradient: Any = None
) -> Player:
    """Run `function(*inputs)` and backward from its result, and return all steps as a `Player`.

    An input is a tensor, or a number or an array, which becomes one (float64 for a number) that
    requires a gradient if it holds floats. Leaves have the names of the function's arguments or
    those of `parameters` (a module, or a mapping of names to tensors), results those of the
    function's local variables. A result that is no scalar needs `gradient`. No `.grad` is changed:
    the last step says what `backward()` would make of it.

    Raises TypeError if the function returns no tensor, ValueError if nothing of it requires a
    gradient or it runs more operations than one can step through.
    """
    tensors = [_as_tensor(value) for value in inputs]
    tape = _Tape()
    with _observing(tape.observe), _locals_of(function) as variables:
        result = function(*tensors)
    if not isinstance(result, Tensor):
        kind = type(result).__name__
        raise TypeError(f"player: the function returned {kind}, expected a tensor")
    nodes = nodes_of(result)
    if not nodes:
        raise ValueError(
            "player: the function's result needs no gradient: give it floats, or tensors with "
            "requires_grad=True, and compute with them"
        )
    if len(nodes) > LIMIT:
        raise ValueError(
            f"player: {len(nodes):,} operations, expected at most {LIMIT}: play a part of them"
        )
    named = dict(zip(_arguments(function), tensors, strict=False))
    walk = _Walk(result, nodes, tape, [_mapping(parameters), named, variables])
    return walk.player(gradient)


class _Call(NamedTuple):
    """What an operation was called with, and its result, as text."""

    arguments: tuple[str, ...]
    ids: tuple[int, ...]  # of the arguments, to know a named tensor's array
    sizes: tuple[int, ...]  # axes of each argument that is an array; -1 for others
    result: str
    context: Context  # held, so that its id is nobody else's


class _Tape:
    """Told of every forward: keeps what it was called with and what came out."""

    def __init__(self) -> None:
        self.calls: dict[int, _Call] = {}  # by the id of the context

    def observe(
        self, phase: str, operation: str, seconds: float, result: Any, args: tuple[Any, ...]
    ) -> None:
        context, *given = args
        if phase == "forward" and any(context.needs):
            self.calls[id(context)] = _Call(
                tuple(_shown(a) if is_array(a) else _option(a) for a in given),
                tuple(map(id, given)),
                tuple(a.ndim if is_array(a) else -1 for a in given),
                _shown(as_array(result)),
                context,
            )


class _Walk:
    """Makes the steps of a recorded graph: those of forward, and those of backward as it runs."""

    def __init__(
        self, result: Tensor, nodes: list[Node], tape: _Tape,
        names: Sequence[Mapping[str, Tensor]],
    ) -> None:  # fmt: skip
        self.result, self.nodes = result, nodes
        self.leaves = list({id(t): t for node in nodes for t in _leaves(node)}.values())
        self.calls = {node: tape.calls[id(node.context)] for node in nodes}
        things: list[Node | Tensor] = [*self.leaves, *nodes]
        self.number = {id(thing): i for i, thing in enumerate(things)}
        self.names = self._named(things, names)
        self.constants = {  # tensors without a gradient that an operation was called with, by name
            _told(name): tensor for mapping in names for name, tensor in mapping.items()
            if tensor.node is None and id(tensor) not in self.number
            and any(id(tensor.data) in call.ids for call in self.calls.values())
        }  # fmt: skip
        self.arrows: list[tuple[int, int]] = []
        self.arrow: dict[tuple[int, int], int] = {}  # (node, argument) -> place in `arrows`
        for node in nodes:
            for index, edge in enumerate(node.edges or ()):
                if edge.target is not None:
                    self.arrow[self._of(node), index] = len(self.arrows)
                    self.arrows.append((self._of(edge.target), self._of(node)))
        self.steps: list[Step] = []
        self.arrived: defaultdict[int, list[str]] = defaultdict(list)
        self.sums: dict[int, Array] = {}

    def player(self, gradient: Any) -> Player:
        boxes = tuple(
            Box(self.names[i], "", _form(leaf.shape, leaf.dtype))
            for i, leaf in enumerate(self.leaves)
        ) + tuple(
            Box(self.names[self._of(n)], n.operation, form)
            for n, form in zip(self.nodes, self._forms(), strict=True)
        )
        self._forward()
        self._begin(gradient)
        by_context = {id(node.context): node for node in self.nodes}

        def observe(phase: str, _: str, __: float, sent: Any, args: tuple[Any, ...]) -> None:
            if phase == "backward" and id(args[0]) in by_context:
                self._backward(by_context[id(args[0])], args[1], sent)

        with _observing(observe):
            found = backpropagate(self.result, gradient, inputs=self.leaves)
        self._end(found)
        return Player(boxes, tuple(self.arrows), tuple(self.steps))

    def _of(self, thing: Node | Tensor) -> int:
        return self.number[id(thing)]

    def _forms(self) -> list[str]:
        """Shape and dtype of each node's result: its users' edges know them."""
        known = {
            id(e.target): _form(e.shape, e.dtype) for node in self.nodes for e in node.edges or ()
        }
        known[id(self.result.node)] = _form(self.result.shape, self.result.dtype)
        return [known[id(node)] for node in self.nodes]

    def _named(
        self, things: Sequence[Node | Tensor], given: Sequence[Mapping[str, Tensor]]
    ) -> list[str]:
        """A name of its own for each: a given one, or v1, v2 ... in the order of computing."""
        names: dict[int, str] = {}
        for mapping in given:
            for name, tensor in mapping.items():
                key = self.number.get(id(tensor.node or tensor))
                if key is not None and (told := _told(name)) not in names.values():
                    names.setdefault(key, told)
        last = self.number[id(self.result.node)]
        if "result" not in names.values():
            names.setdefault(last, "result")
        free = (f"v{i}" for i in range(1, len(things) + len(names) + 1))
        free = (name for name in free if name not in names.values())
        return [names.get(i) or next(free) for i in range(len(things))]

    def _forward(self) -> None:
        values = {i: _shown(leaf.data) for i, leaf in enumerate(self.leaves)}
        lines = tuple(
            f"{self.names[i]} = {values[i]}   {leaf.dtype}"
            for i, leaf in enumerate(self.leaves)
        ) + tuple(
            f"{name} = {_shown(t.data)}   {t.dtype}, no gradient"
            for name, t in self.constants.items()
        )
        self.steps.append(Step("forward", "what is given", lines, values=values))
        for node in self.nodes:
            me, call = self._of(node), self.calls[node]
            lines = (
                *_chain(self._formula(node), self._formula(node, numbers=True), call.result),
            )
            self.steps.append(
                Step(
                    "forward", f"{self.names[me]} = {self._formula(node)}",
                    (f"= {' = '.join(lines[1:])}",) if len(lines) > 1 else (f"= {call.result}",),
                    me, {me: call.result}, {}, self._in(node),
                )
            )  # fmt: skip

    def _begin(self, gradient: Any) -> None:
        last = self._of(self.nodes[-1]) if self.result.node is None else self._of(self.result.node)
        name, seed = self.names[last], "1"
        if gradient is not None:
            given = gradient.data if isinstance(gradient, Tensor) else np.asarray(gradient)
            seed = _shown(given)
        line = f"d {name} / d {name} = 1" if gradient is None else "as it was given"
        self.arrived[last].append(seed)
        self.steps.append(
            Step("backward", f"grad of {name} = {seed}", (line,), last, {}, {last: seed})
        )

    def _backward(self, node: Node, grad: Array, sent: Any) -> None:
        """The engine has just run this node's backward: `grad` came in, `sent` goes out."""
        me, coming = self._of(node), _shown(grad)
        arrived = self.arrived[me]
        several = f", the sum of {' + '.join(arrived)}" if len(arrived) > 1 else ""
        if len(several) > 120:
            several = f", the sum of {len(arrived)} gradients"
        lines = [f"comes in: grad = {coming}{several}"]
        sums: dict[int, str] = {}
        edges = node.edges or ()
        results = sent if isinstance(sent, tuple) else (sent,)
        for index, (edge, g) in enumerate(zip(edges, results, strict=False)):
            if edge.target is not None:
                lines.append(self._sends(node, index, edge, as_array(g), coming))
                target = self._of(edge.target)
                sums[target] = _shown(self.sums[target])
        title = f"backward of {self.names[me]} = {self._formula(node)}"
        self.steps.append(
            Step("backward", title, tuple(lines), me, {}, {me: coming, **sums}, self._in(node))
        )

    def _sends(self, node: Node, index: int, edge: Edge, g: Array, coming: str) -> str:
        assert edge.target is not None
        target, note = self._of(edge.target), ""
        if node.function.broadcasts and g.shape != edge.shape:
            g = unbroadcast(g, edge.shape)
            note = f", summed to {edge.shape}, as {self.names[target]} was broadcast"
        text = _shown(g)
        rule = self._rule(node, index)
        numbers = self._rule(node, index, coming)
        chain = " = ".join(_chain(rule, numbers, text)) if not note else f"{rule}{note} = {text}"
        before = self.sums.get(target)
        self.sums[target] = g.copy() if before is None else as_array(before + g)
        self.arrived[target].append(text)
        more = f"; so far {_shown(self.sums[target])}" if before is not None else ""
        return f"goes out to {self.names[target]}: {chain}{more}"

    def _end(self, found: Mapping[int, Array]) -> None:
        lines, totals = [], {}
        for i, leaf in enumerate(self.leaves):
            if id(leaf) not in found:
                lines.append(f"{self.names[i]}.grad stays as it is: no gradient has come")
                continue
            total = found[id(leaf)]
            before = ""
            if leaf.grad is not None:
                before = f"{_shown(leaf.grad.data)} + {_shown(total)} = "
                total = as_array(leaf.grad.data + total)
            totals[i] = _shown(total)
            lines.append(f"{self.names[i]}.grad = {before}{totals[i]}")
        self.steps.append(
            Step("backward", "what backward() adds to the leaves", tuple(lines), None, {}, totals)
        )

    def _in(self, node: Node) -> tuple[int, ...]:
        me = self._of(node)
        return tuple(
            self.arrow[me, i] for i, e in enumerate(node.edges or ()) if e.target is not None
        )

    def _words(self, node: Node, numbers: bool) -> list[str]:
        """The arguments by name or, if `numbers`, by value; what has no name is a value, too."""
        call, words = self.calls[node], []
        constant = {id(tensor.data): name for name, tensor in self.constants.items()}
        for index, text in enumerate(call.arguments):
            edge = node.edges[index] if node.edges else None
            if not numbers and edge is not None and edge.target is not None:
                words.append(self.names[self._of(edge.target)])
            elif not numbers and call.ids[index] in constant:
                words.append(constant[call.ids[index]])
            else:
                words.append(f"({text})" if text.startswith("-") else text)
        return words

    def _entry(self, node: Node) -> tuple[str, ...]:
        """The formula and the rules of its operation; "" where none is known."""
        fused = node.operation == "conv2d" and self.calls[node].arguments[-1] == "True"
        key = "conv2d with relu" if fused else node.operation
        return FORMULAS.get(key) or WORDS.get(key) or ("",)

    def _formula(self, node: Node, numbers: bool = False) -> str:
        """What it computes; with `numbers`, their values, "" unless all of them are scalars."""
        if numbers and (any(self.calls[node].sizes) or node.operation not in FORMULAS):
            return ""
        words = self._words(node, numbers)
        template = self._entry(node)[0]
        if template:
            return _filled(template, words)
        while words and words[-1] == "None":
            words.pop()
        return f"{node.operation}({', '.join(words)})"

    def _rule(self, node: Node, index: int, grad: str = "") -> str:
        """What goes to an argument; with `grad` in numbers, "" unless all are scalars."""
        call, entry = self.calls[node], self._entry(node)
        if grad and (any(call.sizes) or node.operation not in FORMULAS):
            return ""
        rule = entry[index + 1] if index + 1 < len(entry) else ""
        if not rule or (".T" in rule and any(size != 2 for size in call.sizes[:2])):
            return f"by the backward of {node.operation}"
        y = call.result if grad else self.names[self._of(node)]
        return _filled(rule, self._words(node, bool(grad)), y, grad or "grad")


def _filled(template: str, words: Sequence[str], y: str = "", grad: str = "") -> str:
    """A formula with its names or numbers, numbers below 0 in brackets."""
    y, grad = (f"({text})" if text.startswith("-") else text for text in (y, grad))
    names = dict(zip("abc", [*words, "", "", ""], strict=False))
    text = template.format(**names, y=y, grad=grad).replace(", None)", ")")
    return re.sub(r"\(\((-[^()]*)\)\)", r"(\1)", text)  # exp((-2)): once is enough


def _chain(*texts: str) -> list[str]:
    """Without what is empty or said twice in a row."""
    kept: list[str] = []
    for text in texts:
        if text and (not kept or text != kept[-1]):
            kept.append(text)
    return kept


def _leaves(node: Node) -> Iterator[Tensor]:
    return (e.target for e in node.edges or () if isinstance(e.target, Tensor))


def _as_tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    array = arrays.from_outside(value)
    if isinstance(value, int) and not isinstance(value, bool):
        array = array.astype(np.float64)
    return Tensor(array, requires_grad=array.dtype.kind in "fc")


def _arguments(function: Callable[..., Any]) -> list[str]:
    """The names of a function's arguments; none where it does not tell."""
    called = function.forward if isinstance(function, Module) else function
    try:
        parameters = inspect.signature(called).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _mapping(parameters: Names) -> Mapping[str, Tensor]:
    if isinstance(parameters, Module):
        return dict(parameters.named_parameters())
    return parameters or {}


@contextmanager
def _observing(observer: Callable[..., None]) -> Iterator[None]:
    """Tells the observer of this thread's operations, and of no other's."""
    me = threading.get_ident()

    @functools.wraps(observer)
    def mine(*args: Any) -> None:
        if threading.get_ident() == me:
            observer(*args)

    modes.observers.append(mine)
    try:
        yield
    finally:
        modes.observers.remove(mine)


@contextmanager
def _locals_of(function: Callable[..., Any]) -> Iterator[dict[str, Tensor]]:
    """The tensors among the function's local variables, as they are when it returns."""
    found: dict[str, Tensor] = {}
    code = getattr(function, "__code__", None)
    before = sys.getprofile()

    def watch(frame: Any, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is code:
            found.update({k: v for k, v in frame.f_locals.items() if isinstance(v, Tensor)})

    sys.setprofile(watch)
    try:
        yield found
    finally:
        sys.setprofile(before)


def _told(name: Any) -> str:
    """A name in one short line that any file can hold."""
    text = str(name).encode("utf-8", "backslashreplace").decode()
    words = "".join(c if c.isprintable() else " " for c in text).split()
    return " ".join(words)[:40] or "(no name)"


def _form(shape: tuple[int, ...], dtype: Any) -> str:
    return f"{shape} {dtype}" if shape else f"{dtype}"


def _option(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else "..."


def _shown(array: Array) -> str:
    """All numbers of a small array; shape and the first few of a large one."""
    if array.size <= SHOWN:
        return _nested(arrays.to_numpy(array).tolist())
    start = array[(0,) * (array.ndim - 1)][:FEW]
    few = ", ".join(_number(n) for n in arrays.to_numpy(start).tolist())
    return f"{array.shape}: {few}, ..."


def _nested(value: Any) -> str:
    return f"[{', '.join(map(_nested, value))}]" if isinstance(value, list) else _number(value)


def _number(value: Any) -> str:
    return str(value) if isinstance(value, bool) else f"{value:.6g}"
