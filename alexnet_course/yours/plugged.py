"""The learner's functions, judged, and put in minigrad's place where they are right."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

import minigrad as mg

from .halves import Array, Function
from .parts import PARTS, Clock, Part, Way, as_function
from .pieces import PIECES, Piece

RIGHT, WRONG, OPEN = "right", "not right yet", "not filled in"
_TIMES = 3  # the fastest of so many counts
_TOLERANCE = 1e-6


def lessons() -> dict[str, tuple[str, ...]]:
    """The functions that each lesson gives to the network."""
    named: dict[str, tuple[str, ...]] = {}
    for part in PARTS:
        named[part.lesson] = named.get(part.lesson, ()) + part.exercises
    for piece in PIECES:
        named[piece.lesson] = (*named.get(piece.lesson, ()), piece.exercise)
    return dict(sorted(named.items()))


def judged(lesson: str, exercise: str, function: Function | None) -> str:
    """RIGHT, WRONG or OPEN, by the lesson's own check, whatever the function prints."""
    if function is None:
        return OPEN
    check = getattr(importlib.import_module(f"alexnet_course.n{lesson}"), exercise)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        said = check.verdict(function)
    if said == f"{exercise}: not filled in yet.":
        return OPEN
    return RIGHT if said == f"{exercise}: right." else WRONG


@dataclass
class Plugged:
    """An operation as it is computed now: by the learner's functions, or minigrad's halves."""

    part: Part
    verdicts: Mapping[str, str]  # of the lesson's exercises
    functions: Mapping[str, Function]
    skipped: set[str] = field(default_factory=set)  # "forward columns": too slow, or stopped
    stopped: dict[str, str] = field(default_factory=dict)  # of those, why: right by its check only
    used: type[mg.Function] = field(init=False)
    clock: Clock = field(default_factory=Clock)
    by: tuple[str, str] = field(init=False)  # whose forward and backward: an exercise, or ""

    def __post_init__(self) -> None:
        self.choose()

    def choose(self) -> None:
        """Take the first way that is right and not skipped, for each half."""
        forward = self._first("forward", self.part.forwards)
        backward = self._first("backward", self.part.backwards)
        by_forward = "" if forward is None else forward.exercise
        by_backward = "" if backward is None else backward.exercise
        if not self.part.backwards:  # forward has computed it already
            by_backward = by_forward
        self.by = by_forward, by_backward
        self.used = as_function(
            self.part.name,
            self.part.forward if forward is None else forward.make(self.functions[by_forward]),
            self.part.backward if backward is None else backward.make(self.functions[by_backward]),
            self.clock,
        )

    def _first(self, half: str, ways: tuple[Way, ...]) -> Way | None:
        for way in ways:
            name = way.exercise
            if self.verdicts.get(name) != RIGHT or f"{half} {name}" in self.skipped:
                continue
            if self._agrees(half, way):
                return way
            self.skipped.add(f"{half} {name}")
        return None

    def _agrees(self, half: str, way: Way) -> bool:
        """Whether it does on a batch what minigrad does: the lesson's check knows one image."""
        name = way.exercise
        try:
            compared = compare_way(self.part, half, way, self.functions[name], times=1)
        except Exception as error:  # the learner's code
            self.stopped[f"{half} {name}"] = f"stopped with {type(error).__name__} on a batch"
            return False
        if max(compared.forward, compared.backward) > _TOLERANCE:
            self.stopped[f"{half} {name}"] = "not right on a batch"
            return False
        return True

    def __call__(self, *args: Any) -> mg.Tensor:
        """The operation on tensors, its options as Python values."""
        return self.used.apply(*args)


@dataclass
class Compared:
    """An operation beside minigrad's, on the same inputs: how far apart, and how long each took."""

    forward: float  # the largest difference, in units of the largest number
    backward: float
    seconds: tuple[float, float]  # forward and backward
    ready_seconds: tuple[float, float]


def compare(part: Part, used: type[mg.Function], times: int = _TIMES) -> Compared:
    """Run an operation and minigrad's on the same four images or so, in float64."""
    args = part.example(np.random.default_rng(0))
    ready = as_function(part.name, part.forward, part.backward)
    y, grads, seconds = _run(used, args, times)
    ready_y, ready_grads, ready_seconds = _run(ready, args, times)
    apart = max(map(_apart, grads, ready_grads), default=0.0)
    return Compared(_apart(y, ready_y), apart, seconds, ready_seconds)


def compare_way(
    part: Part, half: str, way: Way, function: Function, times: int = _TIMES
) -> Compared:
    """The same with this half alone made of the learner's function."""
    made = way.make(function)
    halves = (made, part.backward) if half == "forward" else (part.forward, made)
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        return compare(part, as_function(part.name, *halves), times)


def _run(
    function: type[mg.Function], args: tuple[Any, ...], times: int
) -> tuple[Any, Any, tuple[float, float]]:
    """y, the gradients, and the seconds of forward and backward."""
    forwards, backwards = [], []
    for _ in range(times):
        tensors = [
            mg.tensor(a, requires_grad=True)
            if isinstance(a, np.ndarray) and a.dtype.kind == "f"
            else a
            for a in args
        ]
        start = perf_counter()
        y = function.apply(*tensors)
        forwards.append(perf_counter() - start)
        grad = np.random.default_rng(1).standard_normal(y.shape)
        start = perf_counter()
        y.backward(mg.tensor(grad))
        backwards.append(perf_counter() - start)
    grads = [t.grad.data for t in tensors if isinstance(t, mg.Tensor) and t.grad is not None]
    return y.data, grads, (min(forwards), min(backwards))


def _apart(a: Array, b: Array) -> float:
    return float(np.max(np.abs(a - b)) / max(float(np.max(np.abs(b))), 1e-300))


def compare_piece(piece: Piece, function: Function) -> tuple[float, float, float]:
    """How far its result is from that of the function it replaces, and the seconds of both."""
    (got, mine), (expected, theirs) = (
        _best(f, piece.example) for f in (piece.adapt(function), piece.ready)
    )
    if not isinstance(expected, tuple):
        got, expected = (got,), (expected,)
    pairs = zip(got, expected, strict=True)
    apart = max(_apart(np.asarray(a, float), np.asarray(b, float)) for a, b in pairs)
    return apart, mine, theirs


def state_of_piece(piece: Piece, verdict: str, function: Function | None) -> str:
    """The verdict, unless the function is right by its check and not on the network's numbers."""
    if verdict != RIGHT or function is None:
        return verdict
    try:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            apart, _, _ = compare_piece(piece, function)
    except Exception as error:  # the learner's code
        return f"stopped with {type(error).__name__} on the network's numbers"
    return RIGHT if apart <= _TOLERANCE else "not right on the network's numbers"


def _best(
    function: Function, example: Callable[[np.random.Generator], tuple[Any, ...]]
) -> tuple[Any, float]:
    seconds = []
    for _ in range(_TIMES):
        args = example(np.random.default_rng(0))
        start = perf_counter()
        result = function(*args)
        seconds.append(perf_counter() - start)
    return result, min(seconds)
