"""Checks of a learner's function: the first thing that is wrong with it, in words.

    @exercise
    def window_sum(learner):
        if learner(np.ones(3), 5) ...:
            raise Hint("The sum runs over the neighbours of i: do both ends count?")

A check cell calls it with the function of the notebook: it prints "right", that the function is not
filled in yet, or the hint. `window_sum.verdict(function)` returns the text, for tests.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Function = Callable[..., Any]
_seed: contextvars.ContextVar[int | None] = contextvars.ContextVar("seed", default=None)


def generator(number: int) -> np.random.Generator:
    """Random numbers for a check's inputs: the same for everybody, or, within `own_inputs`, a
    learner's own. Every check draws from here."""
    own = _seed.get()
    return np.random.default_rng(number if own is None else [own, number])


@contextlib.contextmanager
def own_inputs(seed: int | None) -> Iterator[None]:
    """The checks draw other inputs, which depend on `seed`: a copied number then is wrong.

        with own_inputs(12):
            check.conv_forward(conv_forward)
    """
    token = _seed.set(seed)
    try:
        yield
    finally:
        _seed.reset(token)


class Hint(Exception):  # noqa: N818  (a word to the learner, not an error)
    """What is wrong with the learner's function, and what to look at."""


class Exercise:
    """A check that is called with the learner's function and prints its verdict."""

    def __init__(self, check: Callable[[Function], None]) -> None:
        functools.update_wrapper(self, check)
        self.name = check.__name__
        self._check = check

    def __call__(self, learner: Function) -> None:
        print(self.verdict(learner))

    def must(self, learner: Function) -> None:
        """Raise AssertionError with the verdict unless it is right: for graders that run cells."""
        verdict = self.verdict(learner)
        if verdict != f"{self.name}: right.":
            raise AssertionError(verdict)

    def verdict(self, learner: Function) -> str:
        """One line: right, not filled in yet, or what is wrong."""
        try:
            with np.errstate(all="ignore"):
                self._check(learner)
        except NotImplementedError:
            return f"{self.name}: not filled in yet."
        except Hint as hint:
            return f"{self.name}: not yet. {hint}"
        except Exception as error:
            return (
                f"{self.name}: your function stopped with {type(error).__name__}: {error}"
                f"{_line_of(error, learner)}"
            )
        return f"{self.name}: right."

    def is_right(self, learner: Function) -> bool:
        """Whether the learner's function passes."""
        return self.verdict(learner) == f"{self.name}: right."

    def chosen(
        self, learner: Function, ready: Function, yours: str = "your function",
        ours: str = "ours, as yours is not right yet",
    ) -> tuple[Function, str]:  # fmt: skip
        """The learner's function if it is right, else `ready`; and a word on whose it is."""
        return (learner, yours) if self.is_right(learner) else (ready, ours)


def exercise(check: Callable[[Function], None]) -> Exercise:
    """Make an `Exercise` of a function that takes the learner's function and raises `Hint`."""
    return Exercise(check)


def _line_of(error: Exception, learner: Function) -> str:
    """The line of the learner's function where an error came up."""
    if line := getattr(error, "learner_line", ""):  # it came up in another process
        return f" (in the line: {line})"
    code = getattr(learner, "__code__", None)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if code is not None and frame.filename == code.co_filename and frame.line:
            return f" (in the line: {frame.line})"
    return ""


def result_of(learner: Function, *args: Any, shape: tuple[int, ...] | None = None) -> Any:
    """What the learner's function returns for these arguments, after the usual first mistakes:
    nothing returned, a wrong shape, NaN, an argument changed. Raises Hint. A list comes back as
    a tuple."""
    before = [a.copy() if isinstance(a, np.ndarray | list) else a for a in args]
    result = learner(*args)
    if result is None:
        raise Hint("It returns None: is there a `return` at the end?")
    for index, (old, new) in enumerate(zip(before, args, strict=True)):
        if not _unchanged(old, new):
            kind = "array" if isinstance(new, np.ndarray) else "list"
            raise Hint(
                f"It changes the {kind} it was given{_name_of(learner, index)}: work on a copy, or "
                "make a new one."
            )
    if shape is not None and np.shape(result) != shape:
        raise Hint(f"It returns an array of shape {np.shape(result)}, expected {shape}.")
    if shape is not None and not np.isfinite(result).all():
        raise Hint("It returns NaN or infinity: do you divide by zero, or leave an array empty?")
    return tuple(result) if isinstance(result, list) else result


def result_for_case(
    learner: Function, args: tuple[Any, ...], case: object, sofar: str = "", question: str = ""
) -> Any:
    """`result_of`; where the function stops with an index or a shape, the hint says for which case
    ("For a map of ..."), what was right before it, and asks the question."""
    try:
        return result_of(learner, *args)
    except (IndexError, ValueError) as error:
        said = str(error).strip().rstrip(".")
        raise Hint(
            f"{sofar}{case}, it stops with {type(error).__name__}: {said}"
            f"{_line_of(error, learner)}. {question}".rstrip()
        ) from None


def _unchanged(old: Any, new: Any) -> bool:
    if isinstance(new, np.ndarray):
        return np.array_equal(old, new, equal_nan=new.dtype.kind in "fc")
    if not isinstance(new, list):
        return True
    return len(old) == len(new) and all(map(np.array_equal, old, new))


def _name_of(learner: Function, index: int) -> str:
    """The name that the learner's function gives to an argument, in brackets."""
    try:
        return f" ({list(inspect.signature(learner).parameters)[index]})"
    except (ValueError, TypeError, IndexError):
        return ""


def close(actual: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    """Whether two arrays agree to `tolerance`, relative to the largest element expected."""
    scale = max(float(np.max(np.abs(expected), initial=0.0)), 1e-30)
    return bool(np.max(np.abs(np.asarray(actual) - expected), initial=0.0) <= tolerance * scale)
