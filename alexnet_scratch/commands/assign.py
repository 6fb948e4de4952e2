"""`alexnet assign`: a lesson as nbgrader and otter-grader take it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..data import DataError
from ..names import one_line
from .common import count


def add_parser(commands: Any) -> None:
    """The flags of `alexnet assign`."""
    parser = commands.add_parser(
        "assign", help="the course: a lesson as an assignment for nbgrader or otter-grader",
        examples=(
            "alexnet assign 4 --for nbgrader --to source/ps1",
            "alexnet assign 4 5 6 --for otter --to week2",
        ),
        description="Write lessons as nbgrader or otter-grader take them, without the outputs. "
        "Scores are those of the lessons' checks, a point for each exercise.",
    )  # fmt: skip
    parser.add_argument("lessons", type=count, nargs="+", metavar="N", help="numbers of lessons")
    parser.add_argument(
        "--to", type=Path, required=True, metavar="DIR", help="where they are written"
    )
    parser.add_argument(
        "--for", choices=("nbgrader", "otter"), required=True, dest="program", help="which program"
    )
    parser.set_defaults(command=_assign)


def _assign(options: argparse.Namespace) -> int:
    from alexnet_course.grading import assignment  # the course stands above this package

    try:
        written = [
            path
            for number in options.lessons
            for path in assignment.write(number, options.program, options.to)
        ]
    except assignment.AssignmentError as error:
        raise DataError(str(error)) from None
    for path in written:
        print(one_line(str(path)))
    return 0
