"""Checks of notebook 01, autograd, and its pictures of graphs."""

from __future__ import annotations

import contextlib
import itertools
import math
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from minigrad import Tensor
from minigrad.core import Node
from minigrad.tools.graph import nodes_of

from .checks import Function, Hint, close, exercise, generator, result_for_case, result_of
from .questions import Choice, Number

calls_of_20 = Number(
    "calls_of_20",
    2**21 - 1,
    "Each operation doubles the number of ways to the first value, and each way is walked: "
    "1 + 2 + 4 + ... + 2^20 calls, for 21 values.",
    typical={
        20: "That is the number of operations: as if each value were visited once.",
        21: "That is the number of values: as if each were visited once.",
        40: "That is the number of arrows. But all that lies behind an arrow is walked again each "
        "time the arrow is.",
        41: "That is the number of arrows, and the first call. But all that lies behind an arrow "
        "is walked again each time the arrow is.",
        210: "That would be 1 + 2 + 3 + ... + 20: the calls of a value are not one more than those "
        "of the one before, but twice as many.",
        2**20: "That is half of it: 2^20 calls reach the first value, and those before it come to "
        "nearly as many.",
        400: "That would be 20 times 20: the number of calls does not grow like a square.",
    },
    small="More: the calls of each value are twice those of the one before.",
    large="Fewer: they double 20 times.",
    factor=1.05,
    prediction=True,
)

why_only_parameters = Choice(
    "why_only_parameters",
    "b",
    "A parameter lives on from step to step, and so does its .grad, which the next backward adds "
    "to. The tensors between are made anew in each step.",
    wrong={
        "a": "They are not 0: what the weights of a layer get is computed from them.",
        "c": "step() changes the parameters and looks at nothing else. What happens to the tensors "
        "between when the next forward begins?",
        "d": "They change as much as the parameters' do. Which of the two still exists in the next "
        "step?",
    },
)

SPACING = 2.2  # between the columns of a picture; rows are 1 apart
DEEP = 5000  # operations in a chain, more than Python's calls may nest


# ----- pictures -----

Arrow = tuple[Hashable, Hashable, str]  # from, to, what is written on it


def draw_graph(
    axes: Axes,
    labels: Mapping[Any, str],
    arrows: Sequence[Arrow],
    colours: Mapping[Any, str] | None = None,
    fontsize: float = 10,
) -> None:
    """Boxes from left to right, each to the right of those it came from; keys in the order in which
    they were made."""
    places = _places(list(labels), arrows)
    boxes = {
        key: axes.text(
            *places[key], text, ha="center", va="center", fontsize=fontsize, zorder=3,
            bbox={"boxstyle": "round,pad=0.4", "facecolor": (colours or {}).get(key, "white"),
                  "edgecolor": "#555555"},
        )
        for key, text in labels.items()
    }  # fmt: skip
    axes.set_axis_off()
    columns, rows = zip(*places.values(), strict=True)
    axes.set(xlim=(min(columns) - 0.9, max(columns) + 0.9), aspect="equal")
    axes.set(ylim=(min(rows) - 0.5, max(rows) + 0.7))
    pairs = [arrow[:2] for arrow in arrows]
    drawn: dict[tuple[Any, Any], int] = {}
    for source, target, text in arrows:
        total, number = pairs.count((source, target)), drawn.get((source, target), 0)
        drawn[source, target] = number + 1
        length = places[target][0] - places[source][0]
        bend = 0.0 if total == 1 else 0.25 * (2 * number / (total - 1) - 1)
        if length > 1.5 * SPACING and places[source][1] == places[target][1]:
            bend = -0.4  # around what stands between
        axes.add_patch(
            FancyArrowPatch(
                places[source], places[target], patchA=boxes[source].get_bbox_patch(),
                patchB=boxes[target].get_bbox_patch(), connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>", mutation_scale=13, color="#555555", shrinkA=2, shrinkB=2,
                zorder=4,  # after the boxes, which get their sizes when they are drawn
            )
        )  # fmt: skip
        if text:
            x, y = (np.add(places[source], places[target]) / 2).tolist()
            across = places[target][1] - places[source][1]
            x, y = x + bend * across / 2, y - bend * length / 2
            axes.text(
                x, y, text, ha="center", va="center", fontsize=fontsize, color="#0072B2", zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )  # fmt: skip


