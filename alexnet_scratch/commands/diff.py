"""`alexnet diff`: in what two recipes differ."""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from typing import Any

from ..recipe import RECIPES
from ..recipe.flags import recipe_named, shown
from ..recipe.notes import differences


def add_parser(commands: Any) -> None:
    """The flags of `alexnet diff`."""
    parser = commands.add_parser(
        "diff",
        help="in what two recipes differ, and why it matters",
        examples=(
            "alexnet diff paper source2012",
            "alexnet diff small runs/imagenette-small/recipe.json",
        ),
        description="In what two recipes differ, field by field, with a line on each: "
        "`alexnet diff paper source2012` shows what the paper says and what its code ran.",
    )
    for name in ("one", "other"):
        parser.add_argument(
            name, metavar=name.upper(), help=f"{', '.join(RECIPES)}, or the recipe.json of a run"
        )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(command=_diff)


def _diff(options: argparse.Namespace) -> int:
    rows = differences(recipe_named(options.one), recipe_named(options.other))
    if options.json:
        keys = ("field", "one", "other", "note")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        return 0
    if not rows:
        print(f"{options.one} and {options.other} agree in every field.")
        return 0
    table = [("", options.one, options.other), *((n, shown(a), shown(b)) for n, a, b, _ in rows)]
    widths = [max(len(row[i]) for row in table) for i in (0, 1)]
    notes = ["", *(note for *_, note in rows)]
    columns = min(100, shutil.get_terminal_size().columns)
    for (name, one, other), note in zip(table, notes, strict=True):
        line = f"{name:{widths[0]}}  {one:{widths[1]}}  {other}"
        if len(line) > columns:
            line = f"{name:{widths[0]}}  {one}\n{'':{widths[0]}}  {other}"
        print(line)
        if note:
            print(textwrap.fill(note, columns, initial_indent="    ", subsequent_indent="    "))
    return 0
