"""A check takes every right answer, however it is written.

right_answers/NN_name.py holds RIGHT: for each exercise, bodies of functions that are right, each
another way than the solution.
"""

import importlib
import inspect
import runpy
import textwrap
from pathlib import Path

import numpy as np
import pytest

RIGHT = {
    path.stem: runpy.run_path(str(path))["RIGHT"]
    for path in sorted(Path(__file__).with_name("right_answers").glob("*.py"))
}


def written(solution, body):
    """A function with the solution's arguments and this body; the solution's names are there."""
    arguments = ", ".join(inspect.signature(solution).parameters)
    names = {**solution.__globals__, "np": np}
    exec(f"def {solution.__name__}({arguments}):\n{textwrap.indent(body, '    ')}", names)
    return names[solution.__name__]


@pytest.mark.parametrize(
    ("notebook", "exercise", "body"),
    [(n, e, b) for n, exercises in RIGHT.items() for e in exercises for b in exercises[e]],
)
def test_another_right_answer_is_right(solutions, notebook, exercise, body):
    check = getattr(importlib.import_module(f"alexnet_course.n{notebook}"), exercise)
    learner = written(getattr(solutions(notebook), exercise), body)
    assert check.verdict(learner) == f"{exercise}: right."


def test_each_exercise_has_at_least_five_right_answers_with_the_solution():
    assert all(len(bodies) >= 4 for exercises in RIGHT.values() for bodies in exercises.values())
