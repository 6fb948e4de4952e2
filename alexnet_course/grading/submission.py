"""A notebook that was handed in: whose it is, of which lesson, and the statements that count.

A notebook need not be run to be graded. Of an exercise those statements are taken that define its
function and what this needs, from whichever cells they stand in: imports, helper functions,
constants. Cells that draw, train or call checks are left out, unless they define such a name.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import symtable
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

MOST_BYTES = 50 << 20  # of a notebook, with its pictures
LESSONS = sorted(
    path.stem[1:] for path in Path(__file__).resolve().parents[1].glob("n[0-9][0-9]_*.py")
)
_LESSON = re.compile("|".join(LESSONS) + r"|(?<![0-9])\d\d_[a-z0-9_]+")  # or what looks like one
_CHECKS = re.compile(r"\bn(\d\d_[a-z0-9_]+)")
_MAGIC = re.compile(r"^(\s*)[%!?].*$", re.MULTILINE)


class SubmissionError(Exception):
    """A file that is no notebook of the course."""


class Statement(NamedTuple):
    """A statement at the top level of a cell: what it gives names to, and what names it uses."""

    cell: int
    place: int  # in its cell
    node: ast.stmt
    gives: frozenset[str]
    uses: frozenset[str]


class Submission:
    """A notebook of a learner."""

    def __init__(self, path: Path, student: str, cells: dict[int, str]) -> None:
        self.path, self.student, self.cells = path, student, cells
        self.broken: dict[int, str] = {}  # cells that are no Python, and what is wrong with them
        self.statements = [s for cell in cells for s in self._statements(cell)]

    def _statements(self, cell: int) -> Iterator[Statement]:
        text = self.cells[cell]
        try:
            try:
                body = ast.parse(text).body
            except SyntaxError:
                text = _MAGIC.sub(r"\1pass", text)
                body = ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = str(getattr(error, "text", None) or "").strip()
            where = f" (in the line: {line})" if line else ""
            self.broken[cell] = f"{type(error).__name__}: {getattr(error, 'msg', error)}{where}"
            return
        self.cells[cell] = text
        for place, node in enumerate(body):
            yield Statement(cell, place, node, *_names(node))

    @property
    def lesson(self) -> str:
        """The lesson that its file's name or its import of checks says. Raises SubmissionError."""
        for statement in self.statements:
            node = statement.node
            if isinstance(node, ast.ImportFrom) and node.module == "alexnet_course":
                for alias in node.names:
                    if match := _CHECKS.fullmatch(alias.name):
                        return match[1]
        if match := _LESSON.search(self.path.stem):
            return match[0]
        raise SubmissionError(
            f"{self.path}: it imports no checks of a lesson (from alexnet_course import nNN_NAME), "
            "and its name has none: which lesson is it?"
        )

    def program(self, name: str) -> list[Statement]:
        """The statements that give this name its value, and all that they need, in order."""
        last = self._check_of(name)
        defined = [s for s in self.statements if name in s.gives]
        if not defined:
            return []
        end = max(last, defined[-1].cell)
        stars = [s for s in self.statements if "*" in s.gives]
        taken, waiting = {(s.cell, s.place): s for s in [*defined, *stars]}, [*defined]
        while waiting:
            for wanted in waiting.pop().uses:
                giving = [s for s in self.statements if wanted in s.gives]
                before = [s for s in giving if s.cell <= end]
                for statement in before or giving:
                    if (statement.cell, statement.place) not in taken:
                        taken[statement.cell, statement.place] = statement
                        waiting.append(statement)
        return [taken[place] for place in sorted(taken)]

    def _check_of(self, name: str) -> int:
        """The cell that calls an exercise's check; -1 if none does."""
        return max(
            (s.cell for s in self.statements
             if isinstance(s.node, ast.Expr) and isinstance(s.node.value, ast.Call)
             and getattr(s.node.value.func, "attr", "") == name), default=-1,
        )  # fmt: skip

    def cells_of(self, program: Iterable[Statement]) -> list[tuple[int, str, list[int]]]:
        """A program as the worker takes it."""
        chosen: dict[int, list[int]] = {}
        for statement in program:
            chosen.setdefault(statement.cell, []).append(statement.place)
        return [(cell, self.cells[cell], indices) for cell, indices in chosen.items()]

    def broken_cell_of(self, name: str) -> tuple[int, str] | None:
        """The cell that should define a function and is no Python, and what is wrong with it."""
        for cell, why in self.broken.items():
            if re.search(rf"^\s*(def\s+{name}\b|{name}\s*=)", self.cells[cell], re.MULTILINE):
                return cell, why
        return None


