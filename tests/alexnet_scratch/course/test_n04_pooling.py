"""The checks of notebook 04 take the solution, and tell wrong answers apart."""

import pytest

from alexnet_scratch.course import n04_pooling as check

NAME = "04_pooling"
WRONG = {
    "pool_forward": [
        ("tap > y", "tap >= y", "the last one wins"),
        ("np.full((rows, columns), -np.inf)", "np.zeros((rows, columns))", "-infinity"),
        ("winners[better] = u * size + v", "winners[better] = v * size + u", "along the rows"),
        ("(length - size) // stride + 1", "(length - size + 1) // stride", "must still fit"),
    ],
    "pool_backward": [
        ("] += grad[i, j]", "] = grad[i, j]", "must be added"),
        (
            "dx[i * stride + u, j * stride + v]",
            "dx[i * stride + v, j * stride + u]",
            "wrong pixels",
        ),
        ("+= grad[i, j]", "+= grad[i, j] / 2", "do not add up"),
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
