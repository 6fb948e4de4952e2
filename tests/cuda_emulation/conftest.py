"""Every test here has a "GPU": the stand-in takes the place of CuPy."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minigrad import backend
from minigrad.kernels import cuda

sys.path.append(str(Path(__file__).parent))
import emulate
import standin

MODULE = standin.make()
CUDA = pytest.param(
    "on",
    marks=pytest.mark.skipif(
        emulate.COMPILER is None, reason="no C++ compiler (g++, clang++) to run CUDA sources with"
    ),
)


@pytest.fixture(autouse=True)
def cupy(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """The module that `import cupy` gives; array versions of the kernels."""
    monkeypatch.setitem(sys.modules, "cupy", MODULE)
    monkeypatch.setenv(cuda.SWITCH, "off")
    backend._cupy.cache_clear()
    yield MODULE
    backend._cupy.cache_clear()


@pytest.fixture(params=["off", CUDA])
def kernels(cupy: object, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """With the CUDA kernels, and without."""
    monkeypatch.setenv(cuda.SWITCH, request.param)
    return str(request.param)
