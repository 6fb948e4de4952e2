"""Steps of an expression as they are shown: in a notebook, as text, or as a page of their own.

`player.py` finds the steps; here is what they are made of, and what is written of them. The buttons
are player.js, their look player.css.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ...files import StrPath, write_text
from .layout import places

SCRIPT = Path(__file__).with_name("player.js")
STYLE = Path(__file__).with_name("player.css")


class Box(NamedTuple):
    """A node of the picture: an operation (`operation` is its name) or a leaf ("")."""

    name: str
    operation: str
    form: str  # shape and dtype


@dataclass(frozen=True)
class Step:
    """One step. `values` and `gradients` are what it adds to the boxes, by their number: a result,
    or the sum of the gradients that have arrived so far. `arrows`: those that it goes along."""

    phase: str  # "forward" or "backward"
    title: str
    lines: tuple[str, ...]
    box: int | None = None
    values: Mapping[int, str] = field(default_factory=dict)
    gradients: Mapping[int, str] = field(default_factory=dict)
    arrows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Player:
    """The steps of an expression. A notebook shows them with buttons, `str()` gives them as text,
    `save(path)` writes a page that needs no other file and no network."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[int, int], ...]  # from an input to what uses it, one for each use
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        lines = []
        for number, step in enumerate(self.steps, 1):
            lines.append(f"{number:3}  {step.phase:<8}  {step.title}")
            lines += [f"{'':15}{line}" for line in step.lines]
        return "\n".join(lines)

    def __repr__(self) -> str:
        calls = sum(bool(box.operation) for box in self.boxes)
        return f"<Player: {calls} operations, {len(self.steps)} steps>"

    def _repr_html_(self) -> str:
        """What a notebook shows. Where scripts do not run (a notebook that is not trusted, a code
        host), it is a table of all steps."""
        data = html.escape(json.dumps(self._data(), separators=(",", ":")))
        style = html.escape(STYLE.read_text("utf-8"))
        return (
            f'<div class="mg-player" data-tape="{data}" data-style="{style}">'
            f"{self._table()}</div>\n<script>\n{SCRIPT.read_text('utf-8')}</script>"
        )

    def save(self, path: StrPath, title: str = "Backward, step by step") -> None:
        """Write it as a page of its own."""
        page = (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{html.escape(title)}</title>\n<link rel="icon" href="data:,">\n'
            f"<style>{_PAGE}</style>\n</head>\n<body>\n<main>\n<h1>{html.escape(title)}</h1>\n"
            f"{self._repr_html_()}\n</main>\n</body>\n</html>\n"
        )
        write_text(path, page)

    def _data(self) -> dict[str, Any]:
        at, ways = places(len(self.boxes), self.arrows)
        return {
            "boxes": [
                {**box._asdict(), "at": place} for box, place in zip(self.boxes, at, strict=True)
            ],
            "arrows": [
                {"from": source, "to": target, "way": way}
                for (source, target), way in zip(self.arrows, ways, strict=True)
            ],
            "steps": [vars(step) for step in self.steps],
        }

    def _table(self) -> str:
        rows = []
        for number, step in enumerate(self.steps, 1):
            lines = "<br>".join(html.escape(line) for line in step.lines)
            cells = str(number), step.phase, f"<code>{html.escape(step.title)}</code>", lines
            row = "".join(f'<td style="text-align: left">{cell}</td>' for cell in cells)
            rows.append(f"<tr>{row}</tr>")
        head = "".join(
            f'<th scope="col" style="text-align: left">{word}</th>'
            for word in ("step", "phase", "of", "what")
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


_PAGE = """
:root { color-scheme: light dark; --ink: #1d2330; --paper: #fbfbfd; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --paper: #14171d; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 1rem; }
table { border-collapse: collapse; } td, th { text-align: left; vertical-align: top;
  padding: .3rem .8rem .3rem 0; } .mg-player { overflow-x: auto; }
@media (max-width: 40rem) { thead { display: none; } td { padding: 0; }
  tr { display: flex; flex-wrap: wrap; gap: .1rem .8rem; padding: .5rem 0; }
  td:last-child { flex: 0 0 100%; overflow-wrap: anywhere; } }
"""
