"""The learner's copies of the lessons, in a folder of the learner's own.

A copy of a lesson comes without outputs: they would show below each prediction what comes of it. A
copy is written once. What the learner has changed in it is never overwritten: a lesson that was
changed upstream is taken over only where the copy is still as it was written, or when asked for,
and then answers come along and the old copy is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

from minigrad.files import write_text

from ..data import DataError
from ..names import did_you_mean
from . import notebook as nb

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"  # beside the packages, in a clone
RECORD = ".alexnet-course.json"  # in the folder: which lesson each copy was made from
OLD = "old"  # in the folder: copies that gave way to a newer lesson
_LESSONS = "[0-9][0-9]_*.ipynb"


class Made(NamedTuple):
    """What `make` has done: names of notebooks that are new, that were renewed (nobody had changed
    them), and whose lesson is newer than the learner's copy, which stays."""

    new: list[str]
    renewed: list[str]
    newer: list[str]


class Lesson(NamedTuple):
    """A lesson as the learner has it."""

    number: int
    name: str  # of its file
    title: str
    progress: nb.Progress
    done: bool


def find_lessons(folder: Path) -> dict[int, Path]:
    """The lessons of a folder by number. Raises DataError where there are none."""
    lessons = {int(path.name[:2]): path for path in sorted(folder.glob(_LESSONS))}
    if not lessons:
        raise DataError(
            f"{folder}: no notebooks there; they come with the sources: clone the repository, then "
            "`make notebooks`"
        )
    return lessons


def overview(folder: Path) -> list[Lesson]:
    """Every lesson, as the copies in `folder` are saved. Without exercises one is done when it was
    saved with anything changed: run, that is."""
    record, found = _record(folder), []
    for number, original in find_lessons(NOTEBOOKS).items():
        copy = folder / original.name
        name, progress, begun = original.stem, nb.Progress(0, 0), False
        try:
            notebook = nb.read(copy)
            names = nb.answers(nb.read(original))
            name, progress = nb.title(notebook) or name, nb.progress(notebook, names)
            begun = nb.checksum(copy.read_bytes()) != _written(record, original.name)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            pass  # damaged, or not there: nothing is known of it
        done = progress.done and (progress.asked > 0 or begun)
        found.append(Lesson(number, original.name, name, progress, done))
    return found


def next_lesson(lessons: list[Lesson]) -> Lesson | None:
    """The first that is not done."""
    return next((lesson for lesson in lessons if not lesson.done), None)


def make(folder: Path) -> Made:
    """Copy what is not there yet, with its solutions, for git to leave alone."""
    if folder.resolve().is_relative_to(NOTEBOOKS.resolve()):
        raise DataError(f"{folder}: the lessons themselves are there; copies need another folder")
    made, record = Made([], [], []), _record(folder)
    lessons = [path.relative_to(NOTEBOOKS) for path in find_lessons(NOTEBOOKS).values()]
    solutions = sorted(p.relative_to(NOTEBOOKS) for p in NOTEBOOKS.glob(f"solutions/{_LESSONS}"))
    before = _outdated(folder, {path.name for path in lessons})
    for path in [*lessons, *solutions]:
        name, copy = path.as_posix(), folder / path
        known = record.get(name, {}).get("lesson")
        if not copy.exists():
            made.new.append(name)
            _write(folder, name, record, {} if path in solutions else before)
        elif known != _checksum_of(_to_copy(name)):
            if nb.checksum(copy.read_bytes()) == _written(record, name):
                made.renewed.append(name)
                _write(folder, name, record, {})
            elif known or not _same_lesson(copy, NOTEBOOKS / path):
                made.newer.append(name)
    _keep(folder, record)
    return made


def update(folder: Path, name: str) -> Path:
    """Take over a newer lesson with the answers of the old copy. Returns where that is kept."""
    copy, record = folder / name, _record(folder)
    answers = nb.answers(_own(copy))
    number = 1
    while (kept := folder / OLD / f"{copy.stem}-{number}.ipynb").exists():
        number += 1
    kept.parent.mkdir(exist_ok=True)
    copy.rename(kept)
    _write(folder, name, record, answers)
    _keep(folder, record)
    return kept


