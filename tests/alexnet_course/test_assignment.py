"""`alexnet assign`: lessons as nbgrader and otter-grader take them, and what these say of them."""

import json

import pytest
from handed_in import SOURCE, functions, notebook

from alexnet_course.grading import assignment, grade
from alexnet_scratch.cli import main

LESSON = "04_convolution"
NAMES = ["conv_forward", "columns", "conv_backward"]


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """The lesson and its solution, beside the packages."""
    folder = tmp_path / "notebooks"
    (folder / "solutions").mkdir(parents=True)
    text = (SOURCE / "solutions" / f"{LESSON}.py").read_text("utf-8")
    answers = functions(LESSON)
    (folder / f"{LESSON}.ipynb").write_text(notebook(LESSON, {}), "utf-8")
    (folder / "solutions" / f"{LESSON}.ipynb").write_text(notebook(LESSON, answers), "utf-8")
    for module in (assignment, grade):
        monkeypatch.setattr(module, "NOTEBOOKS", folder)
    assert all(name in text for name in NAMES)
    return folder


@pytest.fixture
def assigned(notebooks, tmp_path):
    """assigned("otter"): the folder that `alexnet assign 4 --for otter` has written."""

    def write(program):
        assert main(["assign", "4", "--for", program, "--to", str(tmp_path / program)]) == 0
        return tmp_path / program

    return write


def cells_of(folder):
    return json.loads((folder / f"{LESSON}.ipynb").read_text("utf-8"))["cells"]


def test_nbgrader_finds_an_answer_and_a_point_for_each_exercise(assigned):
    marked = [c for c in cells_of(assigned("nbgrader")) if "nbgrader" in c["metadata"]]
    by_id = {c["metadata"]["nbgrader"]["grade_id"]: c for c in marked}
    assert sorted(by_id) == sorted([*NAMES, *(f"check_{name}" for name in NAMES)])
    for name in NAMES:
        answer, check = by_id[name], by_id[f"check_{name}"]
        assert answer["metadata"]["nbgrader"]["solution"] is True
        assert "    ### BEGIN SOLUTION\n" in answer["source"]
        assert "raise NotImplementedError" not in answer["source"]
        assert check["metadata"]["nbgrader"]["points"] == 1
        assert check["source"].endswith(f"check.{name}.must({name})")
        compile(answer["source"], name, "exec")


def test_nbgrader_takes_it(assigned, tmp_path):
    """Its own validator and its own way from the teacher's notebook to the learner's."""
    nbformat = pytest.importorskip("nbgrader.nbgraderformat")
    preprocessors = pytest.importorskip("nbgrader.preprocessors")
    read = nbformat.read(str(assigned("nbgrader") / f"{LESSON}.ipynb"), as_version=4)
    nbformat.MetadataValidator().validate_nb(read)
    handed_out, _ = preprocessors.ClearSolutions().preprocess(read, {})
    text = "\n".join(c.source for c in handed_out.cells)
    assert text.count("# YOUR CODE HERE") == len(NAMES)
    assert "SOLUTION" not in text


def test_otter_s_checks_give_points(assigned):
    folder = assigned("otter")
    sources = [c["source"] for c in cells_of(folder)]
    start = next(i for i, text in enumerate(sources) if "import otter" in text)
    assert 'tests_dir="checks"' in sources[start]
    assert all(any(f'grader.check("{name}")' in text for text in sources) for name in NAMES)
    assert sorted(p.stem for p in (folder / "checks").iterdir()) == sorted(NAMES)


def test_otter_takes_them(assigned):
    files = pytest.importorskip("otter.test_files")
    folder, answers = assigned("otter"), {}
    for text in functions(LESSON).values():
        exec(f"import numpy as np\n{text}", answers)
    for name in NAMES:
        file = files.ExceptionTestFile.from_file(str(folder / "checks" / f"{name}.py"))
        file.run(answers)
        assert file.passed_all
        file.run({name: lambda *args: None})
        assert "is there a `return` at the end?" in file.test_case_results[0].message


def test_a_lesson_is_never_written_over(assigned, capsys):
    folder = assigned("otter")
    assert main(["assign", "4", "--for", "otter", "--to", str(folder)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_lesson_that_is_not_there(notebooks, tmp_path, capsys):
    assert main(["assign", "99", "--for", "otter", "--to", str(tmp_path)]) == 2
    assert "there is no lesson 99" in capsys.readouterr().err


def test_must_raises_the_verdict(solutions):
    from alexnet_course import n04_convolution as check

    check.columns.must(solutions(LESSON).columns)
    with pytest.raises(AssertionError, match=r"columns: not yet\. It returns None"):
        check.columns.must(lambda *args: None)
