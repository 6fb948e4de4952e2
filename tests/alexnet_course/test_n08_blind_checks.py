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


def by_two_directions(forward, backward, x, rng):
    grad = rng.standard_normal(forward(x).shape)
    dx = backward(grad, x)
    for _ in range(2):
        v = rng.standard_normal(x.shape)
        left = np.vdot(grad, forward(x + 1e-30j * v).imag) / 1e-30
        if abs(left - np.vdot(dx, v)) > 1e-10 * np.linalg.norm(dx) * np.linalg.norm(v):
            return False
    return True


def by_the_jacobian(forward, backward, x, rng):
    grad = rng.uniform(-2, 2, forward(x).shape)
    steps = 1e-30j * np.eye(x.size).reshape(-1, *x.shape)
    slopes = np.array([(forward(x + s).imag / 1e-30 * grad).sum() for s in steps])
    return np.allclose(slopes, backward(grad, x).ravel(), rtol=0, atol=1e-9 * abs(slopes).max())


def by_root_mean_squares(forward, backward, x, rng):
    grad, slopes = rng.uniform(-1, 1, forward(x).shape), np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = 1e-6
        slopes[place] = ((forward(x + step) - forward(x - step)) * grad).sum() / 2e-6
    error = backward(grad, x) - slopes
    return np.sqrt(np.mean(error**2)) < 1e-6 * np.sqrt(np.mean(slopes**2))


@pytest.mark.parametrize("way", [by_two_directions, by_the_jacobian, by_root_mean_squares])
def test_other_right_checkers_are_right(way):
    rng = np.random.default_rng(3)
    assert check.agrees.verdict(functools.partial(way, rng=rng)) == "agrees: right."


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
