"""Write cupy_names.json: what CuPy's modules and arrays offer, and cupy_cuda_names.json: what its
pool, streams and events do. Needs CuPy, but no GPU.

python -m minigrad.testing.list_cupy_names
"""

import inspect
import json
from pathlib import Path
from types import ModuleType
from typing import Any


def parameters(value: Any) -> list[str] | None:
    """Names of a Python function's parameters; None for anything else."""
    import cupy

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
    import cupy
    import cupy.lib.stride_tricks

    modules = {"": cupy, "linalg": cupy.linalg, "lib.stride_tricks": cupy.lib.stride_tricks}
    classes = ("MemoryPool", "MemoryHook", "PinnedMemoryPointer", "Stream", "Event")
    names = {
        "version": cupy.__version__,
        "modules": {name: public(module) for name, module in modules.items()},
        "ndarray": [n for n in dir(cupy.ndarray) if not n.startswith("_")],
        "ufunc": [n for n in dir(cupy.add) if not n.startswith("_")],
    }
    cuda = {
        "cuda": ["cublas", *(n for n in dir(cupy.cuda) if not n.startswith("_"))],  # cublas is lazy
        "memory": [n for n in dir(cupy.cuda.memory) if not n.startswith("_")],
        "runtime": [n for n in dir(cupy.cuda.runtime) if not n.startswith("_")],
        **{
            name: [n for n in dir(getattr(cupy.cuda, name)) if not n.startswith("_")]
            for name in classes
        },
    }
    for file, found in (("cupy_names.json", names), ("cupy_cuda_names.json", cuda)):
        lines = json.dumps(found, separators=(",", ":"))
        Path(__file__).with_name(file).write_text(lines + "\n")


if __name__ == "__main__":
    main()
