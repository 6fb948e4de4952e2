"""The checks of notebook 01 take the solution, and tell wrong answers apart."""

import pytest
from matplotlib.figure import Figure

from alexnet_scratch.course import n01_autograd as check

NAME = "01_autograd"
SORT = "    return sorted(found, key=lambda value: value.number, reverse=True)"
ADD = "grads[source] += grads[value] * slope"
BY_RECURSION = """result, seen = [], set()
    def visit(value):
        if value not in seen:
            seen.add(value)
            for source in value.inputs:
                visit(source)
            result.append(value)
    visit(output)
    return result[::-1]
"""
FIRST_COME = """values = [output]
    for value in values:
        values += [s for s in dict.fromkeys(value.inputs) if s not in values]"""
EVERY_WAY = """found, waiting = [output], [output]
    while waiting:
        value = waiting.pop()
        found += value.inputs
        waiting += value.inputs
    return sorted(found, key=lambda value: -value.number)
"""
START = "    found, waiting = {output}, [output]\n"
WRONG = {
    "local_slopes": [
        ("return 1.0, -1.0", "return 1.0, 1.0", "a sign is wrong"),
        ("return 1 / b, -a / b**2", "return 1 / b, a / b**2", "a sign is wrong"),
        ("return 1 / b, -a / b**2", "return 1 / b, -a / b", "derivative of 1 / b"),
        ("return 1 / b, -a / b**2", "return 1 / b", "two numbers"),
        ("(1.0, 0.0) if a > b else (0.0, 1.0)", "(0.0, 1.0) if a > b else (1.0, 0.0)",
         "changed places"),
        ("(1.0, 0.0) if a > b else (0.0, 1.0)", "(1.0, 1.0)", "the larger of the two"),
        ("a**b * math.log(a)", "a**b", "exp(b ln a)"),
        ("b * a ** (b - 1)", "a ** (b - 1)", "slope along a"),
    ],
    "order": [
        (SORT, "    return sorted(found, key=lambda value: value.number)", "backwards"),
        (START, f"    {BY_RECURSION}{START}", "RecursionError"),
        (START, f"    {FIRST_COME}\n    return values\n{START}", "which uses it"),
        (START, f"    {EVERY_WAY}{START}", "in your list twice"),
        (SORT, "    return sorted(found - {output}, key=lambda v: -v.number)", "is missing"),
        (SORT, "    return [v for v in found if v.inputs]", "is missing"),
        (SORT, "    return [v.number for v in found]", "the values themselves"),
    ],
    "backward": [
        (ADD, "grads[source] = grads[value] * slope", "they are added"),
        (ADD, "grads[source] += slope", "multiplied by its user's gradient"),
        ("    grads[output] = 1.0\n", "", "own gradient is 1"),
        ("values = order(output)", FIRST_COME, "first all of its users"),
        ("    return grads", "    return grads[output]", "a dictionary"),
        ("    return grads", "    return {v: g for v, g in grads.items() if v.inputs}",
         "no gradient"),
        (ADD, "grads[source] += grads[value] * abs(slope)", "all before it are right"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_the_solution_is_right(solutions, name):
    assert getattr(check, name).verdict(getattr(solutions(NAME), name)) == f"{name}: right."


def test_an_order_by_counting_is_right(solutions):
    assert check.order.verdict(solutions(NAME).order_by_counting) == "order: right."


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


@pytest.mark.parametrize(("name", "edit"), [(name, e) for name in WRONG for e in WRONG[name]])
def test_a_wrong_answer_gets_its_hint(solutions, name, edit):
    old, new, words = edit
    verdict = getattr(check, name).verdict(getattr(solutions(NAME, (old, new)), name))
    assert "not yet." in verdict
    assert words in verdict


def test_a_picture_of_a_graph_has_each_box_right_of_its_sources():
    axes = Figure().subplots()
    arrows = [("w", "u", "3"), ("x", "u", ""), ("u", "s", "6"), ("u", "s", "6"), ("s", "loss", ""),
              ("u", "loss", "1")]  # fmt: skip
    check.draw_graph(axes, {key: key.upper() for key in ("w", "x", "u", "s", "loss")}, arrows)
    places = {text.get_text(): text.get_position() for text in axes.texts}
    assert len(axes.patches) == len(arrows)
    assert all(places[a.upper()][0] < places[b.upper()][0] for a, b, _ in arrows)
    assert places["W"] != places["X"]
