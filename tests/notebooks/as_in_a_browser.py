"""Runs a lesson as Python in a browser would: without threads, processes, hard links.

    python as_in_a_browser.py SOURCE [solved]

`solved`: as a learner leaves it who has solved everything. The exercises and answers are those of
the solutions, with what the solutions import.
"""

import ast
import os
import re
import sys
from pathlib import Path

import jupytext
from IPython.core.interactiveshell import InteractiveShell

sys.path.append(str(Path(__file__).parents[1]))
from elsewhere import take_away


def make_short():
    """The training run of two notebooks takes a minute and a half; two epochs of 120 images do."""
    from dataclasses import replace

    from alexnet_course import small_run

    small_run.TRAIN = 12
    small_run.RECIPE = replace(small_run.RECIPE, epochs=2)


def code(path):
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]


def solved(source):
    """The code of a lesson, with the solutions' functions and answers in their places."""
    imports, *rest = code(source.parent / "solutions" / source.name)
    solutions = [cell.source for cell in rest if "solution" in cell.metadata.get("tags", [])]
    return [imports.source, *(in_place(cell, solutions) for cell in code(source))]


def in_place(cell, solutions):
    """The source of a lesson's cell, with the solution's function or answers in its place."""
    tags = cell.metadata.get("tags", [])
    if "exercise" in tags:
        name = re.search(r"^def (\w+)", cell.source, re.MULTILINE)[1]
        return next(s for s in solutions if re.search(rf"^def {name}\(", s, re.MULTILINE))
    names = set(re.findall(r"^(\w+) = None", cell.source, re.MULTILINE))
    lines = [line for line in ast.parse("\n".join(solutions)).body if names & assigned(line)]
    return "\n".join(map(ast.unparse, lines)) or cell.source


def assigned(line):
    """The names that a statement gives values to: a = 1, or a, b = 1, 2."""
    targets = line.targets if isinstance(line, ast.Assign) else []
    return {node.id for one in targets for node in ast.walk(one) if isinstance(node, ast.Name)}


def main(source, *, solve):
    take_away("browser")
    make_short()
    os.environ["MPLBACKEND"] = "agg"
    shell = InteractiveShell.instance(history_length=0)
    shell.history_manager.enabled = False
    for cell in solved(source) if solve else [cell.source for cell in code(source)]:
        shell.run_cell(cell).raise_error()


if __name__ == "__main__":
    lesson = Path(sys.argv[1]).resolve()
    os.chdir(Path(__file__).resolve().parents[2] / "notebooks")
    main(lesson, solve="solved" in sys.argv[2:])
