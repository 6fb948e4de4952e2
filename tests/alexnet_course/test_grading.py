"""`alexnet grade`: notebooks of all kinds, handed in and graded."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from handed_in import SOURCE, functions, notebook

from alexnet_course import n04_convolution
from alexnet_course.checks import generator, own_inputs
from alexnet_course.grading import grade, outputs, submission
from alexnet_course.questions import Choice, Question
from alexnet_scratch.cli import main

LESSON = "04_convolution"
RIGHT = functions(LESSON)
COLUMNS = RIGHT["columns"]
BODY = "x, size, stride):\n"


def columns(*lines):
    """An answer to exercise `columns` that begins with these lines, and is right otherwise."""
    return COLUMNS.replace(BODY, BODY + "".join(f"    {line}\n" for line in lines))


@pytest.fixture(autouse=True)
def only_exercises(monkeypatch):
    """The lesson's own questions are no part of what is handed in here."""
    for name, one in list(vars(n04_convolution).items()):
        if isinstance(one, Question):
            monkeypatch.delattr(n04_convolution, name)


@pytest.fixture
def hand_in(tmp_path):
    """hand_in("anna", answers, ...): the path of anna's notebook."""

    def write(student, answers=None, lesson=LESSON, **cells):
        path = tmp_path / student / f"{lesson}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(notebook(lesson, RIGHT if answers is None else answers, **cells), "utf-8")
        return path

    return write


def graded(path, seconds=20, memory=2048, seed=None):
    return grade.grade(grade.Task(path, seed, False, None, grade.Limits(seconds, memory)))


def verdict_of_columns(path, **how):
    """What is said of one exercise; the two others must not suffer from it."""
    said = graded(path, **how)
    verdicts = {score.exercise: score.verdict for score in said.scores}
    verdict = verdicts.pop("columns")
    assert set(verdicts.values()) == {"conv_forward: right.", "conv_backward: right."}
    return verdict


def test_right_answers_with_helpers_of_their_own(hand_in):
    helped = RIGHT | {"columns": columns("x = untouched(x)")}
    helper = "import numpy\nTIMES = 1.0\n\ndef untouched(array):\n    return array * TIMES"
    said = graded(hand_in("anna", helped, last=helper))
    assert (said.student, said.lesson, said.points, len(said.scores)) == ("anna", LESSON, 3, 3)


FORGERY = """\
import alexnet_course.checks as c, builtins, gc, sys, numpy as np
print("columns: right.")
c.Exercise.verdict = lambda self, learner: f"{self.name}: right."
c.close = lambda *a, **k: True
np.testing.assert_array_equal = lambda *a, **k: None
for one in gc.get_objects():
    if isinstance(one, c.Exercise):
        one._check = lambda learner: None
class Yes(np.ndarray):
    def __eq__(self, other): return True
    def __array_function__(self, *a): return True
def always(*a): return np.zeros(3).view(Yes)
"""


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["return x"], "not yet. For x of shape (5, 6, 2)"),
        (["import os; os._exit(0)"], "the process ended in the middle of it"),
        (["import sys; sys.exit('right')"], "stopped with SystemExit: right"),
        ([*FORGERY.splitlines(), "return always()"], "not yet."),
        (["import time", "while True: time.sleep(0.01)"], "stopped after 3 seconds"),
        (["return [0] * 10**10"], "stopped with MemoryError"),
        (["import socket", "socket.create_connection(('127.0.0.1', 9))"], "stopped with Refused"),
        (["open('/etc/nobody', 'w')"], "may write into its own folder only"),
        (["import subprocess; subprocess.run(['ls'])"], "stopped with Refused"),
        (["import os, threading", "threading.Timer(0.1, os._exit, [1]).start()"], "right."),
        (["raise KeyError('k')"], "stopped with KeyError: 'k' (in the line: raise KeyError('k'))"),
    ],
)  # fmt: skip
def test_what_a_function_does_is_seen_and_does_no_harm(hand_in, lines, words):
    seconds = 3 if "while True" in lines[-1] else 20
    path = hand_in("anna", RIGHT | {"columns": columns(*lines)})
    assert words in verdict_of_columns(path, seconds=seconds)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"first": "import nowhere_to_be_found"}, "right."),  # nothing needs it
        ({"last": "from nowhere import nothing\ncolumns = nothing"},
         "a cell that it needs stopped with ModuleNotFoundError: No module named 'nowhere'"),
        ({"last": "def columns(x, size, stride)\n    return x"}, "is no Python. SyntaxError"),
        ({"last": "del columns"}, "right."),
        ({"last": "columns = 3"}, "columns: this is no function: 3"),
    ],
)  # fmt: skip
def test_cells_of_a_learner_s_own(hand_in, cells, words):
    assert words in verdict_of_columns(hand_in("anna", **cells))


