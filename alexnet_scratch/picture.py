"""A Matplotlib figure into a file, and names as it can show them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from minigrad.files import replacing

from .data import DataError

FORMATS = ("png", "svg")


def save_picture(figure: Any, path: Path) -> None:
    """Write a Matplotlib figure as a PNG or an SVG, all of it or nothing. Needs no display.

    An SVG's lines and letters are curves, images are embedded; the same figure gives the same file.
    Raises DataError for a name with another ending, and for a place that cannot be written to.
    """
    from matplotlib import rc_context  # heavy, and only needed here

    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise DataError(f"{path}: pictures are PNG or SVG files, give a name that ends in .png")
    undated: dict[str, Any] = {"metadata": {"Date": None}} if form == "svg" else {}
    try:
        with replacing(path) as temporary, rc_context({"svg.hashsalt": "alexnet"}):
            figure.savefig(temporary, dpi=120, format=form, **undated)
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
