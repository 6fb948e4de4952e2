"""The house as `docs/architecture.md` draws it, held by the code's own imports.

Imports are read from the sources: those at the top of a file, or in a class or a plain `if` there,
run when the file is imported; those inside a function run when it is called; those under
`if TYPE_CHECKING` never.
"""

from __future__ import annotations

import ast
import configparser
import functools
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("minigrad", "alexnet_scratch", "alexnet_course")

CORE_LINES = 480
FIRST_SITTING_LINES = 1300
# In the order in which a newcomer reads them; README lists them, too.
FIRST_SITTING = (
    "minigrad/core.py", "minigrad/kernels/im2col.py", "minigrad/kernels/conv.py",
    "minigrad/kernels/lrn.py", "minigrad/ops/norm.py", "minigrad/nn/module.py",
    "minigrad/kernels/sgd.py",
)  # fmt: skip

# The floors of minigrad, lowest first: a file imports from its own floor and from those below it.
# The first pattern that a module's name matches counts.
FLOORS = (
    ("arrays", r"minigrad\.(arrays|files|names|sums)"),
    ("cuda", r"minigrad\.cuda(\..*)?"),
    ("kernels", r"minigrad\.(kernels(\..*)?|random)"),
    ("core", r"minigrad\.(core|rules|modes|derivatives)"),
    ("ops", r"minigrad\.(ops(\..*)?|creation|gradcheck|serialization|slopes)"),
    ("nn, optim, data", r"minigrad\.(nn|optim|data)(\..*)?"),
    ("tools", r"minigrad\.tools(\..*)?"),
    ("testing", r"minigrad\.testing(\..*)?"),
    ("minigrad", r"minigrad(\._moved)?"),
    ("alexnet_scratch", r"alexnet_scratch(\..*)?"),
    ("alexnet_course", r"alexnet_course(\..*)?"),
)
# The kernels' files stand beside the engine, not below it: neither knows the other.
STRANGERS = (("minigrad.kernels", ("minigrad.core", "minigrad.rules", "minigrad.modes",
                                   "minigrad.derivatives", "minigrad.ops")),
             ("minigrad.core", ("minigrad.kernels", "minigrad.random")))  # fmt: skip
CUPY = re.compile(r"minigrad\.(arrays|cuda(\..*)?|kernels\.cuda(\..*)?|testing(\..*)?)")


class Import(NamedTuple):
    """`source` imports `target`, a module or a name in one; `when`: "import", "call" or "type"."""

    source: str
    target: str
    when: str
    line: int


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(root: Path = ROOT) -> dict[str, Path]:
    """The modules of the packages, by name."""
    files = (path for package in PACKAGES for path in (root / package).rglob("*.py"))
    return {module_name(path, root): path for path in files}


