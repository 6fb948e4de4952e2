"""Makes the helpers that stand beside the tests importable: `import operations`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "minigrad"))
