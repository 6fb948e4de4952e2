"""The verdicts that every check can give."""

import numpy as np
import pytest

from alexnet_course.checks import Hint, close, exercise, result_of


@exercise
def double(learner):
    if not close(result_of(learner, np.arange(3.0), shape=(3,)), [0, 2, 4]):
        raise Hint("Each element is to be doubled.")


def unfinished(x):
    raise NotImplementedError


def failing(x):
    return x[99]


def changing(x):
    x *= 2
    return x


def test_a_list_is_as_good_as_a_tuple():
    assert result_of(lambda x: [x, 2 * x], 3) == (3, 6)


@pytest.mark.parametrize(
    ("learner", "words"),
    [
        (lambda x: 2 * x, "double: right."),
        (unfinished, "double: not filled in yet."),
        (lambda x: 3 * x, "double: not yet. Each element is to be doubled."),
        (lambda x: None, "is there a `return` at the end?"),
        (changing, "changes the array it was given"),
        (lambda x: x[:2], "shape (2,), expected (3,)"),
        (lambda x: x / 0, "NaN or infinity"),
        (failing, "stopped with IndexError"),
        (failing, "(in the line: return x[99])"),
    ],
)
def test_the_verdict_says_what_is_wrong(learner, words, capsys):
    double(learner)
    assert words in capsys.readouterr().out
