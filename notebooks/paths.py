"""Write the short ways through the course into README and the site's front page.

    python notebooks/paths.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from alexnet_scratch.lessons.paths import markdown

ROOT = Path(__file__).resolve().parents[1]
PLACES = (ROOT / "README.md", ROOT / "docs/site/index.md")
BEGIN, END = "<!-- paths: begin -->\n", "<!-- paths: end -->"


def written(text: str) -> str:
    """The page with the ways between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        sys.exit(f"paths: no {BEGIN.strip()} ... {END}")
    there = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    return f"{before}{BEGIN}{markdown(there, 'notebooks/')}{END}{after}"


if __name__ == "__main__":
    for page in PLACES:
        page.write_text(written(page.read_text("utf-8")), "utf-8")