def reset(folder: Path, name: str, exercise: str) -> bool:
    """Put an exercise back to how it came; the learner's text stays below it, as text.

    Returns whether it was another. Raises DataError, naming the exercises, for an unknown one.
    """
    copy = folder / name
    notebook = _own(copy)
    original = nb.answers(nb.read(NOTEBOOKS / name))
    if exercise not in original:
        near = did_you_mean(exercise, original)
        known = ", ".join(original) or "none"
        raise DataError(f"{name}: there is no exercise {exercise!r}{near}; there are {known}")
    text = original[exercise]
    cells = notebook["cells"]
    place = next((i for i, cell in enumerate(cells) if exercise in nb.asked(cell)), None)
    if place is None:
        raise DataError(
            f"{copy}: the cell of {exercise} is not in your copy any more: --update in place of "
            "--reset takes the lesson anew, with your other answers"
        )
    before = nb.source(cells[place])
    if before == text:
        return False
    cells[place]["source"] = text.splitlines(keepends=True)
    nb.clear(cells[place])
    said = f"Before it was reset, on {date.today()}:\n\n````python\n{before}\n````"
    ids = {cell.get("id") for cell in cells}
    number = next(n for n in range(1, len(cells) + 2) if f"before-{exercise}-{n}" not in ids)
    cells.insert(place + 1, {
        "cell_type": "markdown", "id": f"before-{exercise}-{number}"[-64:], "metadata": {},
        "source": said.splitlines(keepends=True),
    })  # fmt: skip
    for cell in cells:
        nb.take_verdict_away(cell, exercise)
    nb.write(copy, notebook)
    return True


def _own(copy: Path) -> nb.Notebook:
    try:
        return nb.read(copy)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{copy}: cannot read it as a notebook ({error}): move it away, and the lesson is "
            "copied anew"
        ) from None


def _write(
    folder: Path, name: str, record: dict[str, dict[str, str]], answers: Mapping[str, str]
) -> None:
    """Write the copy of a lesson, with answers that are there already."""
    notebook, taken = _to_copy(name), False
    lesson = _checksum_of(notebook)
    for cell in notebook["cells"]:
        text = next((answers[n] for n in nb.asked(cell) if n in answers), nb.source(cell))
        if text != nb.source(cell):
            cell["source"], taken = text.splitlines(keepends=True), True
    written = nb.write(folder / name, notebook)
    # With answers it is the learner's work: it is not to be known as untouched.
    record[name] = {"lesson": lesson, "written": "" if taken else written}


def _to_copy(name: str) -> nb.Notebook:
    """A lesson without its outputs, or a solution with them."""
    notebook = nb.read(NOTEBOOKS / name)
    if "/" not in name:
        for cell in notebook["cells"]:
            nb.clear(cell)
    return notebook


def _checksum_of(notebook: nb.Notebook) -> str:
    """Of what a copy is made from: a lesson that was only run again has the same."""
    return nb.checksum(json.dumps(notebook["cells"], sort_keys=True).encode())


def _outdated(folder: Path, current: set[str]) -> dict[str, str]:
    """The answers in lessons of an older course, whose numbers or names were others."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob(_LESSONS)):
        if path.name not in current:
            try:
                found |= nb.answers(nb.read(path))
            except (OSError, ValueError, AttributeError, TypeError):
                continue
    return found


def _same_lesson(copy: Path, original: Path) -> bool:
    """Whether two notebooks differ in answers and outputs at most."""

    def cells(path: Path) -> list[str]:
        return [nb.source(cell) for cell in nb.read(path)["cells"] if not nb.asked(cell)]

    try:
        return cells(copy) == cells(original)
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _record(folder: Path) -> dict[str, dict[str, str]]:
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    good = isinstance(record, dict) and all(isinstance(one, dict) for one in record.values())
    return record if good else {}


def _written(record: Mapping[str, Mapping[str, str]], name: str) -> str | None:
    return record.get(name, {}).get("written")


def _keep(folder: Path, record: Mapping[str, Mapping[str, str]]) -> None:
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    path = folder / RECORD
    if not path.exists() or path.read_text("utf-8", "replace") != text:
        write_text(path, text)