def read(path: Path) -> Submission:
    """A notebook, nothing of which is run. Raises SubmissionError for what is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SubmissionError(f"{path}: more than {MOST_BYTES >> 20} MB, no notebook")
        notebook = json.loads(path.read_bytes())
        cells = {
            number: "".join(cell["source"])
            for number, cell in enumerate(notebook["cells"], start=1)
            if cell["cell_type"] == "code"
        }
    except OSError as error:
        raise SubmissionError(f"{path}: {error.strerror}; check the path") from None
    except (ValueError, LookupError, TypeError, RecursionError, AttributeError):
        raise SubmissionError(
            f"{path}: no notebook: expected what JupyterLab saves (.ipynb)"
        ) from None
    return Submission(path, student_of(path), {n: t for n, t in cells.items() if "%%" not in t[:2]})


def student_of(path: Path) -> str:
    """Whose it is: the folder's name where the file is called as its lesson, else the file's.

    So anna/04_convolution.ipynb, anna/04_convolution (1).ipynb and anna_04_convolution.ipynb are
    anna's.
    """
    match = _LESSON.search(path.stem)
    if match is None:
        return path.stem
    own = path.stem[: match.start()].strip("_- .")
    folders = path.absolute().parent.parts
    if not own and "submitted" in folders[:-1]:  # nbgrader's submitted/STUDENT/ASSIGNMENT
        return folders[folders.index("submitted") + 1]
    return own or [folder for folder in folders if not _LESSON.fullmatch(folder)][-1]


# ----- names -----


_CHANGES = ("append", "extend", "update", "add", "insert", "setdefault")


def _names(node: ast.stmt) -> tuple[frozenset[str], frozenset[str]]:
    """What a statement gives names to at the top level, and which names it uses from there."""
    table = symtable.symtable(ast.unparse(node), "cell", "exec")
    symbols = table.get_symbols()
    gives = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    uses = {s.get_name() for s in symbols if s.is_referenced()} | set(_globals(table))
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        gives.add("*")
    for part in _outside(node):  # table[key] = ..., table.update(...) belong to table
        if isinstance(part, ast.Subscript | ast.Attribute) and isinstance(part.ctx, ast.Store):
            gives.add(_root(part))
        elif isinstance(part, ast.AugAssign):
            uses.add(_root(part.target))
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
        gives.update([_root(call.func)] if call.func.attr in _CHANGES else [])
    if isinstance(node, ast.Delete):
        gives = set()
    return frozenset(gives - {""}), frozenset(uses)


def _outside(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a statement that stand in no function."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        yield node
        for part in ast.iter_child_nodes(node):
            yield from _outside(part)


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """The global names that the functions and classes in a statement use."""
    for child in table.get_children():
        yield from (s.get_name() for s in child.get_symbols() if s.is_global())
        yield from _globals(child)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


# ----- copies -----

LEAST_NODES = 60  # of a program that two people hardly write alike by chance


class _Anonymous(ast.NodeTransformer):
    """Own names become numbers, in the order in which they come; docstrings go."""

    def __init__(self, own: set[str]) -> None:
        self._own = own
        self._numbers: dict[str, str] = {}

    def _name(self, name: str) -> str:
        if name not in self._own:
            return name
        return self._numbers.setdefault(name, f"v{len(self._numbers)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._name(node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self._name(node.arg), None)

    def _defined(self, node: Any) -> ast.AST:
        node.name = self._name(node.name)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _defined  # noqa: N815


def fingerprint(program: Iterable[Statement], given: frozenset[str]) -> str:
    """The same text for the same code, whatever its names, comments and layout are; "" for code so
    short that it says nothing. given: the statements that everybody was given."""
    own = [s.node for s in program if not isinstance(s.node, ast.Import | ast.ImportFrom)]
    own = [node for node in own if _text(node) not in given]
    tree = ast.parse("\n\n".join(ast.unparse(node) for node in own))
    if sum(1 for _ in ast.walk(tree)) < LEAST_NODES:
        return ""
    stored = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    stored |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    stored |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return hashlib.sha256(ast.dump(_Anonymous(stored).visit(tree)).encode()).hexdigest()


def _text(node: ast.stmt) -> str:
    return ast.unparse(node)


def given_statements(lesson: Submission) -> frozenset[str]:
    """The statements of the lesson as it is handed out."""
    return frozenset(_text(s.node) for s in lesson.statements)
