"""Runs a lesson as a learner leaves it who has solved everything.

    python with_solutions.py SOURCE

The exercises and answers are those of the solutions, with what the solutions import. The training
run is cut short, as in `as_in_a_browser.py`.
"""

import ast
import os
import re
import sys
from pathlib import Path

import jupytext
from as_in_a_browser import make_short
from IPython.core.interactiveshell import InteractiveShell


def code(path):
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]


def solved(cell, solutions):
    """The source of a lesson's cell, with the solution's function or answers in its place."""
    tags = cell.metadata.get("tags", [])
    if "exercise" in tags:
        name = re.search(r"^def (\w+)", cell.source, re.MULTILINE)[1]
        return next(s for s in solutions if re.search(rf"^def {name}\(", s, re.MULTILINE))
    if "answer" in tags:
        names = set(re.findall(r"^(\w+) = None", cell.source, re.MULTILINE))
        lines = ast.parse("\n".join(solutions)).body
        return "\n".join(ast.unparse(line) for line in lines if names & assigned(line))
    return cell.source


def assigned(line):
    """The names that a statement gives values to: a = 1, or a, b = 1, 2."""
    targets = line.targets if isinstance(line, ast.Assign) else []
    return {node.id for one in targets for node in ast.walk(one) if isinstance(node, ast.Name)}


def main(source):
    make_short()
    os.environ["MPLBACKEND"] = "agg"
    shell = InteractiveShell.instance(history_length=0)
    shell.history_manager.enabled = False
    imports, *rest = code(source.parent / "solutions" / source.name)
    solutions = [cell.source for cell in rest if "solution" in cell.metadata.get("tags", [])]
    for cell in [imports, *code(source)]:
        if "machine" not in cell.metadata.get("tags", []):
            shell.run_cell(solved(cell, solutions)).raise_error()


if __name__ == "__main__":
    lesson = Path(sys.argv[1]).resolve()
    os.chdir(Path(__file__).resolve().parents[2] / "notebooks")
    main(lesson)
