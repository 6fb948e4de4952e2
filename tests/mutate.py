"""Plants random one-token mistakes, one at a time, and tells which of them `make test` lets live.

    python tests/mutate.py --count 40 --seed 1 minigrad/core.py minigrad/kernels minigrad/optim

A mistake is another operator, comparison, sign or small constant. Each is planted in a copy of the
tree, where the tests run until the first fails; what survives is printed as file:line and the two
texts. Of what survives, some are equivalent (they change nothing that can be seen): those are for
a human to say. Not a test itself: 40 mistakes take about an hour on two cores.
"""

from __future__ import annotations

import argparse
import io
import random
import shutil
import subprocess
import sys
import tempfile
import tokenize
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SWAPS = {
    "+": "-", "-": "+", "*": "/", "/": "*", "//": "*", "%": "*", "**": "*",
    "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "True": "False", "False": "True",
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "and": "or", "or": "and", "not": "", "is": "is not", "in": "not in",
}  # fmt: skip
IGNORED = (".git", ".venv", "build", "runs", "__pycache__", ".*_cache", "*.egg-info")
FIRST = ("tests/minigrad", "tests/test_mutants.py")  # they kill most, and soonest
LONGEST = 900  # seconds of a test run: a mistake that hangs is found


class Mistake(NamedTuple):
    file: Path
    line: int
    column: int
    old: str
    new: str


def mistakes(file: Path) -> list[Mistake]:
    """All that could be planted in a file: operators and numbers, not texts and comments."""
    found = []
    for token in tokenize.generate_tokens(io.StringIO(file.read_text("utf-8")).readline):
        words = token.line.split()
        if not words or words[0] in ("from", "import", "for", "def", "class", "@"):
            continue  # most tokens of those lines are no arithmetic, and break at once
        new = SWAPS.get(token.string)
        if token.type == tokenize.NUMBER and token.string.isdecimal():
            new = str(int(token.string) + 1)
        if new is not None and "->" not in token.line:
            found.append(Mistake(file, token.start[0], token.start[1], token.string, new))
    return found


def survives(mistake: Mistake, python: str) -> bool:
    """Whether the tests pass in a copy of the tree with the mistake in it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*IGNORED))
        target = copy / mistake.file.relative_to(ROOT)
        lines = target.read_text("utf-8").splitlines(keepends=True)
        line, start = lines[mistake.line - 1], mistake.column
        lines[mistake.line - 1] = line[:start] + mistake.new + line[start + len(mistake.old) :]
        target.write_text("".join(lines), "utf-8")
        rest = [f"--ignore={tests}" for tests in FIRST]
        return passes(copy, python, *FIRST) and passes(copy, python, "tests", *rest)


def passes(copy: Path, python: str, *tests: str) -> bool:
    command = [python, "-m", "pytest", "-x", "-m", "not slow and not gpu", *tests]
    environment = {"PYTHONPATH": str(copy), "PATH": "/usr/bin:/bin"}
    try:
        run = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    files = [f for p in options.paths for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    every = [mistake for file in files for mistake in mistakes(file.resolve())]
    chosen = random.Random(options.seed).sample(every, min(options.count, len(every)))
    living = 0
    for number, mistake in enumerate(chosen, 1):
        alive = survives(mistake, sys.executable)
        living += alive
        where = f"{mistake.file.relative_to(ROOT)}:{mistake.line}:{mistake.column}"
        verdict = "SURVIVES" if alive else "killed"
        text = mistake.file.read_text("utf-8").splitlines()[mistake.line - 1].strip()
        change = f"{mistake.old} -> {mistake.new or 'nothing'}"
        print(f"{number:4} {verdict:8} {where}  {change}  {text}", flush=True)
    print(f"{len(chosen) - living} of {len(chosen)} were killed")


if __name__ == "__main__":
    main()
