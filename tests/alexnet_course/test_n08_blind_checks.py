"""Notebook 08: what its checks do beyond right and wrong answers (`test_verdicts.py`)."""

import functools

import numpy as np
import pytest

from alexnet_course import mutants
from alexnet_course import n08_blind_checks as check


def test_a_solution_with_random_numbers_is_always_right(solutions):
    solution = solutions("08_blind_checks")
    for _ in range(50):
        assert check.agrees.verdict(solution.agrees).endswith(": right.")


def test_a_checker_that_stops_at_the_first_error_is_not_said_to_look_at_one_element():
    def agrees(forward, backward, x):
        grad = np.random.default_rng(0).uniform(-1, 1, forward(x).shape)
        dx = backward(grad, x)
        for place in np.ndindex(x.shape):
            point = x.astype(complex)
            point[place] += 1e-30j
            if abs((grad * forward(point)).imag.sum() / 1e-30 - dx[place]) > 1e-3 * abs(dx).max():
                return False
        return True

    assert "second term" in check.agrees.verdict(agrees)


def test_signs_alone_are_told_that_sums_cancel():
    def agrees(forward, backward, x, seed):
        rng = np.random.default_rng(seed)
        grad, v = rng.choice([-1.0, 1.0], forward(x).shape), rng.choice([-1.0, 1.0], x.shape)
        left = (grad * forward(x + 1e-30j * v)).imag.sum() / 1e-30
        return abs(left - (v * backward(grad, x)).sum()) <= 1e-9 * abs(left)

    verdicts = [check.agrees.verdict(functools.partial(agrees, seed=seed)) for seed in range(40)]
    assert {v.endswith((": right.", "-1, 1, shape).")) for v in verdicts} == {True}
    assert any("draw real numbers" in v for v in verdicts)


def test_a_fine_tolerance_is_not_said_to_cross_a_kink():
    def agrees(forward, backward, x):
        grad = np.random.default_rng(0).uniform(-1, 1, forward(x).shape)
        exact = mutants.mismatch(forward, backward, x, grad) < 1e-9
        forward(x + 1e-30j)
        return exact and not np.array_equal(x, mutants.NEAR_A_KINK.x)

    text = check.agrees.verdict(agrees)
    assert "refuses right ones: ReLU" in text


def test_the_lesson_s_numbers_of_operations_and_mutants():
    assert len(mutants.RIGHT) == 8
    assert len(mutants.MUTANTS) == 15


@pytest.mark.parametrize("operation", mutants.RIGHT.values(), ids=list(mutants.RIGHT))
def test_the_right_operations_are_right(operation):
    grad = np.random.default_rng(1).uniform(-1, 1, operation.forward(operation.x).shape)
    assert mutants.mismatch(*operation, grad) < 1e-12


def test_each_checker_is_blind_to_its_own_mutants_and_the_last_to_none():
    blind = [
        {m.blind for m in mutants.MUTANTS if run(m.forward, m.backward, m.x)}
        for run in mutants.RECIPES.values()
    ]
    assert blind[0] == {"ones", "sign"}
    assert blind[1] == {"sign"}
    assert "sample" in blind[2]
    assert blind[3:] == [{"absolute"}, {"loose"}, set()]
    for run in mutants.RECIPES.values():
        assert all(run(*operation) for operation in mutants.RIGHT.values())
