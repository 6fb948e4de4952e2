"""Photographs that are free of others' rights, for lessons that show what a network sees.

Ten of them, from astronaut to clock; README.md beside them says who took each and how it was given
free. None shows one of the ten things that the network in the box knows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.jpg")))


def path(name: str) -> Path:
    """The file of a photograph. Raises ValueError for an unknown name."""
    if name not in NAMES:
        raise ValueError(f"there is no photograph {name!r}; there are {', '.join(NAMES)}")
    return FOLDER / f"{name}.jpg"


def photograph(name: str) -> NDArray[np.uint8]:
    """A photograph as RGB (H, W, 3), its shorter side 300 to 320 pixels."""
    with Image.open(path(name)) as image:
        return np.asarray(image.convert("RGB"))
