"""`alexnet grade`: notebooks that were handed in, held to the checks of the course."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..bench import positive
from ..data import DataError
from ..names import one_line
from ..parser import BAD_INPUT
from ..progress import say
from .common import FAILED, count


def add_parser(commands: Any) -> None:
    """The flags of `alexnet grade`."""
    parser = commands.add_parser(
        "grade", help="the course: grade notebooks that were handed in",
        examples=(
            "alexnet grade handed_in/*/04_convolution.ipynb --csv scores.csv",
            "alexnet grade handed_in/*/*.ipynb --jobs 4 --seed-from-name --json scores.json",
            "alexnet grade anna_04_convolution.ipynb --seed 2913061",
        ),
        description="Hold the functions of notebooks to the checks of their lessons. The notebooks "
        "are not executed: of each exercise the function and what it needs runs, in a process of "
        "its own with limits of time and memory, without a network, in an empty folder that is "
        "deleted. Exit status: 0, all exercises of all notebooks are right; 1, some are not; 2, "
        "some notebook could not be graded.",
    )  # fmt: skip
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.ipynb")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write a line for each exercise of each student"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything")
    parser.add_argument(
        "--gradescope", type=Path, metavar="FILE",
        help="write Gradescope's results.json: the notebooks are those of one student",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=count, metavar="N",
        help="the checks draw other inputs, which depend on N [those of the lesson]",
    )  # fmt: skip
    parser.add_argument(
        "--seed-from-name", action="store_true",
        help="each student has a seed of their own, made of --seed and the name; it is in the "
        "results, and --seed with that number gives the same inputs",
    )  # fmt: skip
    parser.add_argument(
        "--lesson", metavar="NN_NAME", help="the lesson, where neither notebook nor name says it"
    )
    parser.add_argument(
        "--seconds", type=positive, default=30, metavar="N",
        help="for each exercise, by the clock [%(default)s]",
    )  # fmt: skip
    parser.add_argument(
        "--memory", type=positive, default=2048, metavar="MB",
        help="for each notebook [%(default)s]",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=positive, default=1, metavar="N",
        help="notebooks at a time [%(default)s]",
    )  # fmt: skip
    parser.set_defaults(command=_grade)


def _grade(options: argparse.Namespace) -> int:
    from alexnet_course.grading import grade, outputs  # the course stands above this package

    for path in (options.csv, options.json, options.gradescope):
        if path is not None and not path.parent.is_dir():
            raise DataError(f"{path}: there is no folder {path.parent}: make it, or give another")
    folders = sorted({str(path.absolute().parent) for path in options.files})
    if options.gradescope is not None and len(folders) > 1:
        raise DataError(
            f"--gradescope writes the results of one student, and these notebooks lie in "
            f"{len(folders)} folders: give those of one, or write --csv or --json"
        )
    graded = []
    for one in grade.grade_all(
        options.files, options.seed, options.seed_from_name, options.lesson,
        grade.Limits(options.seconds, options.memory), options.jobs,
    ):  # fmt: skip
        graded.append(one)
        print(outputs.as_table(one), flush=True)
    graded = grade.with_copies(graded)
    for line in outputs.copies(graded):
        print(line)
    for (student, lesson), number in outputs.repeated(graded).items():
        say(
            f"{one_line(student)} has {number} notebooks of {lesson}; are they all theirs? Whose "
            "one is, its folder says, or its name: anna/04_convolution.ipynb, "
            "anna_04_convolution.ipynb"
        )
    weak = sorted({one.held for one in graded if one.held and not one.well_held})
    for held in weak:
        say(f"the submissions were not held by the system alone: {one_line(held)}")
    for path, write in (
        (options.csv, outputs.write_csv), (options.json, outputs.write_json),
        (options.gradescope, outputs.write_gradescope),
    ):  # fmt: skip
        if path is not None:
            write(graded, path)
    if any(one.problem for one in graded):
        return BAD_INPUT
    return 0 if all(one.points == len(one.scores) for one in graded) else FAILED
