"""Notebook 15: what its checks do beyond right and wrong answers (`test_verdicts.py`)."""

from alexnet_course import n15_which_pixels as check
from minigrad.random import default_generator


def test_a_check_leaves_the_generator_and_the_network_as_they_were(solutions):
    before = default_generator.state
    check._model.cache_clear()
    check.saliency.verdict(solutions("15_which_pixels").saliency)
    assert default_generator.state == before
    assert not check._model().training
