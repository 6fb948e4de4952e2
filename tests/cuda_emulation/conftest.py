"""Every test here has a "GPU": the stand-in takes the place of CuPy."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minigrad import backend

sys.path.append(str(Path(__file__).parent))
import standin


@pytest.fixture(autouse=True)
def cupy(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """The module that `import cupy` gives."""
    module = standin.make()
    monkeypatch.setitem(sys.modules, "cupy", module)
    backend._cupy.cache_clear()
    yield module
    backend._cupy.cache_clear()
