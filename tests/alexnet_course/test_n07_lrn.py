"""Notebook 07: what its checks do beyond right and wrong answers (`test_verdicts.py`)."""

import pytest

from alexnet_course import n07_lrn as check

NAME = "07_lrn"
RETURN = "return x / s**beta, s"


@pytest.mark.parametrize("pair", ["[x / s**beta, s]", "np.array((x / s**beta, s))"])
def test_y_and_s_come_in_any_pair(solutions, pair):
    assert check.normalise.verdict(solutions(NAME, (RETURN, f"return {pair}")).normalise) == (
        "normalise: right."
    )
