"""Questions that are answered with a letter or a number, and predictions, judged in words.

    why_add = Choice(
        "why_add", "b", "Each use moves the loss, and the moves add up.",
        wrong={"a": "An average would ...", "c": "The largest one ..."},
    )
    calls = Number(
        "calls", 2_097_151, "Each operation doubles the number of ways.", prediction=True,
        typical={21: "That is the number of values."}, small="...", large="...",
    )

The question itself stands in the notebook's text. Below it comes a cell with the tag "answer" that
holds `why_add = None`, and then (for a prediction: after what it predicts) a cell that calls
`check.why_add(why_add)`: it prints one line, as the checks of functions do (`checks.Exercise`).
`why_add.verdict(answer)` returns the line, for tests. The solutions have `why_add = "b"` in a cell
with the tag "solution".

A question is done when its line says "right."; a prediction is done when it was made: "right." or
"not so." Both say "not answered yet." before, and "not yet." to a wrong answer to a question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .checks import Hint

UNANSWERED = (None, ..., "", "?")


class Question:
    """What is asked under a name, and what is said to an answer; see `Choice` and `Number`."""

    def __init__(self, name: str, because: str, prediction: bool) -> None:
        self.name = name
        self.prediction = prediction
        self._because = because

    def __call__(self, answer: Any, happened: Any = None) -> None:
        """Print the verdict. `happened`: what a prediction is compared with, if the run of this
        notebook decides it; else it is the answer that the question was made with."""
        print(self.verdict(answer, happened))

    def must(self, answer: Any) -> None:
        """Raise AssertionError with the verdict unless it is done: for graders that run cells."""
        verdict = self.verdict(answer)
        if not done(verdict):
            raise AssertionError(verdict)

    def verdict(self, answer: Any, happened: Any = None) -> str:
        """One line: not answered yet, right and why, or what is wrong with the answer."""
        if isinstance(answer, str | None | type(...)) and answer in UNANSWERED:
            return f"{self.name}: not answered yet."
        try:
            is_right, said = self._judge(answer, happened)
        except Hint as hint:  # no letter, no number
            return f"{self.name}: not yet. {hint}"
        wrong = "not so." if self.prediction else "not yet."
        return f"{self.name}: {'right.' if is_right else wrong} {said}"

    def _judge(self, answer: Any, happened: Any) -> tuple[bool, str]:
        """Whether the answer is right, and what to say. Raises Hint if it is none."""
        raise NotImplementedError


class Choice(Question):
    """A letter out of several. `wrong` has a sentence for each wrong one."""

    def __init__(
        self,
        name: str,
        right: str,
        because: str,
        *,
        wrong: Mapping[str, str],
        prediction: bool = False,
    ) -> None:
        super().__init__(name, because, prediction)
        self._right, self._wrong = right, dict(wrong)
        if right in wrong or len(set(wrong.values())) < len(wrong) or not all(wrong.values()):
            raise ValueError(f"{name}: each wrong choice needs a sentence of its own")

    def _judge(self, answer: Any, happened: Any) -> tuple[bool, str]:
        letters = sorted([self._right, *self._wrong])
        letter = answer.strip(" ().").lower() if isinstance(answer, str) else answer
        if letter not in letters:
            choices = ", ".join(f'"{one}"' for one in letters)
            raise Hint(f"Answer with one of {choices}, quotation marks too; yours is {answer!r}.")
        right = self._right if happened is None else happened
        outcome = f"You said ({letter}), and it was ({right}). " if self.prediction else ""
        return letter == right, outcome + self._wrong.get(letter, self._because)


class Number(Question):
    """A number, right if it is at most `within` away, or differs at most by `factor`.

    `typical`: a sentence for each number that is likely to be given and wrong; `small` and `large`
    are for all others. A prediction always says why (`because`), whatever was predicted.
    """

    def __init__(
        self,
        name: str,
        right: float,
        because: str,
        *,
        small: str,
        large: str,
        typical: Mapping[float, str] | None = None,
        within: float = 0.0,
        factor: float = 1.0,
        prediction: bool = False,
    ) -> None:
        super().__init__(name, because, prediction)
        self._right, self._small, self._large = right, small, large
        self._typical = dict(typical or {})
        self._within, self._factor = within, factor
        if any(self._near(value, right) for value in self._typical):
            raise ValueError(f"{name}: a number in `typical` would count as right.")

    def _near(self, value: float, right: float) -> bool:
        low, high = sorted((right / self._factor, right * self._factor))
        slack = self._within + 1e-9 * abs(right)
        return low - slack <= value <= high + slack

    def _judge(self, answer: Any, happened: Any) -> tuple[bool, str]:
        value = _as_number(answer)
        right = self._right if happened is None else float(happened)
        outcome = f"You said {_text(value)}, and it was {_text(right)}. " if self.prediction else ""
        if self._near(value, right):
            return True, outcome + self._because
        said = self._small if value < right else self._large
        for number, sentence in self._typical.items():
            if math.isclose(value, number, rel_tol=0.005):
                said = sentence
        return False, f"{outcome}{said} {self._because}" if self.prediction else said


def done(verdict: str) -> bool:
    """Whether the line of a question or an exercise says that nothing more is to be done."""
    _, _, said = verdict.partition(": ")
    return said.startswith(("right.", "not so."))


def _as_number(answer: Any) -> float:
    if isinstance(answer, tuple):
        raise Hint(f"{answer} is a tuple: write a number without commas, 12_345.6 or 12345.6.")
    if isinstance(answer, str):
        raise Hint(f"{answer!r} is a text: write the number without quotation marks.")
    if np.size(answer) != 1 or np.asarray(answer).dtype.kind not in "iuf":
        raise Hint(f"A number is expected; yours is {answer!r}.")
    value = float(np.asarray(answer).item())
    if not math.isfinite(value):
        raise Hint(f"A finite number is expected; yours is {value}.")
    return value


def _text(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:.4g}"
