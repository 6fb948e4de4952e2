"""`alexnet learn`: copies that are never overwritten, what is done, one lesson opened or reset."""

import json
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.commands import learn
from alexnet_scratch.lessons import copies, paths, start
from alexnet_scratch.lessons import notebook as nb

ROOT = Path(__file__).resolve().parents[2]
VERSION = platform.python_version()
POOL = ["pool_forward", "pool_backward", "largest_gradient", "windows_with_a_tie"]


@pytest.fixture
def opened(monkeypatch):
    """The commands that would have been started."""
    calls = []
    monkeypatch.setattr(subprocess, "call", lambda command: calls.append(command) or 0)
    monkeypatch.setattr(learn.importlib.util, "find_spec", lambda name: object())
    return calls


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home and a cache folder of its own."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of two lessons, to be changed upstream."""
    folder = tmp_path / "course"
    (folder / "solutions").mkdir(parents=True)
    for name in ("05_pooling", "06_relu"):
        shutil.copy(copies.NOTEBOOKS / f"{name}.ipynb", folder)
        shutil.copy(copies.NOTEBOOKS / f"solutions/{name}.ipynb", folder / "solutions")
    monkeypatch.setattr(copies, "NOTEBOOKS", folder)
    return folder


def edited(path, *changes, printed=()):
    """Save a notebook with texts replaced, and as if these exercises were right."""
    notebook = nb.read(path)
    for cell in notebook["cells"]:
        text = nb.source(cell)
        for old, new in changes:
            text = text.replace(old, new)
        cell["source"] = text.splitlines(keepends=True)
        if right := [name for name in printed if f"check.{name}({name}" in text]:
            lines = [f"{name}: right.\n" for name in right]
            cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": lines}]
    nb.write(path, notebook)


def texts(path):
    return "\n".join(nb.source(cell) for cell in nb.read(path)["cells"])


