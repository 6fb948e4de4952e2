"""Every check of the course takes the solution, and tells wrong answers apart.

wrong_answers/NN_name.py holds WRONG: for each function of the solution, and each answer to a
question, the edits that make it wrong, and words of the hint that the learner must then read. An
entry is (old, new, words), or ([(old, new), ...], words).
"""

import importlib
import runpy
from pathlib import Path

import pytest

WRONG = {
    path.stem: runpy.run_path(str(path))["WRONG"]
    for path in sorted(Path(__file__).with_name("wrong_answers").glob("*.py"))
}


def verdict(solution, notebook, function):
    """What the check says. A second solution of an exercise is called EXERCISE_by_SOMETHING."""
    checks = importlib.import_module(f"alexnet_course.n{notebook}")
    exercise, _, _ = function.partition("_by_")
    return getattr(checks, exercise).verdict(getattr(solution, function))


@pytest.mark.parametrize(
    ("notebook", "function"), [(n, f) for n, functions in WRONG.items() for f in functions]
)
def test_the_solution_is_right(solutions, notebook, function):
    exercise, _, _ = function.partition("_by_")
    said = verdict(solutions(notebook), notebook, function)
    assert said.startswith(f"{exercise}: right.")


@pytest.mark.parametrize(
    ("notebook", "function", "wrong"),
    [(n, f, w) for n, functions in WRONG.items() for f in functions for w in functions[f]],
)
def test_a_wrong_answer_gets_its_hint(solutions, notebook, function, wrong):
    *edits, words = wrong
    if isinstance(edits[0], str):
        edits = [[tuple(edits)]]
    said = verdict(solutions(notebook, *edits[0]), notebook, function)
    assert "not yet." in said or "not so." in said  # of a prediction
    assert words in said


def test_every_notebook_has_wrong_answers():
    lessons = Path(__file__).resolve().parents[2].glob("notebooks/source/[0-9]*.py")
    assert sorted(WRONG) == sorted(path.stem for path in lessons)
