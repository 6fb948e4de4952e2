"""`alexnet learn`: the list, one notebook opened, and what can be missing."""

import subprocess

import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.commands import learn


@pytest.fixture
def opened(monkeypatch):
    """The commands that would have been started."""
    calls = []
    monkeypatch.setattr(subprocess, "call", lambda command: calls.append(command) or 0)
    monkeypatch.setattr(learn.importlib.util, "find_spec", lambda name: object())
    return calls


def test_the_list_names_every_notebook(capsys):
    assert main(["learn"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  4  Pooling" in lines
    assert lines[-2] == "Open one with its number: alexnet learn 1"
    assert len(lines) - 3 == len(list(learn.NOTEBOOKS.glob("*.ipynb")))


def test_a_number_opens_its_notebook(opened):
    assert main(["learn", "4"]) == 0
    assert opened[0][-1].endswith("04_pooling.ipynb")


def test_a_copy_is_opened_and_keeps_what_was_written_in_it(opened, tmp_path, capsys):
    mine = tmp_path / "mine"
    assert main(["learn", "4", "--copy", str(mine)]) == 0
    assert opened[0][-1] == str(mine / "04_pooling.ipynb")
    names = {path.relative_to(mine).as_posix() for path in mine.glob("**/*.*")}
    assert {"01_autograd.ipynb", "solutions/01_autograd.ipynb"} <= names
    assert not any(name.endswith(".py") for name in names)
    (mine / "04_pooling.ipynb").write_text("my work")
    (mine / "05_relu.ipynb").unlink()
    assert main(["learn", "5", "--copy", str(mine)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"1 notebook copied to {mine}"
    assert (mine / "04_pooling.ipynb").read_text() == "my work"
    assert main(["learn", "--copy", str(tmp_path / "another")]) == 0
    assert f"alexnet learn 1 --copy {tmp_path}/another\n" in capsys.readouterr().out


def test_an_unknown_number_is_told_the_others(opened, capsys):
    assert main(["learn", "99"]) == 2
    assert "there is no notebook 99; there are" in capsys.readouterr().err
    assert not opened


def test_without_jupyterlab_the_way_to_it_is_named(opened, monkeypatch, capsys):
    monkeypatch.setattr(learn.importlib.util, "find_spec", lambda name: None)
    assert main(["learn", "4"]) == 2
    message = capsys.readouterr().err
    assert f"in {learn.NOTEBOOKS.parent}, pip install -e '.[notebooks]'" in message
    assert "alexnet-scratch[" not in message  # not this project on PyPI


def test_without_the_sources_there_is_a_line_not_a_traceback(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(learn, "NOTEBOOKS", tmp_path)
    assert main(["learn"]) == 2
    assert "clone the repository" in capsys.readouterr().err
