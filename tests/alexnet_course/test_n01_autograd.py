"""Notebook 01: what its checks do beyond right and wrong answers (`test_verdicts.py`)."""

import collections
import heapq
import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from alexnet_course import n01_autograd as check


def depth_first(output):
    """Not the order in which the values were made."""
    result, seen, waiting = [], set(), [(output, False)]
    while waiting:
        value, done = waiting.pop()
        if done:
            result.append(value)
        elif value not in seen:
            seen.add(value)
            waiting += [(value, True), *((source, False) for source in value.inputs)]
    return result[::-1]


def with_a_heap(output):
    queue, found, result = [(-output.number, output)], {output}, []
    while queue:
        _, value = heapq.heappop(queue)
        result.append(value)
        for source in set(value.inputs) - found:
            found.add(source)
            heapq.heappush(queue, (-source.number, source))
    return result


def by_counting(output):
    users, waiting = {output: 0}, [output]
    while waiting:
        for source in waiting.pop().inputs:
            if source not in users:
                waiting.append(source)
            users[source] = users.get(source, 0) + 1
    ready, result = [output], []
    while ready:
        value = ready.pop(0)
        result.append(value)
        for source in value.inputs:
            users[source] -= 1
            if users[source] == 0:
                ready.append(source)
    return result


def as_a_tuple(output):
    return tuple(depth_first(output))


def as_a_generator(output):
    yield from with_a_heap(output)


ORDERS = [depth_first, with_a_heap, by_counting, as_a_tuple, as_a_generator]


@pytest.mark.parametrize("order", ORDERS)
def test_other_right_orders_are_right(order):
    assert check.order.verdict(order) == "order: right."


def with_zeros(output):
    grads = dict.fromkeys(depth_first(output), 0.0)
    grads[output] = 1.0
    for value in grads:
        for source, slope in zip(value.inputs, value.slopes, strict=True):
            grads[source] += grads[value] * slope
    return grads


def with_get(output):
    grads = {output: 1}
    for value in with_a_heap(output):
        for i in range(len(value.inputs)):
            source = value.inputs[i]
            grads[source] = grads.get(source, 0) + value.slopes[i] * grads[value]
    return grads


def with_a_default(output):
    grads = collections.defaultdict(float, {output: 1.0})
    for value in by_counting(output):
        for source, slope in zip(value.inputs, value.slopes, strict=True):
            grads[source] += slope * grads[value]
    return grads


def with_numpy(output):
    grads = {value: np.float64(value is output) for value in with_a_heap(output)}
    for value in list(grads):
        for source, sent in zip(value.inputs, grads[value] * np.array(value.slopes), strict=True):
            grads[source] = grads[source] + sent
    return grads


def pulling(output):
    """Each value asks its users, which have had their turn."""
    values, users = with_a_heap(output), collections.defaultdict(list)
    for value in values:
        for source, slope in zip(value.inputs, value.slopes, strict=True):
            users[source].append((value, slope))
    grads = {output: 1.0}
    for value in values[1:]:
        grads[value] = sum(grads[user] * slope for user, slope in users[value])
    return grads


@pytest.mark.parametrize("backward", [with_zeros, with_get, with_a_default, with_numpy, pulling])
def test_other_right_walks_are_right(backward):
    assert check.backward.verdict(backward) == "backward: right."


def as_a_dictionary_of_functions(operation, a, b):
    return {
        "sub": lambda: (1, -1), "div": lambda: (1 / b, -a / (b * b)),
        "max": lambda: (int(a > b), int(a < b)), "pow": lambda: (b * a**b / a, math.log(a) * a**b),
    }[operation]()  # fmt: skip


def as_a_list(operation, a, b):
    return list(as_a_dictionary_of_functions(operation, a, b))


def by_match(operation, a, b):
    match operation:
        case "sub":
            return 1.0, -1.0
        case "div":
            return b**-1, -a * b**-2
        case "max":
            return (1, 0) if max(a, b) == a else (0, 1)
        case "pow":
            return np.float64(b) * a ** (b - 1), np.log(a) * np.power(a, b)


def by_the_complex_step(operation, a, b):
    h = 1e-30j
    f = {
        "sub": lambda a, b: a - b, "div": lambda a, b: a / b, "pow": lambda a, b: a**b,
        "max": lambda a, b: a if np.real(a) > np.real(b) else b,
    }[operation]  # fmt: skip
    a, b = complex(a), complex(b)
    return f(a + h, b).imag / 1e-30, f(a, b + h).imag / 1e-30


def in_float32(operation, a, b):
    return np.array(by_match(operation, a, b), np.float32)


@pytest.mark.parametrize(
    "slopes", [as_a_dictionary_of_functions, as_a_list, by_match, by_the_complex_step, in_float32]
)
def test_other_right_slopes_are_right(slopes):
    assert check.local_slopes.verdict(slopes) == "local_slopes: right."


def test_a_dictionary_of_all_results_is_told_that_it_computes_all():
    def slopes(operation, a, b):
        return {"sub": (1, -1), "pow": (b * a ** (b - 1), a**b * math.log(a))}[operation]

    assert "one of functions, lambda a, b: ..." in check.local_slopes.verdict(slopes)


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
