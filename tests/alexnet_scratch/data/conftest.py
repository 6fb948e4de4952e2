"""Drawn patterns shared by the tests of this folder; makes `import layouts` work in them."""

import sys
from pathlib import Path

import pytest

from alexnet_scratch.data import patterns

sys.path.append(str(Path(__file__).parent))

TRAIN, VAL = 80, 30


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn data set: 80 training and 30 validation images per class, full size."""
    folder = tmp_path_factory.mktemp("patterns") / "set"
    return patterns.generate(folder, TRAIN, VAL, seed=1, progress=False)