def imports(name: str, path: Path) -> tuple[Import, ...]:
    """Every import statement of a file, relative ones made absolute."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return imports_in(path.read_text("utf-8"), name, package)


parsed = functools.cache(ast.parse)  # of a text; the trees that are compared differ in one file


@functools.cache
def imports_in(text: str, name: str, package: str) -> tuple[Import, ...]:
    def visit(nodes: Iterable[ast.AST], when: str) -> Iterator[Import]:
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(name, alias.name, when, node.lineno)
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                origin = ".".join([*above, *([node.module] if node.module else [])])
                origin = origin if node.level else str(node.module)
                for alias in node.names:
                    yield Import(name, f"{origin}.{alias.name}", when, node.lineno)
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                yield from visit(node.body, "type")
                yield from visit(node.orelse, when)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield from visit(ast.iter_child_nodes(node), "call" if when != "type" else when)
            else:
                yield from visit(ast.iter_child_nodes(node), when)

    return tuple(visit(parsed(text).body, "import"))


def arrows(root: Path = ROOT) -> list[Import]:
    """All imports between the packages' own modules, `target` being a module.

    A file's own packages are left out: they run first, whoever imports the file.
    """
    modules = sources(root)
    found = []
    for name, path in modules.items():
        for one in imports(name, path):
            target = one.target
            while target and target not in modules:
                target = target.rpartition(".")[0]
            while target:  # importing a.b.c imports a and a.b as well
                if target in modules and target != name and not name.startswith(f"{target}."):
                    found.append(one._replace(target=target))
                target = target.rpartition(".")[0]
    return found


def circles(found: list[Import]) -> list[list[str]]:
    """The groups of modules that import each other (Tarjan's strongly connected components)."""
    edges: dict[str, set[str]] = {}
    for one in found:
        edges.setdefault(one.source, set()).add(one.target)
        edges.setdefault(one.target, set())
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in edges[node]:
            if target not in index:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return groups


def floor_of(module: str) -> int:
    return next(i for i, (_, words) in enumerate(FLOORS) if re.fullmatch(words, module))


# ----- the rules; each returns what breaks it -----


def circular(root: Path) -> list[str]:
    """No module needs itself to be imported."""
    found = [one for one in arrows(root) if one.when == "import"]
    return [" <-> ".join(group) for group in circles(found)]


def upward(root: Path) -> list[str]:
    """Arrows point down, those inside functions as well."""
    return [
        f"{one.source}:{one.line} imports {one.target}"
        for one in arrows(root)
        if one.when != "type"
        and floor_of(one.target) > floor_of(one.source)
        and (one.source, one.target) not in LATE
    ]  # fmt: skip


# Arrows up that are taken late on purpose, and why.
LATE = {
    # advice about an installation, read only where there is an error
    ("minigrad.arrays", "minigrad.cuda.diagnosis"),
    ("minigrad.arrays", "minigrad.cuda"),
    # the course's part of the `alexnet` command, read only where it is asked for
    ("alexnet_scratch.commands.grade", "alexnet_course.grading.grade"),
    ("alexnet_scratch.commands.grade", "alexnet_course.grading.outputs"),
    ("alexnet_scratch.commands.grade", "alexnet_course.grading"),
    ("alexnet_scratch.commands.grade", "alexnet_course"),
    ("alexnet_scratch.commands.assign", "alexnet_course.grading.assignment"),
    ("alexnet_scratch.commands.assign", "alexnet_course.grading"),
    ("alexnet_scratch.commands.assign", "alexnet_course"),
}


def strangers(root: Path) -> list[str]:
    """Kernels know nothing of the engine, nor the engine of them."""
    return [
        f"{one.source}:{one.line} imports {one.target}"
        for one in arrows(root)
        for family, others in STRANGERS
        if f"{one.source}.".startswith(f"{family}.")
        and any(f"{one.target}.".startswith(f"{other}.") for other in others)
    ]


def naming_tests(root: Path) -> list[str]:
    """Nothing installed imports from tests/, or reaches for its folder."""
    named = []
    for name, path in sources(root).items():
        for one in imports(name, path):
            if one.target.split(".")[0] == "tests":
                named.append(f"{name}:{one.line} imports {one.target}")
        for node in ast.walk(parsed(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and node.value in ("tests", "tests/"):
                named.append(f"{name}:{node.lineno} names the folder tests")
    return named


def cupy_imported(root: Path) -> list[str]:
    """CuPy is imported in the few places that stand for it, and when a GPU is asked for."""
    return [
        f"{one.source}:{one.line}"
        for name, path in sources(root).items()
        for one in imports(name, path)
        if one.target.split(".")[0] in ("cupy", "cupyx") and one.when != "type"
        and not (CUPY.fullmatch(name) and one.when == "call")
    ]  # fmt: skip


def formulas_that_choose(root: Path) -> list[str]:
    """A formula file does not ask which way is taken: no fast/ and no cuda/ in it."""
    return [
        f"{one.source}:{one.line} imports {one.target}"
        for one in arrows(root)
        if re.fullmatch(r"minigrad\.kernels\.\w+", one.source)
        and re.match(r"minigrad\.kernels\.(fast|cuda)\b", one.target)
        and (root / one.source.replace(".", "/")).with_suffix(".py").is_file()
    ]


def too_long(root: Path) -> list[str]:
    """The engine is one sitting, and so is what a first reader meets."""
    lines = {name: len((root / name).read_text("utf-8").splitlines()) for name in FIRST_SITTING}
    total = sum(lines.values())
    return [
        *([f"core.py has {lines['minigrad/core.py']} lines, at most {CORE_LINES}"]
          if lines["minigrad/core.py"] > CORE_LINES else []),
        *([f"the first sitting has {total} lines, at most {FIRST_SITTING_LINES}"]
          if total > FIRST_SITTING_LINES else []),
    ]  # fmt: skip


RULES = (circular, upward, strangers, naming_tests, cupy_imported, formulas_that_choose, too_long)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_stands(rule):
    assert rule(ROOT) == []


# ----- each rule fails on a planted breach -----


class Breach(NamedTuple):
    """Lines added to a file, the rule that must find them, and words of its complaint."""

    rule: object
    file: str
    added: str
    words: str


BREACHES = (
    Breach(circular, "minigrad/modes.py", "from .core import Tensor\n", "minigrad.core"),
    Breach(circular, "minigrad/nn/module.py", "from .layers import Linear\n", "minigrad.nn.layers"),
    Breach(upward, "minigrad/core.py", "from . import nn\n", "minigrad.core:"),
    Breach(upward, "minigrad/core.py", "def late():\n    from .ops import relu\n", "minigrad.ops"),
    Breach(upward, "minigrad/nn/layers.py", "import alexnet_scratch\n", "imports alexnet_scratch"),
    Breach(upward, "alexnet_scratch/model.py", "from alexnet_course import style\n", "style"),
    Breach(strangers, "minigrad/kernels/lrn.py", "from ..core import Tensor\n", "kernels.lrn"),
    Breach(strangers, "minigrad/kernels/fast/conv.py", "from ...modes import mode\n", "modes"),
    Breach(strangers, "minigrad/core.py", "from .kernels.conv import conv2d_forward\n", "conv"),
    Breach(naming_tests, "alexnet_course/checks.py", "from tests import oracle\n", "tests.oracle"),
    Breach(naming_tests, "minigrad/arrays.py", 'HERE = Path() / "tests"\n', "minigrad.arrays"),
    Breach(cupy_imported, "minigrad/nn/layers.py", "def gpu():\n    import cupy\n", "nn.layers"),
    Breach(cupy_imported, "minigrad/arrays.py", "import cupy\n", "minigrad.arrays"),
    Breach(formulas_that_choose, "minigrad/kernels/lrn.py", "from . import cuda\n", "lrn"),
    Breach(formulas_that_choose, "minigrad/kernels/pool.py",
           "def f():\n    from .fast import parallel\n", "pool"),
    Breach(too_long, "minigrad/core.py", "# more\n" * CORE_LINES, "core.py has"),
    Breach(too_long, "minigrad/kernels/conv.py", "# more\n" * 1000, "first sitting"),
)  # fmt: skip


@pytest.mark.parametrize("breach", BREACHES, ids=lambda b: f"{b.rule.__name__} in {b.file}")
def test_a_breach_is_found(breach, tmp_path):
    for path in sources().values():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    with (tmp_path / breach.file).open("a") as file:
        file.write(breach.added)
    before, found = breach.rule(ROOT), breach.rule(tmp_path)
    new = [line for line in found if line not in before]
    assert any(breach.words in line for line in new), found


def test_every_rule_has_a_breach():
    assert {breach.rule for breach in BREACHES} == set(RULES)


def test_the_first_sitting_is_the_readme_s():
    """README lists the same files in the same order, with their lines."""
    text = (ROOT / "README.md").read_text("utf-8")
    row = re.compile(r"^\| \[`(minigrad/[\w/]+\.py)`\][^|]*\| +(\d+) \|", re.MULTILINE)
    listed = row.findall(text)
    lines = [(name, len((ROOT / name).read_text("utf-8").splitlines())) for name in FIRST_SITTING]
    assert [(name, int(count)) for name, count in listed] == lines


# ----- what is installed with the packages -----

# Imported under another name than the package's; and CuPy, which is left to the user's GPU.
PROVIDED = {"pil": "pillow", "cycler": "matplotlib"}
OPTIONAL = {"cupy", "pyarrow", "cupyx", "shtab", "onnx"}


def test_what_is_imported_is_what_is_installed():
    """No dependency that nothing imports, and none that is missing."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    declared = re.findall(r"^\w+", config["options"]["install_requires"], re.MULTILINE)
    imported = {
        one.target.split(".")[0].lower()
        for name, path in sources().items()
        for one in imports(name, path)
        if one.when != "type"
    } - {*sys.stdlib_module_names, *PACKAGES, *OPTIONAL}
    assert sorted(declared) == sorted({PROVIDED.get(name, name) for name in imported})
