"""Write cupy_names.json: what CuPy's modules and arrays offer. Needs CuPy, but no GPU.

python tests/cuda_emulation/list_names.py
"""

import inspect
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import cupy
import cupy.lib.stride_tricks

MODULES = {"": cupy, "linalg": cupy.linalg, "lib.stride_tricks": cupy.lib.stride_tricks}


def parameters(value: Any) -> list[str] | None:
    """Names of a Python function's parameters; None for anything else."""
    if isinstance(value, type | cupy.ufunc) or not callable(value):
        return None
    try:
        return list(inspect.signature(value).parameters)
    except (TypeError, ValueError):
        return None


def public(module: ModuleType) -> dict[str, list[str] | None]:
    """The module's own names."""
    names = [n for n in dir(module) if not n.startswith("_")]
    values = {n: getattr(module, n) for n in names}
    return {n: parameters(v) for n, v in values.items() if not isinstance(v, ModuleType)}


def main() -> None:
    names = {
        "version": cupy.__version__,
        "modules": {name: public(module) for name, module in MODULES.items()},
        "ndarray": [n for n in dir(cupy.ndarray) if not n.startswith("_")],
        "ufunc": [n for n in dir(cupy.add) if not n.startswith("_")],
    }
    lines = json.dumps(names, separators=(",", ":"))
    Path(__file__).with_name("cupy_names.json").write_text(lines + "\n")


if __name__ == "__main__":
    main()
