"""Notebook 04: what its checks do beyond right and wrong answers (`test_verdicts.py`)."""

from alexnet_course import n04_convolution as check

NAME = "04_convolution"


def test_a_list_is_taken_for_a_tuple(solutions):
    edit = ("return dx, dweight, dbias", "return [dx, dweight, dbias]")
    assert check.conv_backward.verdict(solutions(NAME, edit).conv_backward).endswith("right.")
