"""Notebook 01: edits that make the solution wrong, and words of the hint that each must get."""

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
LAST_COME = """values, waiting, found = [], [output], {output}
    while waiting:
        values.append(waiting.pop())
        new = set(values[-1].inputs) - found
        waiting += sorted(new, key=lambda value: values[-1].inputs.index(value))
        found |= new"""
EVERY_WAY = """found, waiting = [output], [output]
    while waiting:
        value = waiting.pop()
        found += value.inputs
        waiting += value.inputs
    return sorted(found, key=lambda value: -value.number)
"""
START = "    found, waiting = {output}, [output]\n"
LIMIT = "import sys; sys.setrecursionlimit(100_000)"
DEFAULT = [  # the dictionary of the first call is that of the second
    ("def backward(output):", "def backward(output, grads={}):"),
    ("grads = dict.fromkeys(values, 0.0)", "grads.update({v: grads.get(v, 0.0) for v in values})"),
]
EMPTY = ("grads = dict.fromkeys(values, 0.0)", "grads = {}")
GET = (ADD, "grads[source] = grads.get(source, 0.0) + grads[value] * slope")
WRONG = {
    "local_slopes": [
        ("return 1.0, -1.0", "return 1.0, 1.0", "a sign is wrong. If b grows"),
        ("return 1.0, -1.0", "return -1.0, -1.0", "a sign is wrong. If a grows"),
        ("return 1 / b, -a / b**2", "return 1 / b, a / b**2", "a sign is wrong"),
        ("return 1 / b, -a / b**2", "return 1 / b, -a / b", "derivative of 1 / b"),
        ("return 1 / b, -a / b**2", "return 1 / b", "two numbers"),
        ("(1.0, 0.0) if a > b else (0.0, 1.0)", "(0.0, 1.0) if a > b else (1.0, 0.0)",
         "changed places"),
        ("if a > b else", "if abs(a) > abs(b) else", "max at a = -2, b = -4"),
        ("(1.0, 0.0) if a > b else (0.0, 1.0)", "(1.0, 1.0)", "the larger of the two"),
        ("(1.0, 0.0) if a > b else", "(a, 0.0) if a > b else", "the 0 is right. If a grows"),
        ("else (0.0, 1.0)", "else (0.0, b)", "the 0 is right. If b grows"),
        ("a**b * math.log(a)", "a**b", "exp(b ln a)"),
        ("b * a ** (b - 1)", "a ** (b - 1)", "slope along a"),
        ('    if operation == "sub":', '    math.log(a)\n    if operation == "sub":',
         "For sub at a = -2, b = -4, it stops with ValueError: math domain error"),
    ],
    "order": [
        (SORT, "    return sorted(found, key=lambda value: value.number)", "backwards"),
        (START, f"    {BY_RECURSION}{START}", "In a chain of 5000 operations"),
        (START, f"    {LIMIT}\n    {BY_RECURSION}{START}", "raises Python's limit"),
        (START, f"    return order(output)\n{START}", "which has only 2 values"),
        (START, f"    {FIRST_COME}\n    return values\n{START}",
         "which uses it (v11 from v10, v6, v0)"),
        (START, f"    {EVERY_WAY}{START}", "once for every use (by x * x)"),
        (SORT, "    return sorted(found - {output}, key=lambda v: -v.number)", "is missing"),
        (SORT, "    return [v for v in found if v.inputs]", "is missing"),
        (SORT, "    return [v.number for v in found]", "the values themselves"),
        (SORT, "    return dict.fromkeys(found)", "yours is a dict"),
        (SORT, "    return len(found)", "the values themselves"),
        ([("def order(output):", "def order(output, seen=set()):"),
          (SORT, f"    found -= seen\n    seen |= found\n{SORT}")], "a second one"),
    ],
    "order_by_counting": [],
    "backward": [
        (ADD, "grads[source] = grads[value] * slope", "they are added"),
        (ADD, "grads[source] += slope", "multiplied by its user's gradient"),
        ("    grads[output] = 1.0\n", "", "own gradient is 1"),
        ("grads[output] = 1.0", "grads[output] = output.data", "whatever its data"),
        (ADD, f"{ADD} * value.data", "gradient of x is 54, expected 6, what its users send"),
        (ADD, f"{ADD} / source.data", "3 * 1 from x * x, 3 * 1 from x * x"),
        ("dict.fromkeys(values, 0.0)", "dict.fromkeys(values, 1.0)", "Every gradient begins at 1"),
        ("values = order(output)", "values = order(output)[::-1]", "from the oldest value"),
        ([("values = order(output)", "values = order(output)[::-1]"), EMPTY, GET],
         "u has its turn before any gradient has arrived"),
        ([("values = order(output)", "values = order(output)[::-1]"), EMPTY, GET,
          ("    for value in values:\n", "    for value in values:\n        grads[value]\n")],
         "w has its turn before any gradient has arrived"),
        ([EMPTY], "nothing yet to which the first gradient of s can be added"),
        ([EMPTY, GET, ("    grads[output] = 1.0\n", "")], "the pass begins with its 1"),
        (DEFAULT, "a second one on the same graph"),
        ("values = order(output)", FIRST_COME, "first all of its users"),
        ("    return grads", "    return grads[output]", "a dictionary"),
        ("    return grads", "    return {v: g for v, g in grads.items() if v.inputs}",
         "no entry for x"),
        ("    return grads", "    return {v: g for v, g in grads.items() if not v.inputs}",
         "no entry for x * x"),
        ("    return grads", "    return {v.number: g for v, g in grads.items()}",
         "no entry for x * x"),
        (ADD, "grads[source] += grads[value] * abs(slope)", "All newer ones are right"),
        (ADD, "grads[source] = grads[value] * slope", "The graph is y = x * x at x = 3."),
        ("values = order(output)", "values = list(order(output))[::-1]", "t = x * x, y = t * t"),
        ("values = order(output)", LAST_COME, "then itself. The graph is u"),
    ],
    "calls_of_20": [
        ("calls_of_20 = 2**21 - 1", f"calls_of_20 = {number}", words)
        for number, words in (
            (20, "number of operations"), (21, "number of values"), (40, "number of arrows"),
            (41, "and the first call"), (210, "1 + 2 + 3"), (400, "like a square"),
            ("2**20", "half of it"), (5000, "More: the calls"), (10**9, "they double 20 times"),
            ("(2, 97, 151)", "is a tuple"),
        )
    ],
    "why_only_parameters": [
        ('why_only_parameters = "b"', f'why_only_parameters = "{letter}"', words)
        for letter, words in (
            ("a", "They are not 0"), ("c", "changes the parameters and looks at nothing"),
            ("d", "still exists in the next"),
        )
    ],
}  # fmt: skip
