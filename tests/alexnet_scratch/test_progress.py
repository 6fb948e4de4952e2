"""The progress bar, and that data needs nothing of training to have one."""

import ast
from pathlib import Path

import pytest

import alexnet_scratch
from alexnet_scratch.progress import progress_bar, say


def test_no_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("work", 3, 1) as bar:
        bar.update(2)
        say("a line")
    assert capsys.readouterr() == ("a line\n", "")


def test_data_does_not_import_training() -> None:
    folder = Path(alexnet_scratch.__file__).parent / "data"
    files = sorted(folder.rglob("*.py"))
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert "training" not in (node.module or "").split("."), file
