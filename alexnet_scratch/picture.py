"""A Matplotlib figure into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minigrad.serialization import replacing

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
