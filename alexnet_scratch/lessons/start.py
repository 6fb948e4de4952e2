"""The page that JupyterLab opens first: the lessons, what is done, what is next, short ways."""

from __future__ import annotations

from pathlib import Path

from minigrad.files import write_text

from . import copies, paths
from . import notebook as nb

NAME = "start.ipynb"
INTRO = """\
# The course

The lessons below are your own copies: write in them, run them (Shift-Enter runs a cell and goes to
the next), save them (Ctrl-S). Nothing that you write here is ever overwritten by an update.

In an exercise you fill in a function; the cell below it checks it and says in words what is wrong.
A lesson is done when all its checks say "right" and it is saved. Solutions are in the folder
`solutions`.

In a terminal, `alexnet learn 6 --reset NAME` puts the exercise NAME of lesson 6 back to how it
came and keeps what you had written as text below it."""
NOW = """\
# What is done now: run this cell again (Shift-Enter).
from alexnet_scratch.lessons.start import Overview

Overview()"""


class Overview:
    """The list of lessons in a folder, the current one; shown by a notebook."""

    def __init__(self, folder: str | Path = ".") -> None:
        self.lessons = copies.overview(Path(folder))

    def __repr__(self) -> str:
        return "\n".join(f"{n.number:3}  {n.title:44}{state(n)}".rstrip() for n in self.lessons)

    def _repr_markdown_(self) -> str:
        following = copies.next_lesson(self.lessons)
        lines = []
        if following is not None:
            lines += [f"**Next: [{following.number}. {following.title}]({following.name})**", ""]
        lines += ["| | lesson | |", "|--:|:--|:--|"]
        for lesson in self.lessons:
            done = state(lesson) or "&nbsp;"
            lines.append(f"| {lesson.number} | [{lesson.title}]({lesson.name}) | {done} |")
        return "\n".join(lines)


def state(lesson: copies.Lesson) -> str:
    """What is done of a lesson, in words."""
    return "done" if lesson.done else str(lesson.progress)


def page(folder: Path) -> nb.Notebook:
    """The start page, with the list as it is now."""
    now = Overview(folder)
    texts = {"text/markdown": now._repr_markdown_(), "text/plain": repr(now)}
    output = {
        "data": {kind: text.splitlines(keepends=True) for kind, text in texts.items()},
        "execution_count": 1, "metadata": {}, "output_type": "execute_result",
    }  # fmt: skip
    words: nb.Cell = {"cell_type": "markdown"}
    code: nb.Cell = {"cell_type": "code", "execution_count": 1, "outputs": [output]}
    there = {lesson.name for lesson in now.lessons}
    ways = f"## In a hurry?\n\n{paths.markdown(there)}".rstrip()
    parts = [(INTRO, words), (NOW, code), (ways, words)]
    some = next(iter(copies.find_lessons(copies.NOTEBOOKS).values()))
    metadata = nb.read(some)["metadata"]  # the kernel, as the lessons have it
    cells = [
        {**cell, "id": f"start-{i}", "metadata": {}, "source": text.splitlines(keepends=True)}
        for i, (text, cell) in enumerate(parts)
    ]
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def write(folder: Path) -> Path:
    """Write the start page anew, unless the learner has changed its text."""
    path, new = folder / NAME, page(folder)
    if path.exists():
        try:
            texts = [nb.source(cell) for cell in nb.read(path)["cells"]]
        except (OSError, ValueError):
            texts = []
        ours = [nb.source(cell) for cell in new["cells"]]
        known = texts[:2] == ours[:2] and len(texts) == len(ours)  # the ways may be newer
        if not known:
            return path
    write_text(path, nb.text_of(new))
    return path
