"""`import whole` in the tests of pages."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
