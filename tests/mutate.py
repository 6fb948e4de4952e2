"""Plants random one-token mistakes, one at a time, and tells which of them `make test` lets live.

    python tests/mutate.py --count 40 --seed 1 minigrad/core.py minigrad/kernels/*.py

A mistake is another operator, comparison, sign or small constant. At first the suite runs once, to
note the seconds of each test and the lines that it runs; the notes stay in build/mutate.json:
delete them when code or tests have changed. Each mistake is then planted in a copy of the tree,
where tests run until one fails: those that run its statement, then those that run its file (what
runs at import or lies behind a cache is noted for few), then the others. Survivors are printed as
file:line and the two texts. Some are equivalent: they change nothing that can be seen but how fast
or in which pieces it is done. Those are for a human to say.

Not a test itself: 300 mistakes take about an hour of one core. Needs a POSIX system.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import itertools
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tokenize
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import coverage
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTES, ONLY = ROOT / "build/mutate.json", "only.json"
SWAPS = {
    "+": "-", "-": "+", "*": "/", "/": "*", "//": "*", "%": "*", "**": "*",
    "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "True": "False", "False": "True",
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "and": "or", "or": "and", "not": "", "is": "is not", "in": "not in",
}  # fmt: skip
IGNORED = (".git", ".venv", "build", "runs", ".*_cache", ".hypothesis", "*.egg-info")
ENOUGH = 100  # seconds of tests: the rest is not tried
MEMORY = 6 << 30  # bytes that a test run may ask for


class Mistake(NamedTuple):
    file: Path
    line: int
    column: int
    old: str
    new: str

    def text(self) -> str:
        """The file with the mistake in it."""
        lines = self.file.read_text("utf-8").splitlines(keepends=True)
        line, start = lines[self.line - 1], self.column
        lines[self.line - 1] = line[:start] + self.new + line[start + len(self.old) :]
        return "".join(lines)

    def is_python(self) -> bool:
        with contextlib.suppress(SyntaxError):
            return bool(ast.parse(self.text()))
        return False


class Test(NamedTuple):
    name: str
    seconds: float

    @property
    def file(self) -> str:
        return self.name.split("::")[0]


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
        bare_star = token.type == tokenize.OP and token.line[token.end[1] :].startswith(",")
        if new is not None and "->" not in token.line and not bare_star:
            found.append(Mistake(file, *token.start, token.string, new))
    return found


# ----- which tests run which lines -----


class Notes:
    """A pytest plugin that notes the seconds of each passing test and the lines that it runs."""

    def __init__(self) -> None:
        sources = [str(ROOT / "minigrad"), str(ROOT / "alexnet_scratch")]
        self.coverage = coverage.Coverage(data_file=None, config_file=False, source=sources)
        self.seconds: dict[str, float] = {}

    def pytest_sessionstart(self) -> None:
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        start, failed = time.perf_counter(), item.session.testsfailed
        result = yield
        if item.session.testsfailed == failed:
            self.seconds[item.nodeid] = time.perf_counter() - start
        return result

    def pytest_sessionfinish(self) -> None:
        self.coverage.stop()
        data, number = self.coverage.get_data(), {test: i for i, test in enumerate(self.seconds)}
        lines = {
            str(Path(file).relative_to(ROOT)): {
                line: [number[test] for test in tests if test in number]
                for line, tests in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }
        NOTES.parent.mkdir(exist_ok=True)
        notes = {"tests": list(self.seconds.items()), "lines": lines}
        NOTES.write_text(json.dumps(notes), "utf-8")


def statement(file: Path, line: int) -> range:
    """The lines of the innermost statement there; none where it runs at import."""
    around = [
        node for node in ast.walk(ast.parse(file.read_text("utf-8")))  # the outer ones first
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or line)
    ]  # fmt: skip
    in_function = any(isinstance(node, ast.FunctionDef) for node in around[:-1])
    if not in_function or isinstance(around[-1], ast.FunctionDef | ast.ClassDef):
        return range(0)
    return range(around[-1].lineno, (around[-1].end_lineno or line) + 1)


def tests_of(mistake: Mistake, notes: dict[str, Any]) -> list[Test]:
    """The tests as they are to run, as many as fit into ENOUGH: those that run its statement, those
    that run its file, all others; of each the quickest first."""
    lines = notes["lines"].get(str(mistake.file.relative_to(ROOT)), {})
    near = {t for line in statement(mistake.file, mistake.line) for t in lines.get(str(line), [])}
    kin = {t for tests in lines.values() for t in tests}
    tests, total = [Test(*test) for test in notes["tests"]], 0.0
    order = sorted(range(len(tests)), key=lambda t: (t not in near, t not in kin, tests[t].seconds))
    return [tests[t] for t in order if (total := total + tests[t].seconds) <= ENOUGH]


# ----- planting -----


def verdict(mistake: Mistake, tests: list[Test]) -> str:
    """What killed the mistake in a copy of the tree, or nothing when it lives."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*IGNORED))
        (copy / mistake.file.relative_to(ROOT)).write_text(mistake.text(), "utf-8")
        [(file, _)] = Counter(test.file for test in tests[:40]).most_common(1)
        first = [test for test in tests[:400] if test.file == file]  # one file is soon collected
        return killer(copy, first) or killer(copy, [test for test in tests if test not in first])


