"""The notebooks are what their sources say, run from the top, and read well on a code host."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from minigrad import testing

ROOT = Path(__file__).resolve().parents[2]


def _build():
    spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks/build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = _build()
SOURCES = build.sources()
LESSONS = [source for source in SOURCES if source.parent == build.SOURCE]
sources = pytest.mark.parametrize(
    "source", SOURCES, ids=lambda s: s.stem + "/" * (s not in LESSONS)
)
lessons = pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
LOCAL_PATH = re.compile(r"(?:^|[\s\"'(>])/\w[\w.-]*/", re.MULTILINE)  # of who built a notebook


def committed(source):
    return nbformat.read(build.target(source), as_version=4)


def printed(notebook):
    """What each code cell printed, without pictures."""
    return [
        "".join(
            output.get("text", "") or output.get("data", {}).get("text/plain", "")
            for output in cell.outputs
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@sources
def test_the_notebook_has_the_cells_of_its_source(source):
    def cells(notebook):
        return [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in notebook.cells]

    assert cells(committed(source)) == cells(build.unexecuted(source)), (
        f"run: python notebooks/build.py {source.stem}"
    )


@sources
def test_jupyterlab_changes_nothing_when_it_opens_the_notebook_and_saves_it(source, tmp_path):
    path, notebook = build.target(source), committed(source)
    here, there = build.metadata(), dict(notebook.metadata)
    for one in (here, there):  # Python's version is the learner's own: see `alexnet learn --copy`
        one["language_info"] = {**one["language_info"], "version": ""}
    assert there == here
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    filemanager = pytest.importorskip("jupyter_server.services.contents.filemanager")
    copy = tmp_path / path.name
    shutil.copy(path, copy)
    contents = filemanager.FileContentsManager(root_dir=str(tmp_path))
    opened = contents.get(copy.name, type="notebook")
    contents.save({**opened, "content": opened["content"]}, copy.name)
    assert copy.read_bytes() == path.read_bytes()


@sources
def test_the_notebook_is_light_and_shows_what_its_cells_did(source):
    notebook = committed(source)
    assert build.target(source).stat().st_size < 1_000_000
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert "error" not in {output.output_type for output in outputs}
    assert "stderr" not in {output.get("name") for output in outputs}  # no warning either
    assert not LOCAL_PATH.search("\n".join(printed(notebook)))
    if source in LESSONS:
        images = [o for c in code for o in c.outputs if "image/png" in o.get("data", {})]
        assert images


@lessons
def test_the_lesson_has_exercises_and_each_has_a_solution_that_is_right(source):
    asked = [c for c in committed(source).cells if "exercise" in c.metadata.get("tags", [])]
    assert 1 <= len(asked) <= 5
    names = [re.search(r"^def (\w+)", cell.source, re.MULTILINE)[1] for cell in asked]
    text = "".join(printed(committed(source)))
    solved = "".join(printed(committed(build.SOURCE / "solutions" / source.name)))
    for name in names:
        assert f"{name}: not filled in yet." in text
        assert f"{name}: right." in solved
    assert "not yet." not in solved


@lessons
def test_each_question_of_the_lesson_is_open_and_answered_in_the_solution(source):
    cells = committed(source).cells
    asked = [c.source for c in cells if "answer" in c.metadata.get("tags", [])]
    text = "".join(printed(committed(source)))
    solved = "".join(printed(committed(build.SOURCE / "solutions" / source.name)))
    for name in re.findall(r"^(\w+) = None", "\n".join(asked), re.MULTILINE):
        assert f"{name}: not answered yet." in text
        assert f"{name}: right." in solved


@sources
def test_printed_text_is_in_one_piece(source):
    for cell in committed(source).cells:
        assert cell.get("outputs", []) == build.joined(cell.get("outputs", []))


@sources
def test_every_local_link_leads_somewhere(source):
    for cell in committed(source).cells:
        if cell.cell_type == "markdown":
            for link in re.findall(r"\]\(([^)#\s]+)", cell.source):
                if "://" not in link:
                    assert (build.target(source).parent / link).exists(), link


@pytest.mark.slow
@sources
def test_the_notebook_runs_from_the_top_and_prints_the_same(source, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_NUM_THREADS", "2")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    if sys.platform == "win32":
        pytest.skip("the kernel's event loop warns there")
    if source == build.SOURCE / "solutions" / LESSONS[-1].name:
        pytest.skip("test_yours.py trains what it trains")
    if source == build.SOURCE / "16_gpu.py" and testing.problem():
        pytest.skip(f"its kernels cannot run, as its cells say: {testing.problem()}")
    notebook = build.unexecuted(source)
    build.execute(notebook, ROOT / "notebooks")
    assert printed(notebook) == printed(committed(source))


def as_in_a_browser(*arguments):
    """What the cells printed in a Python without threads and processes."""
    script = Path(__file__).with_name("as_in_a_browser.py")
    done = subprocess.run(
        [sys.executable, script, *arguments], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("source", LESSONS[:-1], ids=lambda s: s.stem)
def test_the_lesson_runs_in_a_browser_when_it_is_solved(source):
    said = as_in_a_browser(source, "solved")
    assert not re.search("not yet|not filled in|not answered", said), said


# It takes its functions from all the others, solved: test_yours.py does that.
@pytest.mark.slow
def test_the_last_lesson_runs_in_a_browser():
    as_in_a_browser(LESSONS[-1])
