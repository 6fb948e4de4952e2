"""`alexnet compare`: in what runs differ, and what came out."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minigrad.tools.text import align

from ..evaluation import TOP
from ..names import one_line
from ..recipe.flags import shown
from ..runs import RESULTS, Group, as_json, classes_of, differing, grouped, read_run
from ..training.plot import draw_comparison


def add_parser(commands: Any) -> None:
    """The flags of `alexnet compare`."""
    parser = commands.add_parser(
        "compare",
        help="runs side by side: what differs, and what came out",
        examples=(
            "alexnet compare runs/*",
            "alexnet compare runs/imagenette-small runs/imagenette-small-2 --plot both.png",
        ),
        description="What differs between the recipes, data and machines of runs, and what came "
        "out of them. Runs that differ in their seed alone stand in one column, with the mean and "
        "the range. A run may be under way, or come from elsewhere: recipe.json and metrics.jsonl "
        "are enough.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folder of a run")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw their curves, too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(command=_compare)


def _compare(options: argparse.Namespace) -> int:
    groups = grouped(read_run(folder) for folder in dict.fromkeys(options.runs))
    if options.plot is not None:
        curves = [[run.epochs for run in group.runs] for group in groups]
        named = list(zip(labels(groups), curves, strict=True))
        draw_comparison(options.plot, named, classes_of(groups))
    if options.json:
        print(json.dumps(as_json(groups), indent=2, allow_nan=False))
    else:
        print("\n".join(table(groups, shutil.get_terminal_size().columns)))
    return 0


def labels(groups: Sequence[Group]) -> list[str]:
    """A short name for each group: its first folder's, with its parent's where two are the same."""
    names = [group.first.folder.absolute().name for group in groups]
    found = []
    for name, group in zip(names, groups, strict=True):
        text = name if names.count(name) == 1 else str(group.first.folder)
        seeds = f" and {len(group.runs) - 1} more" if len(group.runs) > 1 else ""
        found.append(one_line(text + seeds))
    return found


def table(groups: Sequence[Group], width: int) -> list[str]:
    """Lines: a column per group, in as many blocks as the width asks for."""
    rows = [["", *labels(groups)]]
    differ = differing(groups)
    rows += [[name, *map(_shown, values)] for name, values in differ.items()]
    rows.append([""] * len(rows[0]))
    rows.append(["seeds", *(_seeds(group) for group in groups)])
    rows.append(["epochs", *(_epochs(group) for group in groups)])
    few = 0 < classes_of(groups) <= TOP  # the top five are all of them
    for name, (value, form) in RESULTS.items():
        if few and name == "its top-5":
            continue
        spreads = [group.spread(value) for group in groups]
        rows.append([name, *("-" if s is None else s.text(form) for s in spreads)])
    lines: list[str] = []
    columns, first = len(groups), 1
    while first <= columns:
        last = first
        while last < columns and _width(rows, first, last + 1) <= width:
            last += 1
        block = [(row[0], *row[first : last + 1]) for row in rows]
        lines += [""] * bool(lines) + [line.rstrip() for line in align(block, left=columns + 1)]
        first = last + 1
    return lines


def _width(rows: Sequence[Sequence[str]], first: int, last: int) -> int:
    shown_columns = [0, *range(first, last + 1)]
    return sum(max(len(row[i]) for row in rows) + 2 for i in shown_columns) - 2


def _shown(value: Any) -> str:
    return "-" if value is None else one_line(shown(value))


def _seeds(group: Group) -> str:
    return ", ".join(str(run.recipe.seed) for run in group.runs)


def _epochs(group: Group) -> str:
    """How many are done, and of how many where that is not all."""
    said = [
        f"{len(run.epochs)}" + f" of {run.recipe.epochs}" * (not run.finished)
        for run in group.runs
    ]
    return ", ".join(dict.fromkeys(said))