def killer(copy: Path, tests: list[Test]) -> str:
    """The first of these tests that fails in the copy, or what else ended the run; or nothing."""
    (copy / ONLY).write_text(json.dumps([test.name for test in tests]), "utf-8")
    run = subprocess.Popen(
        [sys.executable, "tests/mutate.py", "--inside"], cwd=copy, text=True,
        env={**os.environ, "PYTHONPATH": str(copy), "TMPDIR": str(copy.parent)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = run.communicate(timeout=120 + 10 * sum(test.seconds for test in tests))
    except subprocess.TimeoutExpired:
        return "it hangs"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)  # whatever it has started, too
    if run.returncode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return ""
    named = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return named[1] if named else said.strip().splitlines()[-1]


class Only:
    """A pytest plugin that runs these tests alone, in this order."""

    def __init__(self, tests: list[str]) -> None:
        self.place = {test: i for i, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.place]
        items.sort(key=lambda item: self.place[item.nodeid])


def run_tests(plugin: Notes | Only, *arguments: str) -> None:
    sys.path.pop(0)  # the folder of this file, which is none of `python -m pytest`
    how = ["-m", "not slow and not gpu", "-p", "no:cacheprovider"]
    sys.exit(pytest.main([*how, *arguments], plugins=[plugin]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, help="files and folders to plant them in")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="copies that are tested at a time")
    parser.add_argument("--note", action="store_true", help="only run and note (these) tests")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)  # the copy
    options = parser.parse_args()
    if options.note:
        run_tests(Notes(), *map(str, options.paths))
    if options.inside:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        tests = json.loads(Path(ONLY).read_text("utf-8"))
        run_tests(Only(tests), "-x", *dict.fromkeys(test.split("::")[0] for test in tests))
    if not NOTES.exists():
        subprocess.run([sys.executable, __file__, "--note"], cwd=ROOT, check=False)
    notes = json.loads(NOTES.read_text("utf-8"))
    files = [f for p in options.paths for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    every = [mistake for file in files for mistake in mistakes(file.resolve())]
    random.Random(options.seed).shuffle(every)
    chosen = list(itertools.islice(filter(Mistake.is_python, every), options.count))
    living, tests = 0, [tests_of(mistake, notes) for mistake in chosen]
    with ThreadPoolExecutor(options.jobs) as pool:
        for number, said in enumerate(pool.map(verdict, chosen, tests), 1):
            mistake = chosen[number - 1]
            living += not said
            where = f"{mistake.file.relative_to(ROOT)}:{mistake.line}:{mistake.column}"
            text = mistake.file.read_text("utf-8").splitlines()[mistake.line - 1].strip()
            change = f"{mistake.old} -> {mistake.new or 'nothing'}"
            end = said or f"{len(tests[number - 1])} tests pass"
            word = "killed" if said else "SURVIVES"
            print(f"{number:4} {word:8} {where}  {change}  {text}  # {end}", flush=True)
    print(f"{len(chosen) - living} of {len(chosen)} were killed")


if __name__ == "__main__":
    main()
