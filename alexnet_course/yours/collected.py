"""The learner's functions out of the notebooks in a folder, and the operations made of them."""

from __future__ import annotations

import ast
import contextlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import minigrad as mg

from ..grading.submission import SubmissionError, read
from . import walk
from .halves import Function
from .parts import PARTS
from .pieces import PIECES, Piece
from .plugged import RIGHT, Plugged, judged, lessons, state_of_piece

NETWORK = ("conv2d", "relu", "lrn", "max_pool2d", "linear", "dropout", "cross_entropy")
BESIDE = ("backward", "sgd_step", "lsuv", "all_places", "subtract_mean", "colour_shift")


class Yours:
    """The network's operations, each with the learner's functions where those are right.

    `functions` and `verdicts` by exercise. Operations take tensors, and options as numbers:
    conv2d(x, weight, bias, stride, padding, groups), relu(x), lrn(x, n, k, alpha, beta, groups),
    max_pool2d(x, size, stride), linear(x, weight, bias), dropout(x, p, key),
    cross_entropy(logits, labels).
    """

    conv2d: Callable[..., mg.Tensor]
    relu: Callable[..., mg.Tensor]
    lrn: Callable[..., mg.Tensor]
    max_pool2d: Callable[..., mg.Tensor]
    linear: Callable[..., mg.Tensor]
    dropout: Callable[..., mg.Tensor]
    cross_entropy: Callable[..., mg.Tensor]

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = dict(functions)
        self.verdicts = {
            name: judged(lesson, name, functions.get(name))
            for lesson, names in lessons().items()
            for name in names
        }
        self.operations = {
            part.name: Plugged(part, self.verdicts, self.functions)
            for part in PARTS
            if part.name in NETWORK
        }
        for piece in PIECES:
            name = piece.exercise
            self.verdicts[name] = state_of_piece(piece, self.verdicts[name], functions.get(name))
        self.pieces = {piece.exercise: self._piece(piece) for piece in PIECES}
        for name, operation in self.operations.items():
            setattr(self, name, operation)

    def _piece(self, piece: Piece) -> Function:
        if self.verdicts[piece.exercise] != RIGHT:
            return piece.ready
        return piece.adapt(self.functions[piece.exercise])

    def backward(self, loss: mg.Tensor) -> None:
        """Add d loss / d leaf to `grad` of every leaf, by the learner's walk if it is right."""
        leaves = walk.leaves(loss)
        for leaf, grad in zip(leaves, self.pieces["backward"](loss, leaves), strict=True):
            leaf.grad = mg.Tensor(grad if leaf.grad is None else leaf.grad.data + grad)

    def in_use(self) -> list[str]:
        """The exercises whose functions the network computes with."""
        names = [by for operation in self.operations.values() for by in operation.by if by]
        names += [name for name in BESIDE if self.verdicts[name] == RIGHT]
        return list(dict.fromkeys(names))

    def table(self) -> str:
        """A line for each part of the network: whose it is, and why."""
        rows = []
        for name, operation in self.operations.items():
            ways = operation.part.forwards, operation.part.backwards or operation.part.forwards
            for half, by, possible in zip(("forward", "backward"), operation.by, ways, strict=True):
                why = [
                    f"{way.exercise} {self._state(operation, half, way.exercise)}"
                    for way in possible
                ]
                ready = f"ready-made ({', '.join(why) or 'no exercise asks for it'})"
                rows.append((f"{name} {half}", f"your {by}" if by else ready))
        for name in BESIDE:
            right = self.verdicts[name] == RIGHT
            rows.append((name, "yours" if right else f"ready-made ({self.verdicts[name]})"))
        return "\n".join(f"{name:24}{whose}" for name, whose in rows)

    def _state(self, operation: Plugged, half: str, name: str) -> str:
        if f"{half} {name}" in operation.stopped:
            return operation.stopped[f"{half} {name}"]
        if f"{half} {name}" in operation.skipped:
            return "too slow here"
        return self.verdicts[name]


def collect(folder: str | Path = ".") -> Yours:
    """Read the learner's functions from the notebooks of the course in `folder`, as they were
    saved, and judge them. Of a notebook only those statements run that define these functions.

    Whatever is not there, not filled in or not right has minigrad's in its place.
    """
    found: dict[str, Function] = {}
    for lesson, names in lessons().items():
        path = Path(folder) / f"{lesson}.ipynb"
        if path.exists():
            for name in names:
                function = _function(path, name)
                if function is not None:
                    found[name] = function
    return Yours(found)


def _function(path: Path, name: str) -> Function | None:
    """A function of a notebook, or None where it has none or it cannot be defined."""
    try:
        program = read(path).program(name)
    except SubmissionError:
        return None
    namespace: dict[str, Any] = {"__name__": path.stem}
    body = ast.Module([statement.node for statement in program], [])
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(compile(body, str(path), "exec"), namespace)
    except Exception:  # the learner's code: then there is no such function
        return None
    function = namespace.get(name)
    return function if callable(function) else None


def ready_made() -> Yours:
    """The same network with nothing of the learner's in it: minigrad's."""
    return Yours({})