def test_files_outside_stay_and_the_teacher_s_secrets_are_not_seen(hand_in, tmp_path, monkeypatch):
    precious = tmp_path / "marks.txt"
    precious.write_text("anna: A")
    monkeypatch.setenv("TEACHERS_PASSWORD", "s3cret")
    lines = [
        "import os, pathlib, shutil",
        "for harm in (os.remove, shutil.rmtree, os.rmdir, lambda p: os.rename(p, p + '2'),"
        " lambda p: open(p, 'w'), lambda p: os.open(p, os.O_RDWR)):",
        f"    try: harm({str(precious)!r})",
        "    except OSError: continue",
        "    return np.ones(3)",
        "if 'TEACHERS_PASSWORD' in os.environ: return np.ones(3)",
        "pathlib.Path('mine.txt').write_text('in its own folder')",
    ]
    path = hand_in("anna", RIGHT | {"columns": columns(*lines)})
    assert verdict_of_columns(path) == "columns: right."
    assert precious.read_text() == "anna: A"


TRIES = """
import json, os, resource, signal, socket, sys
from pathlib import Path
from alexnet_course.grading.confine import confine, needed_to_read
folder, precious, port, pid = json.loads(sys.argv[1])
held = confine(Path(folder), needed_to_read(), 2 << 30, 60)
def done(what):
    try:
        what()
    except (OSError, ValueError):
        return False
    return True
print(json.dumps({
    "held": [*held],
    "network": done(lambda: socket.create_connection(("127.0.0.1", port), 5)),
    "kill": done(lambda: os.kill(pid, 0)),
    "remove": done(lambda: os.remove(precious)),
    "write": done(lambda: open(precious, "w")),
    "read": done(lambda: open(precious)),
    "beside": done(lambda: os.mkdir(folder + "2")),
    "limit": done(lambda: resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))),
    "own": done(lambda: Path(folder, "mine.txt").write_text("mine")),
}), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="on Linux only does the system hold it")
def test_the_system_holds_what_python_does_not(tmp_path):
    """No audit hook is there: what is refused, the kernel refuses."""
    precious, folder = tmp_path / "marks.txt", tmp_path / "own"
    precious.write_text("anna: A")
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        order = json.dumps([str(folder), str(precious), server.getsockname()[1], os.getpid()])
        run = [sys.executable, "-c", TRIES, order]
        said = subprocess.run(run, capture_output=True, text=True, check=True, env=os.environ | {
            "PYTHONPATH": str(SOURCE.parents[1]), "OPENBLAS_NUM_THREADS": "1"})  # fmt: skip
    done = json.loads(said.stdout)
    limits, network, processes, files = done.pop("held")
    assert done.pop("own")
    for name, held in (("network", network), ("kill", processes), ("limit", limits)):
        assert not (held and done.pop(name)), name
    if files:
        assert not any(done[name] for name in ("remove", "write", "read", "beside"))
        assert precious.read_text() == "anna: A"


def test_copies_are_told_whatever_their_names(hand_in):
    renamed = RIGHT["conv_forward"].replace("padded", "p").replace("stride", "s")
    other = "def conv_forward(a, b, c, d, e):\n    raise NotImplementedError"
    results = [
        grade.Graded(student, "", LESSON, scores=(grade.Score("conv_forward", True, "", mark),))
        for student, mark in (
            (name, submission.fingerprint(one.program("conv_forward"), frozenset()))
            for name, one in (
                (name, submission.read(hand_in(name, RIGHT | {"conv_forward": code})))
                for name, code in (("a", renamed), ("b", RIGHT["conv_forward"]), ("c", other))
            )
        )
    ]
    same = [one.scores[0].same_as for one in grade.with_copies(results, solutions=False)]
    assert same == [("b",), ("a",), ()]


def test_the_command_writes_what_it_finds(hand_in, tmp_path, capsys):
    anna = hand_in("anna")
    bert = tmp_path / "bert_04_convolution.ipynb"
    bert.write_bytes(anna.read_bytes())
    (tmp_path / "broken.ipynb").write_text("{")
    files = {kind: tmp_path / f"scores.{kind}" for kind in ("csv", "json")}
    flags = [f for kind, path in files.items() for f in (f"--{kind}", str(path))]
    status = main(["grade", str(anna), str(bert), str(tmp_path / "broken.ipynb"), *flags])
    assert status == 2
    said = capsys.readouterr().out
    assert "broken" in said
    assert "not graded" in said
    lines = list(csv.DictReader(files["csv"].read_text("utf-8").splitlines()))
    assert [(one["student"], one["score"]) for one in lines[:2]] == [("anna", "1")] * 2
    assert "bert" in lines[0]["same_as"]
    found = json.loads(files["json"].read_text("utf-8"))
    assert [one["score"] for one in found] == [3, 3, 0]


def test_gradescope_gets_one_student(hand_in, tmp_path, capsys):
    anna, results = hand_in("anna"), tmp_path / "results.json"
    assert main(["grade", str(anna), "--gradescope", str(results)]) == 0
    page = json.loads(results.read_text("utf-8"))
    assert page["score"] == sum(t["score"] for t in page["tests"]) == 3
    assert {t["status"] for t in page["tests"]} == {"passed"}
    assert main(["grade", str(anna), str(hand_in("bert")), "--gradescope", str(results)]) == 2
    assert "one student" in capsys.readouterr().err


def test_a_file_that_cannot_be_graded_keeps_its_student(hand_in):
    path = hand_in("anna")
    path.write_text("no notebook", "utf-8")
    said = graded(path)
    assert (said.student, said.points) == ("anna", 0)
    assert "no notebook" in said.problem


def test_an_answer_that_is_no_function(hand_in):
    said = verdict_of_columns(hand_in("anna", {**RIGHT, "columns": "columns = None"}))
    assert "no function: None" in said


def test_several_notebooks_of_one_student_and_lesson_are_told():
    several = [grade.Graded(name, "", LESSON) for name in ("anna", "bert", "anna")]
    assert outputs.repeated(several) == {("anna", LESSON): 2}


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("anna/04_convolution.ipynb", "anna"),
        ("anna_04_convolution.ipynb", "anna"),
        ("anna.ipynb", "anna"),
        ("anna/04_convolution/04_convolution.ipynb", "anna"),
        ("submitted/anna/ps1/04_convolution.ipynb", "anna"),  # nbgrader's
        ("Anna Smith_12_file_/04_convolution.ipynb", "Anna Smith_12_file_"),
        ("smithanna_12345_67890_04_convolution-2.ipynb", "smithanna_12345_67890"),  # Canvas's
        ("anna/04_convolution (1).ipynb", "anna"),
        ("anna/04_convolution_final.ipynb", "anna"),
    ],
)
def test_whose_it_is(path, student):
    assert submission.student_of(Path(path)) == student


def test_a_spreadsheet_gets_no_formula(tmp_path):
    one = grade.Graded("=HYPERLINK(1)", "x.ipynb", problem="not graded")
    outputs.write_csv([one], tmp_path / "scores.csv")
    assert "\n'=HYPERLINK(1)," in (tmp_path / "scores.csv").read_text("utf-8")


def test_questions_count_and_predictions_when_they_were_made(hand_in, monkeypatch):
    wrong = {"a": "No.", "c": "Nor that."}
    for name, prediction in (("why", False), ("guess", True), ("open", False)):
        asked = Choice(name, "b", "So it is.", wrong=wrong, prediction=prediction)
        monkeypatch.setattr(n04_convolution, name, asked, raising=False)
    said = graded(hand_in("anna", last='why = "b"\nguess = "a"\nopen = None'))
    assert [s.right for s in said.scores[3:]] == [True, True, False]
    assert said.scores[4].verdict == "guess: not so. You said (a), and it was (b). No."
    assert (said.points, len(said.scores)) == (5, 6)


# ----- own inputs -----


def test_everybody_draws_the_same_unless_told():
    assert generator(3).random() == np.random.default_rng(3).random()
    with own_inputs(12):
        mine = generator(3).random()
        assert mine == generator(3).random() != np.random.default_rng(3).random()
    with own_inputs(13):
        assert generator(3).random() != mine
    assert generator(3).random() == np.random.default_rng(3).random()


def test_a_copied_number_is_wrong_for_own_inputs(solutions):
    """A function that has learnt the answers by heart."""
    right, heard = solutions(LESSON).conv_forward, {}
    said = n04_convolution.conv_forward.verdict(
        lambda *args: heard.setdefault(args[0].tobytes(), right(*args))
    )
    assert said == "conv_forward: right."
    with own_inputs(12):
        assert n04_convolution.conv_forward.verdict(right) == "conv_forward: right."
        again = n04_convolution.conv_forward.verdict(lambda *args: heard[args[0].tobytes()])
    assert "KeyError" in again


def test_every_check_draws_from_the_seed():
    for path in (SOURCE.parents[1] / "alexnet_course").glob("n[0-9]*.py"):
        lines = [line for line in path.read_text("utf-8").splitlines() if "default_rng(" in line]
        own = [line for line in lines if "# for all" not in line]
        assert not own, f"{path.name}: draw from checks.generator, or say that it is `# for all`"
