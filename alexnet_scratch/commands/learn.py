"""`alexnet learn`: the list of notebooks, or one of them opened."""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..data import DataError
from ..names import in_shell, program
from ..progress import say
from .common import count

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"  # beside the packages, in a clone


def add_parser(commands: Any) -> None:
    """The flags of `alexnet learn`."""
    parser = commands.add_parser(
        "learn", help="the course: list its notebooks, or open one",
        examples=("alexnet learn", "alexnet learn 3        # opens it in JupyterLab"),
        description="List the notebooks of the course; with a number, open that one in JupyterLab.",
    )  # fmt: skip
    parser.add_argument("number", type=count, nargs="?", metavar="N", help="the notebook to open")
    parser.add_argument(
        "--copy", type=Path, metavar="DIR",
        help="work in copies of the notebooks there; what is in DIR already stays as it is",
    )  # fmt: skip
    parser.set_defaults(command=_learn)


def _learn(options: argparse.Namespace) -> int:
    lessons = find_lessons(NOTEBOOKS)
    if options.copy is not None:
        new = copied(options.copy)
        say(f"{new} notebook{'s' * (new != 1)} copied to {options.copy}")
        lessons = find_lessons(options.copy)
    if options.number is None:
        for number, path in lessons.items():
            print(f"{number:3}  {title(path)}")
        copy = "" if options.copy is None else f" --copy {in_shell(options.copy)}"
        print()
        say(f"Open one with its number: {program()} learn 1{copy}")
        say(f"Solutions: {options.copy or 'notebooks'}/solutions")
        return 0
    if options.number not in lessons:
        numbers = ", ".join(map(str, lessons))
        raise DataError(f"there is no notebook {options.number}; there are {numbers}")
    return _open(lessons[options.number])


def find_lessons(folder: Path) -> dict[int, Path]:
    """The notebooks of the course by number. Raises DataError where there are none."""
    lessons = {int(path.name[:2]): path for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}
    if not lessons:
        raise DataError(
            f"{folder}: no notebooks there; they come with the sources: clone the repository, then "
            "`make notebooks`"
        )
    return lessons


def copied(folder: Path) -> int:
    """Copy the notebooks and their solutions into a folder of the learner's own, for git to leave
    alone. Returns how many were not there yet; the others may hold the learner's work."""
    new = 0
    lessons = list(find_lessons(NOTEBOOKS).values())
    for source in [*lessons, *(NOTEBOOKS / "solutions").glob("[0-9][0-9]_*.ipynb")]:
        target = folder / source.relative_to(NOTEBOOKS)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            new += 1
    return new


def title(path: Path) -> str:
    """The heading of a notebook, without its number."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    text = "".join(cells[0]["source"]) if cells else ""
    heading = text.partition("\n")[0].lstrip("# ")
    return heading.partition(". ")[2] or heading or path.stem


def _open(path: Path) -> int:
    if importlib.util.find_spec("jupyterlab") is None:
        raise DataError(
            "JupyterLab is not installed: run `make notebooks`, or, in "
            f"{NOTEBOOKS.parent}, pip install -e '.[notebooks]'"
        )
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(path)])
