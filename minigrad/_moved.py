"""Old names of modules, for the error of whoever still uses one; and the module that comes late."""

from __future__ import annotations

import importlib
import sys
from importlib.abc import MetaPathFinder
from typing import Any

from .names import unknown

MOVED = {
    "minigrad.graph": "minigrad.tools.graph",
    "minigrad.summary": "minigrad.tools.summary",
    "minigrad.profiler": "minigrad.tools.profiler",
    "minigrad.diagnosis": "minigrad.cuda.diagnosis",
    "minigrad.backend": "minigrad.arrays (the GPU: minigrad.cuda.device)",
    "minigrad.autograd": "minigrad.core (no_grad and observers: minigrad.modes; grad and hvp: "
    "minigrad.derivatives)",
    "minigrad.tensor": "minigrad.core (dtypes: minigrad.arrays)",
    "minigrad.memory": "minigrad.kernels.fast.memory",
    "minigrad.memory_report": "minigrad.tools.memory_report",
    "minigrad.kernels.parallel": "minigrad.kernels.fast.parallel",
}


class Moved(MetaPathFinder):
    """Asked last, for modules that nobody else has found."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in MOVED:
            # Without `name=`: `from package import module` would take the error for its own.
            raise ModuleNotFoundError(f"{name} is now {MOVED[name]}")


sys.meta_path.append(Moved())


def late(name: str) -> Any:
    """`minigrad.__getattr__`: `testing` is imported when it is first used."""
    if name == "testing":
        return importlib.import_module("minigrad.testing")
    moved = MOVED.get(f"minigrad.{name}")
    if moved:
        raise AttributeError(f"minigrad.{name} is now {moved}")
    raise unknown("minigrad", name, sys.modules["minigrad"].__all__)