def draw_recorded(axes: Axes, output: Tensor, parameters: Mapping[str, Tensor]) -> None:
    """The graph that minigrad recorded behind `output`, with the parameters' names in blue."""
    names = {id(parameter): name for name, parameter in parameters.items()}
    boxes: dict[Any, str] = {}
    arrows: list[Arrow] = []
    for node in nodes_of(output):
        for target in (edge.target for edge in node.edges or () if edge.target is not None):
            key = target if isinstance(target, Node) else names[id(target)]
            boxes.setdefault(key, key if isinstance(key, str) else key.operation)
            arrows.append((key, node, ""))
        boxes[node] = node.operation
    blue = {key: "#e6f2fa" for key in boxes if isinstance(key, str)}
    draw_graph(axes, boxes, arrows, blue, fontsize=9)


def _places(keys: list[Any], arrows: Sequence[Arrow]) -> dict[Any, tuple[float, float]]:
    """Column: one after the last of its sources; a leaf just before its first user. Row: as near as
    can be to its sources; leaves below."""
    sources = {key: [a for a, b, _ in arrows if b == key] for key in keys}
    column: dict[Any, int] = {}
    for key in keys:
        if sources[key]:
            column[key] = 1 + max(column.get(source, 0) for source in sources[key])
    for key in keys:
        if not sources[key]:
            column[key] = min((column[b] for a, b, _ in arrows if a == key), default=1) - 1
    row: dict[Any, float] = {}
    for number in range(max(column.values()) + 1):
        members = [key for key in keys if column[key] == number]
        inner = [key for key in members if sources[key]]
        wish = {key: sum(row[s] for s in sources[key]) / len(sources[key]) for key in inner}
        inner.sort(key=lambda key: -wish[key])
        lowest = math.inf
        for key in inner:
            lowest = row[key] = min(wish[key], lowest - 1)
        leaves = [key for key in members if not sources[key]]
        top = lowest - 1 if inner else (len(leaves) - 1) / 2
        row.update({key: top - place for place, key in enumerate(leaves)})
    return {key: (SPACING * column[key], row[key]) for key in keys}


# ----- the graphs of the checks -----


class _Value:
    """What the notebook's Value is: data, inputs, slopes, number."""

    _numbers = itertools.count()

    def __init__(
        self,
        name: str,
        data: float,
        inputs: tuple[_Value, ...] = (),
        slopes: tuple[float, ...] = (),
    ) -> None:
        self.name, self.data, self.inputs, self.slopes = name, data, inputs, slopes
        self.number = next(self._numbers)

    def __repr__(self) -> str:
        return self.name


def _diamond() -> _Value:
    """u = w x, s = u u, loss = s + u at w = 2, x = 3; a value that nobody uses is there too."""
    w, x = _Value("w", 2.0), _Value("x", 3.0)
    u = _Value("u", 6.0, (w, x), (3.0, 2.0))
    s = _Value("s", 36.0, (u, u), (6.0, 6.0))
    _Value("unused", 6.0, (u,), (1.0,))
    return _Value("loss", 42.0, (s, u), (1.0, 1.0))


def _square() -> _Value:
    x = _Value("x", 3.0)
    return _Value("x * x", 9.0, (x, x), (3.0, 3.0))


def _two_squares() -> _Value:
    """Any order is right here, so that what is wrong is something else."""
    x = _Value("x", 3.0)
    t = _Value("t", 9.0, (x, x), (3.0, 3.0))
    return _Value("y", 81.0, (t, t), (9.0, 9.0))


