"""What the tests of the notebooks' checks share; makes `import handed_in` work in them."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.append(str(Path(__file__).parent))
SOLUTIONS = Path(__file__).resolve().parents[2] / "notebooks/source/solutions"


@pytest.fixture
def solutions():
    """solutions("05_pooling"): the functions of a solution; with edits, pairs of texts, as wrong
    as these make them. The file's own calls of the checks are left out."""

    def load(name, *edits):
        text = (SOLUTIONS / f"{name}.py").read_text("utf-8")
        for old, new in edits:
            assert text.count(old) == 1, f"{old!r} is in the solution {text.count(old)} times"
            text = text.replace(old, new)
        text = re.sub(r"^check\..*$", "", text, flags=re.MULTILINE)
        namespace = {}
        exec(compile(text, name, "exec"), namespace)
        return SimpleNamespace(**namespace)

    return load
