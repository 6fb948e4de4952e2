"""The learner's functions in the place of minigrad's: the table, a lesson's cell, the capstone."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from alexnet_course import n20_your_alexnet as capstone
from alexnet_course import yours
from alexnet_course.yours import training, walk
from alexnet_course.yours.parts import PARTS
from alexnet_course.yours.pieces import PIECES
from alexnet_course.yours.plugged import lessons

SOURCES = Path(__file__).resolve().parents[2] / "notebooks/source"
SOLUTIONS = SOURCES / "solutions"
WAYS = runpy.run_path(str(Path(__file__).with_name("test_right_answers.py")))
RIGHT, written = WAYS["RIGHT"], WAYS["written"]
OWN = (capstone._alexnet, capstone._train_epoch, capstone._accuracy)
SLOW = """
from time import sleep
import numpy as np
from minigrad.kernels.conv import conv2d_forward

def conv_forward(x, weight, bias, stride, padding):
    sleep(0.02)
    return conv2d_forward(x[None], weight, bias, (stride, stride), (padding, padding))[0]
"""


def code(source, tags=()):
    return {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}, "outputs": []}


def notebook(folder, name, *cells):
    (folder / f"{name}.ipynb").write_text(json.dumps({"cells": list(cells)}), "utf-8")


def solved(folder, *names):
    """Notebooks with the cells of these solutions; those that call checks would print."""
    for name in names:
        text = (SOLUTIONS / f"{name}.py").read_text("utf-8")
        cells = re.split(r"^# %%.*\n", text, flags=re.MULTILINE)
        code_cells = [c for c in cells if not c.startswith(("# ", "#\n")) and c.strip()]
        notebook(folder, name, *map(code, code_cells))


@pytest.fixture(scope="module")
def all_of_it(tmp_path_factory):
    folder = tmp_path_factory.mktemp("solved")
    solved(folder, *lessons())
    return folder


@pytest.fixture(scope="module")
def everything(all_of_it):
    return yours.collect(all_of_it)


def short(mine, seed=0):
    images = training.drawn(4)
    return training.train(mine, *OWN, images, images, epochs=1, seed=seed)


def test_the_table_names_exercises_that_the_lessons_have():
    for lesson, names in lessons().items():
        text = (SOURCES / f"{lesson}.py").read_text("utf-8")
        for name in names:
            assert f"def {name}(" in text, f"{lesson} has no {name}"


@pytest.mark.parametrize("lesson", lessons())
def test_every_solution_takes_the_place_of_minigrads(solutions, lesson, capsys):
    yours.plug(lesson, vars(solutions(lesson)))
    said = capsys.readouterr().out
    assert "not right" not in said
    assert "stopped" not in said
    for name in lessons()[lesson]:
        assert f"your {name}, " in said
    for apart in re.findall(r"differs by (\S+)", said):
        assert float(apart) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lesson", "name", "body"),
    [(n, e, b) for n in lessons() for e, bodies in RIGHT.get(n, {}).items() for b in bodies],
)
def test_other_right_answers_are_plugged_in(solutions, lesson, name, body, capsys):
    if name in lessons()[lesson]:
        yours.plug(lesson, {name: written(getattr(solutions(lesson), name), body)})
        assert f"your {name}, " in capsys.readouterr().out


@pytest.mark.parametrize("lesson", lessons())
def test_an_unsolved_lesson_says_so_and_prints_no_time(lesson, capsys):
    yours.plug(lesson, {})
    said = capsys.readouterr().out
    assert "not filled in" in said
    assert "illiseconds" not in said
    assert re.search(r"\n0 of \d+ are yours", said)


def test_what_is_wrong_or_stops_on_a_batch_is_not_plugged_in(capsys):
    def relu_backward(grad, y):
        return grad

    def prelu_backward(grad, x, weight):
        if x.shape == (4, 16, 15, 15):
            raise KeyError("four")
        slope = weight[:, None, None]
        return np.where(x > 0, grad, grad * slope), (grad * np.minimum(x, 0)).sum((0, 2, 3))

    given = (relu_backward, prelu_backward)
    yours.plug("06_relu", {f.__name__: f for f in given})
    said = capsys.readouterr().out
    assert "ready-made (relu_backward not right yet)" in said
    assert "ready-made (prelu_backward stopped with KeyError on a batch)" in said


def test_a_step_that_is_right_for_vectors_alone_is_not_plugged_in(solutions, capsys):
    right = solutions("13_optimisers").sgd_step

    def sgd_step(w, *args):
        assert w.ndim == 1
        return right(w, *args)

    yours.plug("13_optimisers", {"sgd_step": sgd_step})
    said = "(sgd_step stopped with AssertionError on the network's numbers)"
    assert said in capsys.readouterr().out
    mine = yours.Yours({"sgd_step": sgd_step})
    assert "sgd_step" not in mine.in_use()
    assert short(mine).losses == short(yours.ready_made()).losses


def test_a_lesson_without_a_part_is_an_error():
    with pytest.raises(ValueError, match="give one of 01_autograd"):
        yours.plug("05_poling", {})


def test_the_walk_for_numbers_walks_a_network(solutions):
    output, leaves = walk.example(np.random.default_rng(2))
    mine = walk.by(solutions("01_autograd").backward)(output, leaves)
    for got, right in zip(mine, walk.engine(output, leaves), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-12)


def test_collecting_runs_the_functions_alone(tmp_path):
    before = "import numpy as np\nlimit = 0\ndef positive(y):\n    return y > limit"
    notebook(
        tmp_path, "06_relu", code(before), code("raise SystemExit('a cell of another kind')"),
        code("def relu_backward(grad, y):\n    return grad * positive(y)", ["exercise"]),
        code("def tanh_backward(grad, y):\n    return grad *", ["exercise"]),
    )  # fmt: skip
    notebook(tmp_path, "07_lrn", code("def normalise(x, n, k, alpha, beta):\n    return x"))
    (tmp_path / "05_pooling.ipynb").write_text("no notebook", "utf-8")
    mine = yours.collect(tmp_path)
    assert mine.verdicts["relu_backward"] == "right"
    assert mine.verdicts["normalise"] == "not right yet"
    assert mine.in_use() == ["relu_backward"]
    assert "ready-made (normalise not right yet)" in mine.table()


def test_a_network_of_solutions_is_theirs_and_begins_as_minigrads_does(everything):
    run, other = short(everything), short(yours.ready_made())
    ready = [line for line in everything.table().splitlines() if "ready-made" in line]
    assert [line.split()[:2] for line in ready] == [["relu", "forward"]]
    share = training.share(run, 3)
    assert share.functions == share.of_functions
    assert share.weights == share.products == 1
    assert share.seconds > 0.9
    np.testing.assert_allclose(run.losses, other.losses, rtol=1e-4)
    nothing = training.share(other)
    assert nothing.functions == nothing.weights == nothing.products == nothing.seconds == 0


def test_half_solved_copies_train(tmp_path):
    solved(tmp_path, "01_autograd", "06_relu", "13_optimisers")
    notebook(tmp_path, "04_convolution", code("def columns(x, size, stride):\n    return x"))
    mine = yours.collect(tmp_path)
    run = short(mine)
    np.testing.assert_allclose(run.losses, short(yours.ready_made()).losses, rtol=1e-4)
    share = training.share(run)
    assert 0 < share.functions < share.of_functions
    assert share.weights == 0
    assert 0 < share.seconds < 1


def test_what_is_too_slow_makes_room_and_is_named(tmp_path):
    notebook(tmp_path, "04_convolution", code(SLOW))
    mine = yours.collect(tmp_path)
    assert mine.operations["conv2d"].by == ("conv_forward", "")
    (said,) = training.fit(mine, capstone._alexnet, training.drawn(40))
    assert said.startswith(
        "conv2d forward: your conv_forward is right, and alone would take about "
    )
    assert mine.operations["conv2d"].by == ("", "")
    assert "conv_forward too slow here" in mine.table()
    assert training.fit(mine, capstone._alexnet, training.drawn(2)) == []


def test_the_solutions_fit_into_the_time_and_the_columns_make_the_convolution(everything):
    assert training.fit(everything, capstone._alexnet, training.drawn(2)) == []
    assert everything.operations["conv2d"].by == ("columns", "columns")


def test_a_gradient_adds_to_what_is_there():
    weight = mg.tensor(np.array([2.0]), requires_grad=True)
    for _ in range(2):
        yours.ready_made().backward((weight * weight).sum())
    assert weight.grad.data == 8


def test_pieces_and_parts_have_names_of_their_own():
    names = [part.name for part in PARTS] + [piece.exercise for piece in PIECES]
    assert len(set(names)) == len(names)


@pytest.mark.slow
def test_the_solutions_train_to_minigrads_accuracy(all_of_it):
    images, test = training.drawn(), training.drawn(50, seed=1000)
    mine, ready = (
        training.train(one, *OWN, images, test, seed=0)
        for one in (yours.collect(all_of_it), yours.ready_made())
    )
    assert mine.accuracy >= 0.9 * ready.accuracy
    assert ready.accuracy > 0.7
    assert training.share(mine, 3)[:4] == (20, 20, 1.0, 1.0)
