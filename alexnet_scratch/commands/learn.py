"""`alexnet learn`: the course in copies of the learner's own, opened in JupyterLab."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..data import DataError
from ..data.patterns import cache_folder
from ..lessons import copies, paths, start
from ..names import in_shell, one_line, program
from ..progress import say
from .common import count

REMEMBERED = "course.txt"  # in the cache folder: where the learner's copies are
DEFAULT = "alexnet-course"  # in the home folder


def add_parser(commands: Any) -> None:
    """The flags of `alexnet learn`."""
    parser = commands.add_parser(
        "learn", help="the course: copies to work in, what is done, what is next",
        examples=(
            "alexnet learn              # the list, and JupyterLab on its start page",
            "alexnet learn 3            # opens lesson 3",
            "alexnet learn --list       # the list alone",
            "alexnet learn 6 --reset relu_backward",
        ),
        description="Copy the lessons into a folder of your own (once; nothing there is ever "
        "overwritten), list them with what is done of each, and open JupyterLab: on a start page, "
        "or on the lesson of a number.",
    )  # fmt: skip
    parser.add_argument("number", type=count, nargs="?", metavar="N", help="the lesson to open")
    parser.add_argument(
        "--copy", type=Path, metavar="DIR",
        help=f"work in copies there, from now on [~/{DEFAULT}]; what is in DIR already stays",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="list the lessons, open nothing")
    parser.add_argument(
        "--reset", metavar="EXERCISE",
        help="put an exercise of lesson N back to how it came; your text is kept below it",
    )
    parser.add_argument(
        "--update", action="store_true",
        help="take lesson N anew where it was changed; your answers come along, your copy is kept",
    )
    parser.set_defaults(command=_learn)


def _learn(options: argparse.Namespace) -> int:
    if options.number is None and (options.reset or options.update):
        flag = "--reset" if options.reset else "--update"
        raise DataError(f"{flag} needs the number of a lesson: {program()} learn 6 {flag} ...")
    lessons = copies.find_lessons(copies.NOTEBOOKS)
    folder = _folder(options.copy)
    _copied(folder)
    if options.copy is not None:
        _remember(folder)
    if options.number is None or options.list:
        return _start(folder, options.list)
    if options.number not in lessons:
        numbers = ", ".join(map(str, lessons))
        raise DataError(f"there is no lesson {options.number}; there are {numbers}")
    name = lessons[options.number].name
    if options.update:
        kept = copies.update(folder, name)
        say(f"{name} is the newer lesson now, with your answers; your copy is kept: {kept}")
        return 0
    if options.reset:
        was_other = copies.reset(folder, name, options.reset)
        done = "is as it came; what you had is below it as text" if was_other else "is as it came"
        say(f"{options.reset} {done} ({folder / name})")
        return 0
    print(f"Opening {one_line(str(folder / name))}")
    return _open(folder / name)


def _folder(asked: Path | None) -> Path:
    """Where the copies are: as asked for, else as remembered, else in the home folder."""
    folder = asked or _remembered()
    if folder is None:
        try:
            folder = Path.home() / DEFAULT
        except RuntimeError:  # a user without a home
            folder = Path(DEFAULT)
        if not folder.exists():
            say(
                f"Your copies of the lessons will be in {one_line(str(folder))} (elsewhere: "
                f"{program()} learn --copy DIR)"
            )
    return folder


def _copied(folder: Path) -> None:
    """Bring the folder up to date, and say what was done."""
    made = copies.make(folder)
    lessons = [name for name in made.new if "/" not in name]
    if lessons:
        several = "s" * (len(lessons) != 1)
        say(f"{len(lessons)} lesson{several} copied to {one_line(str(folder))}")
    for names, what in (
        (made.renewed, "was changed and is renewed: you had not written in it"),
        (made.newer, "has a newer version; yours stays. To take it over with your answers:"),
    ):
        for name in names:
            if "/" in name:  # a solution
                continue
            more = f" {program()} learn {int(name[:2])} --update" if names is made.newer else ""
            say(f"Lesson {int(name[:2])} {what}{more}")


def _start(folder: Path, only_list: bool) -> int:
    """The list, and JupyterLab on the start page if it is here."""
    lessons = copies.overview(folder)
    following = copies.next_lesson(lessons)
    for lesson in lessons:
        mark = "next" if lesson == following and any(n.done for n in lessons) else ""
        state = start.state(lesson) or mark
        print(f"{lesson.number:3}  {f'{lesson.title:52}{state}'.rstrip()}")
    print()
    for way in paths.PATHS:
        stops = ", ".join(dict.fromkeys(str(stop.number) for stop in way.stops))
        say(f"{way.title} ({paths.duration(way.minutes)}): lessons {stops}")
    say("What of them: README.md, or the start page")
    page = start.write(folder)
    where = one_line(str(folder))
    if following is not None:
        say(f"Next: {program()} learn {following.number}")
    say(f"Lessons: {where}; solutions: {where}{os.sep}solutions")
    if only_list:
        return 0
    if importlib.util.find_spec("jupyterlab") is None:
        say(f"To open them: {_missing()}")
        return 0
    return _open(page)


def _remember(folder: Path) -> None:
    """For the next call: where the learner's copies are. Where that cannot be kept, it is not."""
    with suppress(OSError):
        cache_folder().mkdir(parents=True, exist_ok=True)
        (cache_folder() / REMEMBERED).write_bytes(os.fsencode(folder.resolve()))


def _remembered() -> Path | None:
    """The learner's copies, if they are still there."""
    try:
        folder = Path(os.fsdecode((cache_folder() / REMEMBERED).read_bytes()))
        return folder if list(folder.glob("[0-9][0-9]_*.ipynb")) else None
    except (OSError, ValueError):
        return None


def _missing() -> str:
    root = in_shell(copies.NOTEBOOKS.parent)
    return (
        f"JupyterLab is not installed: run `make notebooks`, or, in {root}, pip install -e "
        "'.[notebooks]'"
    )


def _open(path: Path) -> int:
    if importlib.util.find_spec("jupyterlab") is None:
        raise DataError(_missing())
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(path)])
