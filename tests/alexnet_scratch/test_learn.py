"""`alexnet learn`: the list, one notebook opened, and what can be missing."""

import json
import platform
import shutil
import subprocess

import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.commands import learn

VERSION = platform.python_version()


@pytest.fixture
def opened(monkeypatch):
    """The commands that would have been started."""
    calls = []
    monkeypatch.setattr(subprocess, "call", lambda command: calls.append(command) or 0)
    monkeypatch.setattr(learn.importlib.util, "find_spec", lambda name: object())
    return calls


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of its own: it remembers where a learner's copies are."""
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))


def test_the_list_names_every_notebook(capsys):
    assert main(["learn"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  4  Pooling" in lines
    assert lines[-2] == "Open one with its number: alexnet learn 1"
    assert len(lines) - 3 == len(list(learn.NOTEBOOKS.glob("*.ipynb")))


def test_a_number_opens_its_notebook(opened):
    assert main(["learn", "4"]) == 0
    assert opened[0][-1].endswith("05_pooling.ipynb")


def test_a_copy_is_opened_and_keeps_what_was_written_in_it(opened, tmp_path, capsys):
    mine = tmp_path / "mine"
    assert main(["learn", "4", "--copy", str(mine)]) == 0
    assert opened[0][-1] == str(mine / "05_pooling.ipynb")
    names = {path.relative_to(mine).as_posix() for path in mine.glob("**/*.*")}
    assert {"01_autograd.ipynb", "solutions/01_autograd.ipynb"} <= names
    assert not any(name.endswith(".py") for name in names)
    (mine / "05_pooling.ipynb").write_text("my work")
    (mine / "06_relu.ipynb").unlink()
    assert main(["learn", "5", "--copy", str(mine)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"1 notebook copied to {mine}"
    assert (mine / "05_pooling.ipynb").read_text() == "my work"
    assert main(["learn", "--copy", str(tmp_path / "another")]) == 0
    folder = tmp_path / "another"
    said = capsys.readouterr().out
    assert f"Lessons: {folder}; solutions: {folder}/solutions\n" in said


def test_copies_are_the_notebooks_but_for_the_version_of_python(tmp_path):
    learn.copied(tmp_path)
    for path in tmp_path.glob("**/*.ipynb"):
        original = (learn.NOTEBOOKS / path.relative_to(tmp_path)).read_text("utf-8")
        version = json.loads(original)["metadata"]["language_info"]["version"]
        mine = original.replace(f'"version": "{version}"', f'"version": "{VERSION}"')
        assert path.read_text("utf-8") == mine


def answered(path, names):
    """Save a notebook as if the exercises of these names were right."""
    notebook = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            for name in names:
                if "".join(output.get("text", "")).startswith(f"{name}: "):
                    output["text"] = [f"{name}: right.\n"]
    path.write_text(json.dumps(notebook), "utf-8")


def test_the_list_tells_what_is_done_in_the_copies(opened, tmp_path, capsys):
    mine = tmp_path / "mine"
    assert main(["learn", "--copy", str(mine)]) == 0
    answered(mine / "05_pooling.ipynb", ["pool_forward", "pool_backward"])
    answered(mine / "04_convolution.ipynb", ["conv_forward"])
    (mine / "06_relu.ipynb").write_text("damaged")
    capsys.readouterr()
    assert main(["learn"]) == 0
    lines = {" ".join(line.split()) for line in capsys.readouterr().out.splitlines()}
    assert "4 Pooling done" in lines
    assert "3 Convolution 1 of 3 exercises" in lines
    assert {"5 06_relu", "6 Local response normalisation"} <= lines
    assert main(["learn", "4"]) == 0  # goes on in the copies
    assert opened[0][-1] == str(mine / "05_pooling.ipynb")
    shutil.rmtree(mine)
    capsys.readouterr()
    assert main(["learn"]) == 0
    assert "done" not in capsys.readouterr().out


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
