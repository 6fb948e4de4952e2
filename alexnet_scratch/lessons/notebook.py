"""A notebook as its file has it: cells, what they ask for, what they have printed."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from minigrad.files import write_text

Cell = dict[str, Any]
Notebook = dict[str, Any]
_ASKED = {  # the tag of a cell that is to be filled in: what stands in it
    "exercise": re.compile(r"^def (\w+)", re.MULTILINE),
    "answer": re.compile(r"^(\w+) = ", re.MULTILINE),
}


class Progress(NamedTuple):
    """How many of the exercises and questions of a notebook are right, as it was saved."""

    right: int
    asked: int

    @property
    def done(self) -> bool:
        return self.right == self.asked

    def __str__(self) -> str:
        if not self.right:
            return ""
        return "done" if self.done else f"{self.right} of {self.asked} exercises"


def read(path: Path) -> Notebook:
    """The notebook. Raises ValueError for a file that is none, OSError as the system gives it."""
    notebook = json.loads(path.read_text("utf-8"))
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise ValueError(f"{path} is no notebook")
    return notebook  # type: ignore[no-any-return]


def text_of(notebook: Notebook) -> str:
    """As Jupyter writes it, with the version of the Python that will run it: JupyterLab would put
    that in at once, show the notebook as changed, and ask to save it."""
    info = notebook.get("metadata", {}).get("language_info")
    if isinstance(info, dict):
        info["version"] = platform.python_version()
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def write(path: Path, notebook: Notebook) -> str:
    """Write it, all or nothing; returns the checksum of the file."""
    text = text_of(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return checksum(text.encode())


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def source(cell: Cell) -> str:
    """The text of a cell, which a file has in lines or in one piece."""
    return "".join(cell.get("source", ""))


def clear(cell: Cell) -> None:
    """Take away what a cell has printed and drawn."""
    if cell.get("cell_type") == "code":
        cell |= {"outputs": [], "execution_count": None}


def take_verdict_away(cell: Cell, name: str) -> None:
    """Of what a cell has printed, the lines on this exercise: its check has to be run again."""
    for output in cell.get("outputs", []):
        if "text" in output:
            lines = "".join(output["text"]).splitlines(keepends=True)
            output["text"] = [line for line in lines if not line.startswith(f"{name}: ")]


def asked(cell: Cell) -> list[str]:
    """The names in a cell that asks for something: the function of an exercise, the answers to
    questions. A learner may have put functions of their own beside."""
    tags = cell.get("metadata", {}).get("tags", [])
    return next((p.findall(source(cell)) for tag, p in _ASKED.items() if tag in tags), [])


def answers(notebook: Notebook) -> dict[str, str]:
    """The cells that ask for something, by each name in them; of two cells the first counts."""
    found: dict[str, str] = {}
    for cell in notebook["cells"]:
        for name in asked(cell):
            found.setdefault(name, source(cell))
    return found


def progress(notebook: Notebook, names: Collection[str]) -> Progress:
    """What its checks have printed of the exercises of these names."""
    said = {line for cell in notebook["cells"] for line in _printed(cell)}
    done = [
        name for name in names  # a question's line goes on; a prediction is done when it was made
        if any(line.startswith((f"{name}: right.", f"{name}: not so.")) for line in said)
    ]  # fmt: skip
    return Progress(len(done), len(names))


def _printed(cell: Cell) -> list[str]:
    outputs = cell.get("outputs", [])
    return [line for one in outputs for line in "".join(one.get("text", "")).splitlines()]


def title(notebook: Notebook) -> str:
    """The heading of a notebook, without its number."""
    heading = source(notebook["cells"][0]).partition("\n")[0].lstrip("# ")
    return heading.partition(". ")[2] or heading
