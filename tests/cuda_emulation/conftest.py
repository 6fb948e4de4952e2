"""Every test here has a "GPU": the stand-in takes the place of CuPy, but for tests marked `gpu`."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minigrad.cuda import device
from minigrad.kernels import cuda
from minigrad.testing import cuda_on_cpu, stand_in_for_cupy

sys.path.append(str(Path(__file__).parent))  # `import agreement`
CUDA = pytest.param(
    "on",
    marks=pytest.mark.skipif(
        cuda_on_cpu.COMPILER is None,
        reason="no GPU, and no C++ compiler (g++, clang++) to do without",
    ),
)


@pytest.fixture(autouse=True)
def cupy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """The stand-in as the module that `import cupy` gives; CuPy itself for tests marked `gpu`.

    With the array versions of the kernels, until a test says otherwise.
    """
    monkeypatch.setenv(cuda.SWITCH, "off")
    if request.node.get_closest_marker("gpu"):
        if not device.is_available():
            pytest.skip(str(device.why_not()))
        yield importlib.import_module("cupy")
        return
    with stand_in_for_cupy() as module:
        yield module


@pytest.fixture(
    params=[
        "off", CUDA,
        pytest.param("off", marks=pytest.mark.gpu, id="gpu-off"),
        pytest.param("on", marks=pytest.mark.gpu, id="gpu-on"),
    ]
)  # fmt: skip
def kernels(request: pytest.FixtureRequest, cupy: object, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the CUDA kernels, and without; on the stand-in, and on a GPU."""
    monkeypatch.setenv(cuda.SWITCH, request.param)
    return str(request.param)
