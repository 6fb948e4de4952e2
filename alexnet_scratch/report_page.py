"""A report as one page: what was measured on what, with its pictures in it; and as JSON."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from minigrad.files import replacing

from .names import one_line

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .9rem .15rem 0; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; }
th, .wide td { overflow-wrap: normal; } .wide { overflow-x: auto; }
img { max-width: 100%; height: auto; background: white; }
@media print { h2 { break-after: avoid; } img, tr { break-inside: avoid; } }
"""


def write_json(path: Path, facts: dict[str, Any]) -> None:
    """The facts of a report, all of them or nothing."""
    with replacing(path) as temporary:
        Path(temporary).write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", "utf-8")


def write_page(
    path: Path, facts: dict[str, Any], pictures: dict[str, Path], classes: Iterable[Sequence[Any]]
) -> None:
    """An HTML page that needs no other file.

    facts: as in report.json. pictures: by title. classes: id, name, images, top-1, what it is taken
    for and how often.
    """
    scores = facts["scores"]
    views, best = list(scores.items())[-1]
    title = f"Top-1 {best['top1']:.1%}, top-5 {best['top5']:.1%}"
    parts = [
        f"<h1>{title}</h1>",
        f"<p>{best['images']:,} images, loss {best['loss']:.3f}, views: {_text(views)}.</p>",
        _facts_table(facts),
    ]
    if len(scores) > 1:
        rows = [
            (name, f"{s['top1']:.2%}", f"{s['top5']:.2%}", f"{s['loss']:.4f}")
            for name, s in scores.items()
        ]
        parts += ["<h2>Views</h2>", _table(("views", "top-1", "top-5", "loss"), rows)]
    for heading, file in pictures.items():
        data = base64.b64encode(file.read_bytes()).decode("ascii")
        parts += [
            f"<h2>{_text(heading)}</h2>",
            f'<img alt="{_text(heading)}" src="data:image/png;base64,{data}">',
        ]
    head = ("class", "name", "images", "top-1", "most often taken for", "times")
    parts += ["<h2>Classes, the worst first</h2>", _table(head, classes)]
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}: {_text(facts['run'])}</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
    with replacing(path) as temporary:
        Path(temporary).write_text(page, "utf-8")


def _facts_table(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    rows = [
        ("run", f"{facts['run']}, {facts['stand']}"),
        ("recipe", facts["recipe"]),
        ("data", facts["data"]),
        ("unreadable", f"{facts['skipped']} images"),
        ("date", facts["date"]),
        ("command", shlex.join(facts["command"])),
        ("computed on", f"{facts['device_name']} ({facts['host']})"),
        ("versions", versions + f", commit {facts['commit'] or 'unknown'}"),
    ]
    lines = (f"<tr><th>{_text(name)}</th><td>{_name(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(lines)}</table>"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    rows = list(rows)
    numbers = [any(map(_is_number, column)) for column in zip(*rows, strict=True)]
    headings = (
        f'<th class="number">{_text(cell)}</th>' if number else f"<th>{_text(cell)}</th>"
        for cell, number in zip(head, numbers, strict=True)
    )
    lines = [f"<tr>{''.join(headings)}</tr>"]
    for row in rows:
        cells = (
            f'<td class="number">{_text(cell)}</td>' if _is_number(cell) else
            f"<td>{_name(cell)}</td>" for cell in row
        )  # fmt: skip
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int) or str(cell).rstrip("%").replace(".", "", 1).isdecimal()


def _text(value: Any) -> str:
    return html.escape(one_line(str(value)))


def _name(value: Any) -> str:
    """A name that may be written from right to left; what stands around it is not turned."""
    return f"<bdi>{_text(value)}</bdi>"
