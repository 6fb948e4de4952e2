"""Notebook 03: its digits, and which functions it goes on with."""

import numpy as np

from alexnet_course import n03_linear as check
from alexnet_course.digits import SIDE, digits


def test_digits_are_the_same_each_time_and_each_other_seed_draws_others():
    pictures, labels = digits(30, seed=1)
    again, labels_again = digits(30, seed=1)
    assert pictures.shape == (30, SIDE, SIDE)
    assert pictures.min() == 0
    assert 0.9 < pictures.max() <= 1
    assert set(labels) <= set(range(10))
    np.testing.assert_array_equal(pictures, again)
    np.testing.assert_array_equal(labels, labels_again)
    assert not np.array_equal(pictures, digits(30, seed=2)[0])


def test_a_larger_shift_moves_the_ink_farther():
    place = np.arange(SIDE) - (SIDE - 1) / 2

    def spread(shift):
        ink = digits(60, seed=3, shift=shift)[0].sum(1)
        return np.std((ink @ place) / ink.sum(1))

    assert spread(4) > 2 * spread(1)


def test_the_lesson_goes_on_with_what_is_right(solutions, capsys):
    mine = solutions("03_linear")

    def linear_backward(grad, x, weight):
        raise NotImplementedError

    forward, backward = check.in_use(mine.linear_forward, linear_backward)
    assert forward is mine.linear_forward
    grad, x, weight = (np.ones((2, 2)) for _ in range(3))
    assert len(backward(grad, x, weight)) == 3
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["linear_forward", "yours"]
    assert "ready-made" in second


def test_what_would_take_minutes_in_the_training_is_not_used_there(solutions, capsys, monkeypatch):
    mine = solutions("03_linear")
    monkeypatch.setattr(check, "_seconds", lambda learner: 0.5)
    (forward,) = check.in_use(mine.linear_forward)
    assert forward is not mine.linear_forward
    assert "yours is right, but takes 500 ms a step" in capsys.readouterr().out
