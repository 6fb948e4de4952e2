"""Notebooks as learners hand them in: a lesson's source with other code in its exercises."""

import json
import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "notebooks/source"


def functions(lesson):
    """The text of each function of a lesson's solution."""
    text = (SOURCE / "solutions" / f"{lesson}.py").read_text("utf-8")
    parts = re.split(r"^(?=def |check\.|# %%)", text, flags=re.MULTILINE)
    return {m[1]: part for part in parts if (m := re.match(r"def (\w+)", part))}


def notebook(lesson, answers, first="", last=""):
    """A notebook with these answers, by exercise; `first` and `last` are cells of the learner's."""
    cells = []
    source = (SOURCE / f"{lesson}.py").read_text("utf-8")
    for part in re.split(r"^# %%", source, flags=re.MULTILINE):
        head, _, text = part.partition("\n")
        if "[markdown]" in head or not text.strip():
            continue
        name = re.match(r"\s*def (\w+)", text)
        tags = ["exercise"] if "exercise" in head else []
        if tags and name[1] in answers:
            text = answers[name[1]]
        cells.append(_cell(text.strip("\n"), tags))
    cells[:0] = [_cell(first)] if first else []
    cells += [_cell(last)] if last else []
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def _cell(text, tags=()):
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "outputs": [],
            "execution_count": None, "source": text.splitlines(keepends=True)}  # fmt: skip