def test_the_first_call_says_where_the_copies_are_and_opens_the_start_page(opened, home, capsys):
    mine = home / "alexnet-course"
    assert main(["learn"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Your copies of the lessons will be in {mine} (elsewhere: ")
    assert "  5  Pooling" in lines
    assert "Next: alexnet learn" in lines[-2]
    assert [line for line in lines[2:-1] if len(line) > 80] == []
    assert lines[-1] == f"Lessons: {mine}; solutions: {mine}/solutions"
    assert opened[0][-1] == str(mine / "start.ipynb")
    names = {path.relative_to(mine).as_posix() for path in mine.glob("**/*.*")}
    assert {"01_autograd.ipynb", "solutions/01_autograd.ipynb"} <= names
    assert not any(name.endswith(".py") for name in names)
    assert main(["learn", "--list"]) == 0
    assert len(opened) == 1
    assert capsys.readouterr().out.startswith("  ")  # said once


def test_a_number_opens_its_lesson_where_the_copies_are(opened, course, home, tmp_path):
    assert main(["learn", "5"]) == 0
    assert main(["learn", "5", "--copy", str(tmp_path / "another")]) == 0
    assert main(["learn", "6"]) == 0  # stays there
    assert [call[-1] for call in opened] == [
        str(home / "alexnet-course/05_pooling.ipynb"), str(tmp_path / "another/05_pooling.ipynb"),
        str(tmp_path / "another/06_relu.ipynb"),
    ]  # fmt: skip
    shutil.rmtree(tmp_path / "another")
    assert main(["learn", "6"]) == 0
    assert opened[-1][-1] == str(home / "alexnet-course/06_relu.ipynb")


def test_what_is_in_the_folder_stays(course, tmp_path):
    mine = tmp_path / "mine"
    assert copies.make(mine).new == [
        "05_pooling.ipynb", "06_relu.ipynb", "solutions/05_pooling.ipynb", "solutions/06_relu.ipynb"
    ]  # fmt: skip
    (mine / "05_pooling.ipynb").write_text("my work")
    (mine / "06_relu.ipynb").unlink()
    assert copies.make(mine) == (["06_relu.ipynb"], [], [])
    assert (mine / "05_pooling.ipynb").read_text() == "my work"


def without_outputs(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook


def test_copies_are_the_lessons_without_outputs_and_the_solutions_with_them(course, tmp_path):
    copies.make(tmp_path / "mine")
    for path in course.glob("**/*.ipynb"):
        notebook = nb.read(path)
        assert any(cell.get("outputs") for cell in notebook["cells"])
        notebook["metadata"]["language_info"]["version"] = VERSION
        expected = notebook if path.parent.name == "solutions" else without_outputs(notebook)
        assert nb.read(tmp_path / "mine" / path.relative_to(course)) == expected


def test_a_lesson_that_was_only_run_again_is_not_newer(course, tmp_path):
    mine = tmp_path / "mine"
    copies.make(mine)
    edited(mine / "06_relu.ipynb", ("raise NotImplementedError", "return 1"))
    for name in ("05_pooling", "06_relu"):
        nb.write(course / f"{name}.ipynb", without_outputs(nb.read(course / f"{name}.ipynb")))
    assert copies.make(mine) == ([], [], [])


def test_a_copy_with_outputs_of_an_earlier_version_loses_them_unless_written_in(course, tmp_path):
    mine, record = tmp_path / "mine", {}
    mine.mkdir()
    for name in ("05_pooling.ipynb", "06_relu.ipynb"):
        original = nb.checksum((course / name).read_bytes())
        record[name] = {
            "original": original, "written": nb.write(mine / name, nb.read(course / name))
        }  # fmt: skip
    (mine / copies.RECORD).write_text(json.dumps(record))
    edited(mine / "06_relu.ipynb", ("raise NotImplementedError", "return 1"))
    before = (mine / "06_relu.ipynb").read_bytes()
    made = copies.make(mine)
    assert (made.renewed, made.newer) == (["05_pooling.ipynb"], [])
    assert not any(cell.get("outputs") for cell in nb.read(mine / "05_pooling.ipynb")["cells"])
    assert (mine / "06_relu.ipynb").read_bytes() == before


def test_a_lesson_that_changed_renews_what_nobody_has_touched(course, tmp_path, capsys):
    mine = tmp_path / "mine"
    copies.make(mine)
    edited(mine / "06_relu.ipynb", ("raise NotImplementedError", "return 1"))
    for name in ("05_pooling", "06_relu"):
        edited(course / f"{name}.ipynb", ("You need", "You really need"))
    assert main(["learn", "--list", "--copy", str(mine)]) == 0
    said = capsys.readouterr().out
    assert "Lesson 5 was changed and is renewed" in said
    assert "Lesson 6 has a newer version; yours stays." in said
    assert "You really need" in texts(mine / "05_pooling.ipynb")
    assert "You really need" not in texts(mine / "06_relu.ipynb")

    assert main(["learn", "6", "--update", "--copy", str(mine)]) == 0
    assert f"your copy is kept: {mine / 'old/06_relu-1.ipynb'}" in capsys.readouterr().out
    assert "You really need" in texts(mine / "06_relu.ipynb")
    assert "return 1" in texts(mine / "06_relu.ipynb")
    assert "You really need" not in texts(mine / "old/06_relu-1.ipynb")
    assert copies.make(mine) == ([], [], [])
    edited(course / "06_relu.ipynb", ("You really need", "You need"))
    assert copies.make(mine).newer == ["06_relu.ipynb"]  # its answers are work


def test_answers_of_an_older_course_come_along(course, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    shutil.copy(course / "06_relu.ipynb", mine / "05_relu.ipynb")  # its number then
    edited(mine / "05_relu.ipynb", ("raise NotImplementedError", "return 1"))
    before = (mine / "05_relu.ipynb").read_bytes()
    copies.make(mine)
    assert "return 1" in texts(mine / "06_relu.ipynb")
    assert "return 1" not in texts(mine / "solutions/06_relu.ipynb")
    assert (mine / "05_relu.ipynb").read_bytes() == before


def test_a_folder_without_a_record_is_known_by_what_it_says(course, tmp_path):
    mine = tmp_path / "mine"
    copies.make(mine)
    edited(mine / "06_relu.ipynb", ("raise NotImplementedError", "return 1"))
    (mine / copies.RECORD).write_text("damaged")
    assert copies.make(mine) == ([], [], [])
    edited(course / "06_relu.ipynb", ("You need", "You really need"))
    assert copies.make(mine).newer == ["06_relu.ipynb"]


def test_the_list_tells_what_is_done_and_what_is_next(course, tmp_path, capsys):
    mine = tmp_path / "mine"
    assert main(["learn", "--list", "--copy", str(mine)]) == 0
    edited(mine / "05_pooling.ipynb", printed=POOL)
    capsys.readouterr()
    assert main(["learn", "--list"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == ["5 Pooling done", "6 ReLU next"]
    assert "Next: alexnet learn 6" in lines
    edited(mine / "06_relu.ipynb", printed=["relu_backward"])
    assert main(["learn", "--list"]) == 0
    assert re.search(r"ReLU +1 of \d exercises", capsys.readouterr().out)
    (mine / "05_pooling.ipynb").write_text("damaged")
    assert [lesson.title for lesson in copies.overview(mine)] == ["05_pooling", "ReLU"]
    assert copies.next_lesson(copies.overview(mine)).number == 5


def test_a_lesson_without_exercises_is_done_when_it_has_been_run(course, tmp_path):
    notebook = nb.read(course / "05_pooling.ipynb")
    notebook["cells"] = [cell for cell in notebook["cells"] if not nb.asked(cell)]
    nb.write(course / "05_pooling.ipynb", notebook)
    copies.make(tmp_path / "mine")
    assert not copies.overview(tmp_path / "mine")[0].done
    edited(tmp_path / "mine/05_pooling.ipynb", ("You need", "I had"))
    assert copies.overview(tmp_path / "mine")[0].done


def test_questions_count_as_exercises_do():
    cells = [
        {"metadata": {"tags": ["answer"]}, "source": ["why = 'b'\n", "how = None"]},
        {"metadata": {}, "outputs": [{"text": ["why: right. Because.\n", "how: not yet. No."]}]},
    ]
    assert nb.progress({"cells": cells}, nb.answers({"cells": cells})) == (1, 2)


def test_an_exercise_is_reset_and_the_old_text_stays_below_it(course, tmp_path, capsys):
    mine = tmp_path / "mine"
    copies.make(mine)
    edited(
        mine / "06_relu.ipynb", ("raise NotImplementedError", "return grad * 7"),
        printed=["relu_backward", "tanh_backward"],
    )  # fmt: skip
    assert main(["learn", "6", "--copy", str(mine), "--reset", "relu_backward"]) == 0
    assert "relu_backward is as it came; what you had is below it" in capsys.readouterr().out
    notebook, original = nb.read(mine / "06_relu.ipynb"), nb.read(course / "06_relu.ipynb")
    assert nb.answers(notebook)["relu_backward"] == nb.answers(original)["relu_backward"]
    assert "return grad * 7" in nb.answers(notebook)["tanh_backward"]
    place = next(i for i, c in enumerate(notebook["cells"]) if "relu_backward" in nb.asked(c))
    assert "return grad * 7" in nb.source(notebook["cells"][place + 1])
    assert notebook["cells"][place + 1]["cell_type"] == "markdown"
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert nb.progress(notebook, nb.answers(original)).right == 1  # its check has to be run again
    assert main(["learn", "6", "--reset", "relu_backward"]) == 0  # nothing to keep now
    assert len(nb.read(mine / "06_relu.ipynb")["cells"]) == len(notebook["cells"])
    assert main(["learn", "6", "--reset", "relu_backwards"]) == 2
    assert "did you mean relu_backward?; there are relu_backward, " in capsys.readouterr().err
    assert main(["learn", "--reset", "relu_backward"]) == 2
    assert "needs the number of a lesson" in capsys.readouterr().err


def test_the_start_page_is_written_anew_until_the_learner_writes_in_it(course, tmp_path):
    mine = tmp_path / "mine"
    copies.make(mine)
    page = start.write(mine)
    for cell in nb.read(page)["cells"]:
        code = {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | code
    assert "**Next: [5. Pooling](05_pooling.ipynb)**" in page.read_text("utf-8")
    edited(mine / "05_pooling.ipynb", printed=POOL)
    assert "**Next: [6. ReLU](06_relu.ipynb)**" in start.write(mine).read_text("utf-8")
    edited(page, ("# The course", "# My course"))
    before = page.read_bytes()
    edited(mine / "05_pooling.ipynb", ("You need", "I had"))
    assert start.write(mine).read_bytes() == before


def test_a_function_of_ones_own_may_stand_beside_the_exercises(course, tmp_path):
    mine = tmp_path / "mine"
    copies.make(mine)
    helped = "def pool_forward(", "def helper(x):\n    return x\n\n\ndef pool_forward("
    edited(mine / "05_pooling.ipynb", helped, printed=POOL)
    assert copies.overview(mine)[0].done
    copies.update(mine, "05_pooling.ipynb")
    assert "def helper(x):" in texts(mine / "05_pooling.ipynb")
    assert copies.reset(mine, "05_pooling.ipynb", "pool_forward")
    assert "def helper(x):" not in nb.answers(nb.read(mine / "05_pooling.ipynb"))["pool_forward"]


def test_the_lessons_own_folder_is_no_place_for_copies(course, capsys):
    before = sorted(course.glob("**/*"))
    assert main(["learn", "--copy", str(course)]) == 2
    assert "copies need another folder" in capsys.readouterr().err
    assert sorted(course.glob("**/*")) == before
    assert main(["learn", "--list"]) == 0  # and is not remembered


def test_an_unknown_number_is_told_the_others(opened, capsys):
    assert main(["learn", "99"]) == 2
    assert "there is no lesson 99; there are" in capsys.readouterr().err
    assert not opened


def test_without_jupyterlab_the_way_to_it_is_named(opened, monkeypatch, capsys):
    monkeypatch.setattr(learn.importlib.util, "find_spec", lambda name: None)
    assert main(["learn", "5"]) == 2
    message = capsys.readouterr().err
    assert f"in {copies.NOTEBOOKS.parent}, pip install -e '.[notebooks]'" in message
    assert "alexnet-scratch[" not in message  # not this project on PyPI
    assert main(["learn"]) == 0  # the list is something, too
    assert "To open them: JupyterLab is not installed" in capsys.readouterr().out


def test_without_the_sources_there_is_a_line_not_a_traceback(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(copies, "NOTEBOOKS", tmp_path / "nowhere")
    assert main(["learn"]) == 2
    assert "clone the repository" in capsys.readouterr().err


STOPS = [stop for way in paths.PATHS for stop in way.stops]


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: f"{stop.name} {stop.part}")
def test_each_stop_of_a_short_way_is_there(stop):
    source = ROOT / f"notebooks/source/{stop.name}.py"
    if not source.exists():
        pytest.skip(f"{source.name} is not written yet")
    headings = re.findall(r"^# ## (.*)$", source.read_text("utf-8"), re.MULTILINE)
    assert {stop.first, stop.last} - {""} <= set(headings)


def test_the_two_hours_are_two_hours():
    two_hours, weekend = paths.PATHS
    assert two_hours.minutes <= 120
    assert weekend.minutes <= 480


@pytest.mark.parametrize("page", ["README.md", "docs/site/index.md"])
def test_the_short_ways_stand_on_the_page(page):
    _, begin, rest = (ROOT / page).read_text("utf-8").partition("<!-- paths: begin -->\n")
    shown, end, _ = rest.partition("<!-- paths: end -->")
    assert begin
    assert end
    there = {path.name for path in copies.NOTEBOOKS.glob("*.ipynb")}
    assert shown == paths.markdown(there, "notebooks/"), "run: python notebooks/paths.py"
