"""Sections of a page that a program writes, each between two marks; it rewrites its own."""

from __future__ import annotations

from pathlib import Path

BEGIN, END = "<!-- {}: begin -->", "<!-- {}: end -->"


def write(path: Path, section: str, text: str, plain: bool = True) -> None:
    """Replace what stands between the marks of `section` with `text`, as a block of plain text
    unless it is Markdown (not `plain`).

    Raises ValueError where the file has no such marks.
    """
    whole = path.read_text("utf-8")
    begin, end = BEGIN.format(section), END.format(section)
    before, mark, rest = whole.partition(begin)
    _, other, after = rest.partition(end)
    if not mark or not other:
        raise ValueError(f"{path} has no section {section!r}: put back {begin} and {end}")
    block = f"```\n{text}\n```" if plain else text
    path.write_text(f"{before}{begin}\n{block}\n{end}{after}", "utf-8")
