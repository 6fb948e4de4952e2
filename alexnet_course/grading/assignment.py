"""A lesson as nbgrader and otter-grader take it: the same notebook, whose checks give points.

Their graders run the whole notebook, in the process that grades: see docs/teaching.md for what that
means. `alexnet grade` needs neither.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from pathlib import Path
from typing import Any

from ..checks import Exercise
from .grade import NOTEBOOKS, checks_of, exercises_of
from .submission import Submission, SubmissionError, read

Notebook = dict[str, Any]
Cell = dict[str, Any]


_TO_THE_SOLUTION = re.compile(r"\[[^]]*\]\(solutions/[^)]*\)[.,;]? ?(and )?")


class AssignmentError(Exception):
    """A lesson that cannot be made an assignment."""


def write(number: int, program: str, folder: Path) -> list[Path]:
    """Write lesson `number` for "nbgrader" or "otter" into a folder; returns what was written.
    Raises AssignmentError for a lesson that is not there, and where a file is already."""
    found = sorted(NOTEBOOKS.glob(f"{number:02}_*.ipynb"))
    if not found:
        raise AssignmentError(
            f"there is no lesson {number} in {NOTEBOOKS}; the notebooks come with the sources"
        )
    lesson = found[0].stem
    notebook = json.loads(found[0].read_text("utf-8"))
    exercises = exercises_of(checks_of(lesson, found[0]))
    if not exercises:
        raise AssignmentError(f"lesson {lesson} has no exercises that a check could grade")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
        cell["source"] = _TO_THE_SOLUTION.sub("", _source(cell))
    files = {}
    if program == "nbgrader":
        _for_nbgrader(notebook, exercises, lesson)
    else:
        files = _for_otter(notebook, exercises, lesson)
    files[f"{lesson}.ipynb"] = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
    written = []
    for name, text in files.items():
        path = folder / name
        if path.exists():
            raise AssignmentError(f"{path}: is there already; delete it, or give another folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _source(cell: Cell) -> str:
    return "".join(cell["source"])


def _cell_of(notebook: Notebook, name: str) -> Cell:
    """The cell in which an exercise is to be filled in."""
    for cell in notebook["cells"]:
        tagged = "exercise" in cell["metadata"].get("tags", [])
        if tagged and f"def {name}(" in _source(cell):
            return cell  # type: ignore[no-any-return]
    raise AssignmentError(f"no cell with the tag exercise defines {name}")


def _check_cell(notebook: Notebook, name: str) -> Cell:
    """The cell that calls an exercise's check, and nothing else; a new one behind the exercise's
    where there is none."""
    call = f"check.{name}({name})"
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and _source(cell).strip() == call:
            return cell  # type: ignore[no-any-return]
    new: Cell = {"cell_type": "code", "id": f"check-{name}"[:64].replace("_", "-"), "metadata": {},
           "outputs": [], "execution_count": None, "source": call}  # fmt: skip
    place = notebook["cells"].index(_cell_of(notebook, name))
    notebook["cells"].insert(place + 1, new)
    return new


# ----- nbgrader -----


def _for_nbgrader(notebook: Notebook, exercises: list[Exercise], lesson: str) -> None:
    """Its metadata, schema 3; the answers stand between its marks, which it takes out of what
    learners get."""
    solution = _solution(lesson)
    own = {name for s in read(NOTEBOOKS / f"{lesson}.ipynb").statements for name in s.gives}
    for exercise in exercises:
        name = exercise.name
        cell, check = _cell_of(notebook, name), _check_cell(notebook, name)
        cell["source"] = _marked(_source(cell), name, solution, own)
        cell["metadata"]["nbgrader"] = _nbgrader(name, solution=True)
        check["source"] = f"check.{name}({name})\ncheck.{name}.must({name})"
        check["metadata"]["nbgrader"] = {
            **_nbgrader(f"check_{name}", grade=True, locked=True), "points": 1,
        }  # fmt: skip


def _nbgrader(identity: str, **flags: bool) -> dict[str, Any]:
    return {
        "schema_version": 3, "grade_id": identity, "task": False,
        **{flag: flags.get(flag, False) for flag in ("grade", "locked", "solution")},
    }  # fmt: skip


def _solution(lesson: str) -> Submission | None:
    try:
        return read(NOTEBOOKS / "solutions" / f"{lesson}.ipynb")
    except SubmissionError:
        return None


def _marked(text: str, name: str, solution: Submission | None, own: set[str]) -> str:
    """The cell of an exercise with the answer, or what stands for it, between nbgrader's marks."""
    function = _function(text, name)
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    lines = text.splitlines()
    head, tail = lines[: body[0].lineno - 1], lines[body[-1].end_lineno :]
    answer = (solution and _answer(solution, name, own)) or "raise NotImplementedError"
    answer = f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION"
    return "\n".join([*head, textwrap.indent(answer, "    "), *tail])


def _answer(solution: Submission, name: str, own: set[str]) -> str | None:
    """What the body of a function is in the solution; None if it needs more than imports. own: the
    names that the lesson has itself."""
    program = solution.program(name)
    others = [s.node for s in program if name not in s.gives and not s.gives <= own]
    if not program or not all(isinstance(node, ast.Import | ast.ImportFrom) for node in others):
        return None
    text = solution.cells[program[-1].cell]
    function = _function(text, name)
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    lines = textwrap.dedent("\n".join(text.splitlines()[body[0].lineno - 1 : body[-1].end_lineno]))
    return "\n".join([*(ast.unparse(node) for node in others), lines])


def _function(text: str, name: str) -> ast.FunctionDef:
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    raise AssignmentError(f"no function {name} in the cell of the exercise")


# ----- otter-grader -----

_CHECKS = "checks"  # the folder
_OTTER_TEST = '''\
OK_FORMAT = False

from otter.test_files import test_case

name = "{name}"
points = 1


@test_case(points=1, hidden=False)
def test_{name}({name}):
    from alexnet_course import n{lesson} as check

    check.{name}.must({name})
'''


def _for_otter(notebook: Notebook, exercises: list[Exercise], lesson: str) -> dict[str, str]:
    """`grader.check` behind the checks; returns the files of its tests."""
    files = {}
    for exercise in exercises:
        name = exercise.name
        check = _check_cell(notebook, name)
        check["source"] = f'check.{name}({name})\ngrader.check("{name}")'
        files[f"{_CHECKS}/{name}.py"] = _OTTER_TEST.format(name=name, lesson=lesson)
    first = next(i for i, c in enumerate(notebook["cells"]) if c["cell_type"] == "code")
    start = f'import otter\n\ngrader = otter.Notebook("{lesson}.ipynb", tests_dir="{_CHECKS}")'
    notebook["cells"].insert(
        first, {"cell_type": "code", "id": "otter", "metadata": {}, "outputs": [],
                "execution_count": None, "source": start},
    )  # fmt: skip
    return files
