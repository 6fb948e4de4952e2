"""Notebook 05: what its checks do beyond right and wrong answers (`test_verdicts.py`)."""

import pytest

from alexnet_course import n05_pooling as check

NAME = "05_pooling"


@pytest.mark.parametrize(
    "pair",
    ["[y.tolist(), winners.tolist()]", "np.stack((y, winners))", "(y, winners.astype('f4'))"],
)
def test_y_and_winners_come_in_any_pair(solutions, pair):
    solution = solutions(NAME, ("return y, winners", f"return {pair}"))
    assert check.pool_forward.verdict(solution.pool_forward) == "pool_forward: right."


def test_dx_may_be_a_list(solutions):
    solution = solutions(NAME, ("return dx", "return dx.tolist()"))
    assert check.pool_backward.verdict(solution.pool_backward) == "pool_backward: right."
