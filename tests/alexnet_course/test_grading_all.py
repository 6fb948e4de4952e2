"""Every lesson graded in another process says what its checks say in one."""

import importlib
import re
import runpy
from pathlib import Path

import pytest
from handed_in import SOURCE, notebook

from alexnet_course.grading import grade, submission

LESSONS = sorted(path.stem for path in SOURCE.glob("[0-9]*.py"))


def solution(lesson, edits=()):
    """The solution as a submission, as wrong as these edits make it."""
    text = (SOURCE / "solutions" / f"{lesson}.py").read_text("utf-8")
    for old, new in edits:
        text = text.replace(old, new)
    parts = [part.partition("\n") for part in re.split(r"^# %%", text, flags=re.MULTILINE)]
    cells = {i: body for i, (head, _, body) in enumerate(parts) if "[markdown]" not in head}
    return submission.Submission(Path(f"{lesson}.ipynb"), "anna", cells)


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS)
def test_the_solution_is_right_and_an_unsolved_notebook_is_not(lesson, tmp_path):
    checks = importlib.import_module(f"alexnet_course.n{lesson}")
    with grade._Run(solution(lesson), checks, grade.Limits(60)) as run:
        assert [s.verdict for s in map(run.score, grade.asked_of(checks)) if not s.right] == []
    path = tmp_path / f"{lesson}.ipynb"
    path.write_text(notebook(lesson, {}), "utf-8")
    said = grade.grade(grade.Task(path, None, False, None, grade.Limits(60)))
    assert said.lesson == lesson
    assert said.points == 0
    assert {s.verdict.partition(": ")[2] for s in said.scores} <= {
        "not filled in yet.", "not answered yet.",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS)
def test_a_wrong_answer_gets_its_hint_from_the_other_process(lesson):
    wrong = runpy.run_path(str(Path(__file__).with_name("wrong_answers") / f"{lesson}.py"))["WRONG"]
    checks = importlib.import_module(f"alexnet_course.n{lesson}")
    with grade._Run(solution(lesson), checks, grade.Limits(60)) as run:
        for function, answers in wrong.items():
            exercise = getattr(checks, function.partition("_by_")[0])
            for *edits, words in answers:
                given = solution(lesson, [tuple(edits)] if isinstance(edits[0], str) else edits[0])
                if function != exercise.name:  # a second solution of the exercise
                    given.cells[999] = f"{exercise.name} = {function}"
                    given = submission.Submission(given.path, "anna", given.cells)
                run._submission = given
                assert words in run.score(exercise).verdict
