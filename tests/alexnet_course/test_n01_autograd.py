"""Notebook 01: what its checks do beyond right and wrong answers (`test_verdicts.py`)."""

import runpy
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from alexnet_course import n01_autograd as check


def test_another_right_order_is_right():
    """Depth first, backwards: not the order in which the values were made."""

    def order(output):
        result, seen, waiting = [], set(), [(output, False)]
        while waiting:
            value, done = waiting.pop()
            if done:
                result.append(value)
            elif value not in seen:
                seen.add(value)
                waiting += [(value, True), *((source, False) for source in value.inputs)]
        return result[::-1]

    assert check.order.verdict(order) == "order: right."


def test_the_two_slopes_may_be_an_array(solutions):
    right = solutions("01_autograd").local_slopes
    verdict = check.local_slopes.verdict(lambda *args: np.array(right(*args)))
    assert verdict == "local_slopes: right."


def test_a_limit_that_is_raised_before_the_check_does_not_help(solutions):
    wrong = runpy.run_path(str(Path(__file__).with_name("wrong_answers") / "01_autograd.py"))
    by_recursion = (wrong["START"], f"    {wrong['BY_RECURSION']}{wrong['START']}")
    order = solutions("01_autograd", by_recursion).order
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        assert "RecursionError" in check.order.verdict(order)
        assert sys.getrecursionlimit() == 100_000
    finally:
        sys.setrecursionlimit(before)


def test_a_picture_of_a_graph_has_each_box_right_of_its_sources():
    axes = Figure().subplots()
    arrows = [("w", "u", "3"), ("x", "u", ""), ("u", "s", "6"), ("u", "s", "6"), ("s", "loss", ""),
              ("u", "loss", "1")]  # fmt: skip
    check.draw_graph(axes, {key: key.upper() for key in ("w", "x", "u", "s", "loss")}, arrows)
    places = {text.get_text(): text.get_position() for text in axes.texts}
    assert len(axes.patches) == len(arrows)
    assert all(places[a.upper()][0] < places[b.upper()][0] for a, b, _ in arrows)
    assert places["W"] != places["X"]