def _graphs() -> list[tuple[_Value, str]]:
    """The outputs that the checks begin at, and how each was computed, for the hints; of the larger
    ones the hints say what is needed."""
    return [
        (_square(), "The graph is y = x * x at x = 3."),
        (_two_squares(), "The graph is t = x * x, y = t * t at x = 3."),
        (_diamond(), "The graph is u = w * x, s = u * u, loss = s + u at w = 2, x = 3."),
        *((_tangle(seed), "") for seed in range(6)),
        (_chain(DEEP), ""),
    ]


@contextlib.contextmanager
def _shown(graph: str) -> Iterator[None]:
    """A hint that comes up here ends with how the graph was computed: it is seen nowhere else."""
    try:
        yield
    except Hint as hint:
        raise Hint(f"{hint} {graph}".rstrip()) from None


def _tangle(seed: int) -> _Value:
    """Values that use up to three of those before them."""
    numbers = generator(seed)
    data = numbers.uniform(-2, 2, 14)
    values = [_Value("v0", data[0]), _Value("v1", data[1])]
    for number in range(2, 14):
        inputs = [values[i] for i in numbers.integers(0, number, numbers.integers(1, 4))]
        slopes = tuple(float(s) for s in numbers.uniform(-2, 2, len(inputs)))
        values.append(_Value(f"v{number}", data[number], (values[-1], *inputs), (0.5, *slopes)))
    return values[-1]


def _chain(length: int) -> _Value:
    value = _Value("v0", 0.5)
    for number in range(1, length):
        value = _Value(f"v{number}", 0.5, (value,), (1.0,))
    return value


def _newest_first(output: _Value) -> list[_Value]:
    found, waiting = {output}, [output]
    while waiting:
        for source in waiting.pop().inputs:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return sorted(found, key=lambda value: -value.number)


def _walk(
    output: _Value,
    order: list[_Value],
    overwrite: bool = False,
    multiply: bool = True,
    start: float = 0.0,
) -> dict[_Value, float]:
    """Gradients, passed on in this order."""
    grads = dict.fromkeys(order, start)
    grads[output] = 1.0
    for value in order:
        for source, slope in zip(value.inputs, value.slopes, strict=True):
            amount = grads[value] * slope if multiply else slope
            grads[source] = amount if overwrite else grads[source] + amount
    return grads


def _first_come(output: _Value) -> list[_Value]:
    """Breadth first: each value when a gradient first arrives."""
    order = [output]
    for value in order:
        order += [s for s in dict.fromkeys(value.inputs) if s not in order]
    return order


def _last_come(output: _Value) -> list[_Value]:
    """Of those that a gradient has reached, the one that was reached last (a stack)."""
    order, waiting, found = [], [output], {output}
    while waiting:
        order.append(waiting.pop())
        new = [s for s in dict.fromkeys(order[-1].inputs) if s not in found]
        waiting += new
        found.update(new)
    return order


