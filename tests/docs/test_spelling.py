"""No known misspelling in what people read: the course, the pages, docstrings and comments."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READ = (
    "README.md", "docs", "notebooks/source", "minigrad", "alexnet_scratch", "benchmarks", "tests",
)  # fmt: skip


def misspelled(*paths):
    done = subprocess.run(
        # "fro" is the norm of Frobenius; imagenet.txt has names in Latin
        [sys.executable, "-m", "codespell_lib", "--skip=*.json,imagenet.txt", "-L", "fro",
         *map(str, paths)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 65), done.stderr  # 65: misspellings
    return done.stdout


def test_no_misspelling():
    assert misspelled(*READ) == ""


def test_a_misspelling_would_be_found(tmp_path):
    (tmp_path / "page.md").write_text("We rec" + "ieve a gradient.")
    assert "receive" in misspelled(tmp_path)
