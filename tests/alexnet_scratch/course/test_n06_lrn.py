"""The checks of notebook 06 take the solution, and tell wrong answers apart."""

import pytest

from alexnet_scratch.course import n06_lrn as check

NAME = "06_lrn"
WINDOW = "x[max(0, i - half) : i + half + 1]"
TOTAL = "np.sum(part[max(0, i - half) : i + half + 1])"
WRONG = {
    "normalise": [
        ("k + alpha * np.sum", "k + alpha / n * np.sum", "what PyTorch and Caffe mean"),
        ("k + alpha * np.sum", "alpha * np.sum", "lacks the constant k"),
        ("np.sum(window**2)", "np.sum(window)", "adds their squares"),
        (WINDOW, "x[max(0, i - half) : i + half]", "one channel too early"),
        (WINDOW, "x[max(0, i - n) : i + n + 1]", "too wide"),
        (WINDOW, "np.take(x, range(i - half, i + half + 1), mode='wrap')", "see each other"),
        (WINDOW, "np.delete(x, i)[max(0, i - half) : i + half]", "leaves out channel i"),
        (
            WINDOW,
            "np.take(x, range(i - half, i + half + 1), mode='clip')",
            "wrong at the ends",
        ),
        ("x / s**beta, s", "x / s, s", "power beta"),
        ("x / s**beta, s", "x * s**beta, s", "divide by the power"),
        ("x / s**beta, s", "x / s**beta, s**beta", "before the power"),
        ("x / s**beta, s", "x / s**beta", "expected two"),
        ("x / s**beta, s", "x / s**-beta / 2, s", "channel by channel"),
        ("k + alpha * np.sum(window**2)", "k - alpha * np.sum(window**2)", "which channels"),
    ],
    "turning_point": [
        (" * (2 * beta - 1)", "", "where the sum equals k"),
        ("np.sqrt(k / (alpha * n * (2 * beta - 1)))", "k / (alpha * n * (2 * beta - 1))", "square"),
        ("alpha * n * (2", "alpha * (2", "one channel alone"),
        ("(2 * beta - 1)", "2 * beta", "both terms"),
        ("(2 * beta - 1)", "(2 * beta + 1)", "smaller on both"),
    ],
    "normalise_backward": [
        ("dx[i] -= 2", "dx[i] -= 0", "Only the first term"),
        ("dx[i] -= 2", "dx[i] += 2", "wrong sign"),
        ("dx[i] -= 2 *", "dx[i] -=", "half of what"),
        ("dx[i] -= 2 * alpha", "dx[i] -= 2", "lacks alpha"),
        ("alpha * beta * x[i]", "alpha * x[i]", "lacks beta"),
        (TOTAL, "part[i]", "only j = i"),
        (TOTAL, TOTAL + " - part[i]", "leaves out j = i"),
        ("s ** (-beta - 1)", "s**-beta", "power of s"),
        (TOTAL, TOTAL.replace("part", "(grad * x)") + " * s[i] ** (-beta - 1)", "own s_j"),
        (
            "x[i] * total",
            "part[i] * np.sum(x[max(0, i - half) : i + half + 1])",
            "those of j",
        ),
        (TOTAL, "np.sum(part[max(0, i - half) : i + half])", "one channel too early"),
        (
            TOTAL,
            "np.take(part, range(i - half, i + half + 1), mode='wrap').sum()",
            "see each other",
        ),
        (
            TOTAL,
            "np.take(part, range(i - half, i + half + 1), mode='clip').sum()",
            "wrong at the ends",
        ),
        ("dx = grad * s**-beta", "dx = grad * s**beta", "not the derivative"),
    ],
}


@pytest.mark.parametrize("name", WRONG)
def test_the_solution_is_right(solutions, name):
    assert getattr(check, name).verdict(getattr(solutions(NAME), name)) == f"{name}: right."


@pytest.mark.parametrize(("name", "edit"), [(name, e) for name in WRONG for e in WRONG[name]])
def test_a_wrong_answer_gets_its_hint(solutions, name, edit):
    old, new, words = edit
    verdict = getattr(check, name).verdict(getattr(solutions(NAME, (old, new)), name))
    assert "not yet." in verdict
    assert words in verdict