@contextlib.contextmanager
def _shallow(output: _Value) -> Iterator[None]:
    """Calls nest less deep than a chain is long, whatever limit has been set."""
    before = sys.getrecursionlimit()
    limit = min(before, DEEP // 2)
    sys.setrecursionlimit(limit)
    try:
        yield
        raised = sys.getrecursionlimit() > limit
    except RecursionError:
        count = len(_newest_first(output))
        where = f"In the graph that ends in {output.name}, which has only {count} values,"
        if count == DEEP:
            where = f"In a chain of {DEEP} operations"
        raise Hint(
            f"{where} your function calls itself too often for Python (RecursionError): keep a "
            "list of what is waiting, and loop."
        ) from None
    finally:
        sys.setrecursionlimit(before)
    if raised:
        raise Hint(
            "Your function raises Python's limit (sys.setrecursionlimit), and a deeper graph gets "
            "there, too: keep a list of what is waiting, and loop."
        )


# ----- the exercises -----

_RIGHT: dict[str, Callable[[float, float], tuple[float, float]]] = {
    "sub": lambda a, b: (1.0, -1.0),
    "div": lambda a, b: (1 / b, -a / b**2),
    "max": lambda a, b: (float(a > b), float(b > a)),
    "pow": lambda a, b: (b * a ** (b - 1), a**b * math.log(a)),
}


_AGAIN = (
    "The first call on a graph is right, and a second one on the same graph is not: is something "
    "of the first still there?"
)
_PAIRS = ((3.0, 2.0), (1.5, 2.5), (-2.0, -4.0))


@exercise
def local_slopes(learner: Function) -> None:
    """local_slopes(operation, a, b) -> the slopes along a and along b."""
    for operation, (a, b) in itertools.product(_RIGHT, _PAIRS):
        if operation == "pow":
            a = abs(a)
        right = _RIGHT[operation](a, b)
        got = result_for_case(
            learner, (operation, a, b), f"For {operation} at a = {a:g}, b = {b:g}",
            question="Does it compute what this operation does not ask for? (A dictionary of all "
            "results computes all four; one of functions, lambda a, b: ..., only what you take.)",
        )  # fmt: skip
        if not isinstance(got, tuple | np.ndarray) or np.shape(got) != (2,):
            raise Hint("It should return two numbers: the slope along a and the slope along b.")
        if close(got, right):
            continue
        where = f"{operation} at a = {a:g}, b = {b:g}: "
        if close(got[::-1], right):
            raise Hint(where + "the two slopes have changed places.")
        side = "b" if close(got[0], right[0]) else "a"
        if close(np.abs(got), np.abs(right)):
            raise Hint(where + f"a sign is wrong. If {side} grows a little, does the result grow?")
        if operation == "div" and side == "b":
            raise Hint(where + "the slope along b is wrong: what is the derivative of 1 / b?")
        if operation == "pow" and side == "b":
            raise Hint(
                where + "the slope along b is wrong: write the power as exp(b ln a), then derive."
            )
        larger = "a" if a > b else "b"
        if operation == "max" and got["ba".index(larger)] == 0:
            raise Hint(
                where + f"the 0 is right. If {larger} grows by a small step, how large is the step "
                "of the result?"
            )
        if operation == "max":
            raise Hint(
                where + "only the larger of the two decides the result. What happens to it if the "
                "smaller one moves a little?"
            )
        raise Hint(where + f"the slope along {side} is not what a small step of {side} shows.")


@exercise
def order(learner: Function) -> None:
    """order(output) -> all values behind it, each once, each before its inputs."""
    graphs = _graphs()
    for output, formula in graphs:
        right = _newest_first(output)
        with _shallow(output):
            got = result_of(learner, output)
        if isinstance(got, set | frozenset | Mapping):
            raise Hint(f"It should return a list, in order; yours is a {type(got).__name__}.")
        got = list(got) if isinstance(got, Iterable) else [got]
        with _shown(formula):
            _check_order(got, right)
    if list(learner(graphs[0][0])) != _newest_first(graphs[0][0]):
        raise Hint(_AGAIN)


@exercise
def backward(learner: Function) -> None:
    """backward(output) -> a dictionary from each value to its gradient."""
    graphs = _graphs()
    for output, formula in graphs:
        right = _walk(output, _newest_first(output))
        with _shallow(output), _no_entry(learner):
            got = result_of(learner, output)
        with _shown(formula):
            _check_keys(got, right)
            if not _same(got, right):
                raise Hint(_what_is_wrong(got, right, output))
    square = graphs[0][0]
    right, again = _walk(square, _newest_first(square)), learner(square)
    if not isinstance(again, dict) or not right.keys() <= again.keys() or not _same(again, right):
        raise Hint(_AGAIN)


def _check_order(got: list[Any], right: list[_Value]) -> None:
    if any(not isinstance(value, _Value) for value in got):
        raise Hint("It should return the values themselves, in a list.")
    if len(set(got)) < len(got):
        twice = next(value for value in got if got.count(value) > 1)
        raise Hint(
            f"{twice.name} is in your list twice: it is reached once for every use (by "
            f"{_users(twice, right)}), and must be listed once."
        )
    found = set(got)
    missing = [value.name for value in right if value not in found]
    if missing:
        raise Hint(
            f"{missing[0]} is missing. The list holds the output and everything it was "
            "computed from, down to the values without inputs."
        )
    place = {value: number for number, value in enumerate(got)}
    early = [
        (source, value) for value in got for source in value.inputs if place[source] < place[value]
    ]
    if early:
        if all(place[s] < place[v] for v in got for s in v.inputs):
            raise Hint("The right order, backwards: the output comes first.")
        raise Hint(
            f"{early[0][0].name} stands before {early[0][1].name}, which uses it "
            f"({_formula(early[0][1])}): when its turn comes, a gradient is still to arrive."
        )


def _check_keys(got: Any, right: dict[_Value, float]) -> None:
    if not isinstance(got, dict):
        raise Hint("It should return a dictionary from each value to its gradient.")
    missing = [value.name for value in right if value not in got]
    if missing:
        raise Hint(
            f"The dictionary has no entry for {missing[0]}: it needs each value behind the output, "
            "and the output itself, as a key."
        )


@contextlib.contextmanager
def _no_entry(learner: Function) -> Iterator[None]:
    """Where the learner's dictionary has no entry for a value: the diamond tells why."""
    try:
        yield
    except KeyError as error:
        missing = ""
        try:
            learner(_diamond())
        except KeyError as again:
            missing = str(again)  # the name, also of an error from another process
        if missing not in ("loss", "s", "u", "w", "x"):
            raise error from None
        where = "In u = w * x, s = u * u, loss = s + u,"
        if missing == "loss":
            said = "the output has no gradient when its turn comes: the pass begins with its 1."
        elif missing == "s":  # the first that the output sends to
            said = "there is nothing yet to which the first gradient of s can be added."
        else:
            said = (
                f"{missing} has its turn before any gradient has arrived: first all of its users, "
                "then itself."
            )
        raise Hint(f"{where} {said} (It stops with a KeyError.)") from None


def _same(got: dict[_Value, Any], grads: dict[_Value, float]) -> bool:
    return close([got[value] for value in grads], list(grads.values()))


def _what_is_wrong(got: dict[_Value, Any], right: dict[_Value, float], output: _Value) -> str:
    """The hint for a dictionary with the right keys and wrong gradients."""
    newest = _newest_first(output)
    if got[output] != 1:
        return (
            "The output's own gradient is 1, whatever its data: what else would a step of 1 "
            "change it by?"
        )
    if _same(got, _walk(output, newest, overwrite=True)):
        return (
            f"In {output.name} a value is used more than once, and only one of its gradients "
            "is there: they are added."
        )
    if _same(got, _walk(output, newest, start=1.0)):
        return (
            "Every gradient begins at 1, so each is 1 too large, and so is what it passes on: the "
            "output's alone is 1, all others begin at 0."
        )
    if _same(got, _walk(output, newest[::-1])):
        return (
            "It goes from the oldest value to the newest, so a value passes on before anything has "
            "arrived: begin at the output, newest first."
        )
    if any(_same(got, _walk(output, early(output))) for early in (_first_come, _last_come)):
        return (
            "A value passes its gradient on when the first one arrives, and what arrives later is "
            "lost: first all of its users, then itself."
        )
    if _same(got, _walk(output, newest, multiply=False)):
        return "You add up the slopes: each must be multiplied by its user's gradient."
    wrong = next(value for value in right if not close(got[value], right[value]))
    sent = [
        f"{slope:.3g} * {right[user]:.3g} from {user.name}"
        for user in right
        for source, slope in zip(user.inputs, user.slopes, strict=True)
        if source is wrong
    ]
    return (
        f"The gradient of {wrong.name} is {float(got[wrong]):.4g}, expected {right[wrong]:.4g}, "
        f"what its users send, slope times gradient: {', '.join(sent)}. All newer ones are right."
    )


def _formula(value: _Value) -> str:
    """What a value was computed from: "v3 from v2, v0"."""
    return f"{value.name} from {', '.join(dict.fromkeys(one.name for one in value.inputs))}"


def _users(value: _Value, values: Iterable[_Value]) -> str:
    return ", ".join(user.name for user in values if value in user.inputs)
