"""`alexnet learn`: the list of notebooks, or one of them opened."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..data import DataError
from ..data.patterns import cache_folder
from ..names import one_line, program
from ..progress import say
from .common import count

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"  # beside the packages, in a clone
COPIES = "course.txt"  # in the cache folder: where the learner's copies are
_FUNCTION = re.compile(r"^def (\w+)", re.MULTILINE)


def add_parser(commands: Any) -> None:
    """The flags of `alexnet learn`."""
    parser = commands.add_parser(
        "learn", help="the course: list its notebooks, or open one",
        examples=(
            "alexnet learn", "alexnet learn 3        # opens it in JupyterLab",
            "alexnet learn --copy mine",
        ),
        description="List the notebooks of the course with what is done of each; with a number, "
        "open that one in JupyterLab.",
    )  # fmt: skip
    parser.add_argument("number", type=count, nargs="?", metavar="N", help="the notebook to open")
    parser.add_argument(
        "--copy", type=Path, metavar="DIR",
        help="work in copies of the notebooks there, from now on; what is in DIR already stays",
    )  # fmt: skip
    parser.set_defaults(command=_learn)


def _learn(options: argparse.Namespace) -> int:
    if options.copy is not None:
        new = copied(options.copy)
        say(f"{new} notebook{'s' * (new != 1)} copied to {one_line(str(options.copy))}")
        _remember(options.copy)
    copies = _remembered()
    lessons = find_lessons(copies or NOTEBOOKS)
    if options.number is None:
        for number, path in lessons.items():
            print(f"{number:3}  {f'{title(path):44}{progress(path)}'.rstrip()}")
        where = one_line(str(copies or "notebooks"))
        print()
        say(f"Open one with its number: {program()} learn 1")
        say(f"Lessons: {where}; solutions: {where}/solutions")
        return 0
    if options.number not in lessons:
        numbers = ", ".join(map(str, lessons))
        raise DataError(f"there is no notebook {options.number}; there are {numbers}")
    if copies and options.copy is None:
        print(f"Opening {one_line(str(lessons[options.number]))}")
    return _open(lessons[options.number])


def _remember(folder: Path) -> None:
    """For the next call: where the learner's copies are. Where that cannot be kept, it is not."""
    with suppress(OSError):
        cache_folder().mkdir(parents=True, exist_ok=True)
        (cache_folder() / COPIES).write_bytes(os.fsencode(folder.resolve()))


def _remembered() -> Path | None:
    """The learner's copies, if they are still there."""
    try:
        folder = Path(os.fsdecode((cache_folder() / COPIES).read_bytes()))
        return folder if list(folder.glob("[0-9][0-9]_*.ipynb")) else None
    except (OSError, ValueError):
        return None


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
            target.write_bytes(_of_this_python(source.read_bytes()))
            new += 1
    return new


def _of_this_python(data: bytes) -> bytes:
    """A notebook with the version of the Python that will run it, or JupyterLab, which writes that
    down at once, shows it as changed and asks to save it."""
    notebook = json.loads(data)
    notebook["metadata"]["language_info"]["version"] = platform.python_version()
    return f"{json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)}\n".encode()


def progress(path: Path) -> str:
    """How many exercises of a notebook are right, as it was saved; "" for none, or no notebook."""
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        asked = [name for cell in cells for name in _exercises(cell)]
        said = {line for cell in cells for line in _printed(cell)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""
    right = sum(f"{name}: right." in said for name in asked)
    if not right:
        return ""
    return "done" if right == len(asked) else f"{right} of {len(asked)} exercises"


def _exercises(cell: dict[str, Any]) -> list[str]:
    """The functions that a cell asks for."""
    if "exercise" not in cell["metadata"].get("tags", []):
        return []
    return _FUNCTION.findall("".join(cell["source"]))[:1]


def _printed(cell: dict[str, Any]) -> list[str]:
    outputs = cell.get("outputs", [])
    return [line for one in outputs for line in "".join(one.get("text", "")).splitlines()]


def title(path: Path) -> str:
    """The heading of a notebook, without its number; its file's name if it is damaged."""
    try:
        text = "".join(json.loads(path.read_text("utf-8"))["cells"][0]["source"])
    except (OSError, ValueError, LookupError, TypeError):
        return path.stem
    heading = text.partition("\n")[0].lstrip("# ")
    return heading.partition(". ")[2] or heading or path.stem


def _open(path: Path) -> int:
    if importlib.util.find_spec("jupyterlab") is None:
        raise DataError(
            "JupyterLab is not installed: run `make notebooks`, or, in "
            f"{NOTEBOOKS.parent}, pip install -e '.[notebooks]'"
        )
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(path)])
