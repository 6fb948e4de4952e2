"""The checks of notebook 02 take the solution, and tell wrong answers apart."""

import numpy as np
import pytest

from alexnet_scratch.course import n02_gradient_checking as check

NAME = "02_gradient_checking"
DIFFERENCE = "(f(x + step) - f(x - step)) / (2 * eps)"
SLOPE = "f(x + 1j * h * v).imag / h"
GRAD = "    grad = rng.uniform(-1, 1, forward(x).shape)\n"
COMPARE = "return abs(np.sum(v * dx) - numeric) <= 1e-9 * size"
CHECK = "(backward(grad, x) - slopes).max() <= 1e-6 * np.abs(slopes).max()"
WRONG = {
    "numeric_gradient": [
        (DIFFERENCE, "(f(x + step) - f(x)) / eps", "one-sided"),
        (DIFFERENCE, "(f(x) - f(x - step)) / eps", "one-sided"),
        (DIFFERENCE, "(f(x + step) - f(x - step)) / eps", "Twice too large"),
        (DIFFERENCE, "(f(x + step) - f(x - step)) / (4 * eps)", "Half"),
        (DIFFERENCE, "f(x + step) - f(x - step)", "divide it by the distance"),
        (DIFFERENCE, "(f(x - step) - f(x + step)) / (2 * eps)", "sign"),
        (DIFFERENCE, "(f(x + eps) - f(x - eps)) / (2 * eps)", "All elements move at once"),
        ("        step = np.zeros(x.shape)\n        step[place]",
         "        step = locals().get('step', np.zeros(x.shape))\n        step[place]",
         "has an element moved back"),
        (DIFFERENCE, "f(x + step)", "the slopes should be"),
        ("return slopes\n", "return slopes.ravel()[:2]\n", "as x has"),
    ],
    "complex_slope": [
        (SLOPE, "f(x + 1j * h * v) / h", "in the imaginary part"),
        (SLOPE, "f(x + 1j * h * v).real / h", "It is huge"),
        (SLOPE, "f(x + 1j * h * v).imag", "divide it by h"),
        (SLOPE, "f(x + 1j * h).imag / h", "does v come into the step"),
        (SLOPE, "f(x + h * v).imag / h", "is the step imaginary"),
        (SLOPE, "f(x - 1j * h * v).imag / h", "sign"),
        (SLOPE, "f(2 * x + 1j * h * v).imag / h", "what do you take"),
        ("h = 1e-30", "h = 1e-4", "as small as 1e-30"),
        (SLOPE, "(f(x + 1e-6 * v) - f(x - 1e-6 * v)) / 2e-6", "as small as 1e-30"),
    ],
    "agrees": [
        (GRAD, "    grad = np.ones(forward(x).shape)\n", "grad all ones"),
        (COMPARE, "grad = np.ones_like(grad)\n    dx = backward(grad, x)\n"
         "    numeric = np.sum(complex_slope(forward, x, v))\n"
         "    return abs(np.sum(v * dx) - numeric) <= 1e-7", "all ones, or the same"),
        (GRAD, "    grad = rng.random(forward(x).shape)\n", "positive everywhere"),
        ("    v = rng.uniform(-1, 1, x.shape)",
         "    v = np.zeros(x.shape)\n    v.flat[1] = rng.uniform(0.5, 1)", "every element"),
        (COMPARE, "return abs(np.sum(v * dx) - numeric) <= 1e-5", "relative"),
        ("1e-9 * size", "1e-2 * size", "second term"),
        ("1e-9 * size", "1e-19 * size", "refuses"),
        (COMPARE, "return True", "lets everything pass"),
        (COMPARE, "return False", "refuses every operation"),
        (COMPARE, "return np.abs(v * dx) <= 1", "expected True or False"),
        (COMPARE, "h = 1e-3\n    y = (forward(x + h * v) - forward(x - h * v)) / (2 * h)\n"
         "    return abs(np.sum(v * dx) - np.sum(grad * y)) <= 1e-5 * size", "jumps over the kink"),
    ],
    "agrees_by_differences": [
        ("sum(grad * forward(x)), x, 1e-6)", "sum(forward(x)), x, 1e-6)", "every operation"),
        ("    grad = np.random.default_rng().uniform(-1, 1, forward(x).shape)\n    slopes",
         "    grad = np.ones(forward(x).shape)\n    slopes", "grad all ones"),
        ("<= 1e-6 * np.abs(slopes).max()", "<= 1e-5", "relative to the size"),
        ("<= 1e-6 * np.abs(slopes).max()", "<= 1e-3 * np.abs(slopes).max()", "second term"),
        (CHECK, "(backward(grad, x) - slopes).max() <= 1e-13", "refuses right ones"),
        ("x, 1e-6)", "x, 1e-3)", "jumps over the kink"),
        ("x, 1e-6)", "x, 1e-2)", "refuses right ones"),
    ],
}  # fmt: skip


def verdict(solution, name):
    exercise = getattr(check, name.removesuffix("_by_differences"))
    return exercise.verdict(getattr(solution, name))


@pytest.mark.parametrize("name", WRONG)
def test_the_solution_is_right(solutions, name):
    assert verdict(solutions(NAME), name).endswith(": right.")


@pytest.mark.parametrize(("name", "edit"), [(name, e) for name in WRONG for e in WRONG[name]])
def test_a_wrong_answer_gets_its_hint(solutions, name, edit):
    old, new, words = edit
    text = verdict(solutions(NAME, (old, new)), name)
    assert "not yet." in text
    assert words in text


def test_a_solution_with_random_numbers_is_always_right(solutions):
    solution = solutions(NAME)
    for _ in range(50):
        assert verdict(solution, "agrees").endswith(": right.")


def test_the_lesson_s_numbers_of_operations_and_mutants():
    assert len(check.RIGHT) == 7
    assert len(check.MUTANTS) == 13


@pytest.mark.parametrize("operation", check.RIGHT.values(), ids=list(check.RIGHT))
def test_the_right_operations_are_right(operation):
    grad = np.random.default_rng(1).uniform(-1, 1, operation.forward(operation.x).shape)
    assert check.mismatch(*operation, grad) < 1e-12


def test_each_checker_is_blind_to_its_own_mutants_and_the_last_to_none():
    blind = [
        {m.blind for m in check.MUTANTS if run(m.forward, m.backward, m.x)}
        for run in check.RECIPES.values()
    ]
    assert blind[0] == {"ones", "positive"}
    assert blind[1] == {"positive"}
    assert "sample" in blind[2]
    assert blind[3:] == [{"absolute"}, {"loose"}, set()]
    for run in check.RECIPES.values():
        assert all(run(*operation) for operation in check.RIGHT.values())
