"""The checks of notebook 13 take the solution, and tell wrong answers apart."""

import pytest

from alexnet_scratch.course import n13_paper_and_code as check

NAME = "13_paper_and_code"
UPDATE = "v = momentum * v - decay * lr * w - lr * grad"
WRONG = {
    "paper_dropout": [
        ("uniform >= p", "uniform < p", "p is the probability to drop"),
        ("x * (uniform >= p)", "x * (uniform >= p) / (1 - p)", "the inverted form"),
        ("return x * (1 - p)", "return x * p", "the chance that an output was kept"),
        ("return x * (1 - p)", "return x", "unscaled"),
    ],
    "paper_update": [
        (UPDATE, "v = momentum * v + decay * w + grad", "PyTorch's rule"),
        (UPDATE, UPDATE.replace("decay", "2 * decay"), "twice the paper's"),
        (UPDATE, "v = momentum * v - decay * w - lr * grad", "lacks the learning rate"),
        (UPDATE, "v = momentum * v + decay * lr * w + lr * grad", "uphill"),
        ("return w + v, v", "return w - v, v", "v is right, w is not"),
    ],
    "noise_sizes": [
        ("[::-1]", "", "largest first"),
        ("else np.sqrt(eigenvalues)", "else eigenvalues", "which are variances"),
        ("np.cov(pixels.T)", "pixels.T @ pixels / len(pixels)", "about the mean"),
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
