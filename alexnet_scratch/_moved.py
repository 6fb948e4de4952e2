"""Old names of modules here, for the error of whoever still uses one; as `minigrad/_moved.py`,
which this does not import: the package alone stays light."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any

MOVED = {
    "alexnet_scratch.course": "alexnet_course",
    "alexnet_scratch.figures": "alexnet_course.figures",
    "alexnet_scratch.training.pixels": "alexnet_scratch.pixels",
    "alexnet_scratch.data.sources.pickles": "alexnet_scratch.pickles",
    "alexnet_scratch.recipe_flags": "alexnet_scratch.recipe.flags",
    "alexnet_scratch.recipe_fields": "alexnet_scratch.recipe.fields",
    "alexnet_scratch.recipe_notes": "alexnet_scratch.recipe.notes",
}


class Moved(MetaPathFinder):
    """Asked last, for modules that nobody else has found."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in MOVED:
            raise ModuleNotFoundError(f"{name} is now {MOVED[name]}")


sys.meta_path.append(Moved())
