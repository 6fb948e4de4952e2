"""A Matplotlib figure into a file, and names as it can show them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from minigrad.files import replacing

from .data import DataError


def save_picture(figure: Any, path: Path) -> None:
    """Write a Matplotlib figure as a PNG, all of it or nothing. Needs no display.

    Raises DataError for a name with another ending, and for a place that cannot be written to.
    """
    if path.suffix.lower() != ".png":
        raise DataError(f"{path}: pictures are PNG files, give a name that ends in .png")
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=120, format="png")
    except OSError as error:
        if error.errno is None:  # `replacing` has said why
            raise
        raise DataError(
            f"{path}: the picture cannot be written there ({error.strerror}); give another place"
        ) from error


@functools.cache
def _glyphs() -> frozenset[int]:
    """The characters that pictures can show."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def shown(name: str, most: int) -> str:
    """A name as a picture can show it; draw it with parse_math=False, "$" is a letter of it."""
    known = _glyphs()
    name = "".join(c if ord(c) in known else "?" for c in name)
    return name if len(name) <= most else f"{name[: most - 1]}…"
