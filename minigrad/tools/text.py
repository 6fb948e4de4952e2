"""Text for tables: columns that line up, and sizes that a person reads."""

from __future__ import annotations

from collections.abc import Sequence


def align(cells: Sequence[tuple[str, ...]], left: int) -> list[str]:
    """Lines of a table: the first `left` columns flush left, the others flush right."""
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if i < left else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]


def format_bytes(count: float) -> str:
    """1234567 as "1.2 MB" (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"
