"""The player of a graph: its numbers are the engine's, its page is whole and holds any name."""

import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from operations import CASES

import minigrad as mg
from minigrad import modes, nn
from minigrad.nn import functional as F
from minigrad.tools.graph import player
from minigrad.tools.graph.formulas import FORMULAS
from minigrad.tools.graph.layout import places


def lesson(w, x):
    u = w * x
    s = u * u
    return s + u


def everything(a, b):
    """Each operation that has a formula, on scalars; a name for each result."""
    t = (a * b - a / b).tanh()
    e = (t + 1.5).exp().log().sqrt().sigmoid()
    p = e ** (b + 0.25)
    r = (-p).abs().relu()
    return r + p


def slopes(function, *values, step=1e-6):
    """Central differences of a function of scalars."""
    found = []
    for i in range(len(values)):
        ends = [
            function(*(mg.tensor(v + sign * step * (i == j), dtype="float64")
                       for j, v in enumerate(values))).item()
            for sign in (1, -1)
        ]  # fmt: skip
        found.append((ends[0] - ends[1]) / (2 * step))
    return found


def totals(played):
    """What the last step says of each leaf."""
    return dict(re.match(r"(\S+)\.grad = (.*)", line).groups() for line in played.steps[-1].lines)


def test_the_lessons_expression_step_by_step():
    played = player(lesson, 2.0, 3)
    assert [box.name for box in played.boxes] == ["w", "x", "u", "s", "result"]
    text = str(played)
    assert "forward   s = u * u\n               = 6 * 6 = 36\n" in text
    assert "comes in: grad = 13, the sum of 1 + 6 + 6\n" in text
    assert "goes out to u: grad * u = 1 * 6 = 6; so far 13\n" in text
    assert "goes out to w: grad * x = 13 * 3 = 39\n" in text
    assert totals(played) == {"w": "39", "x": "26"}
    assert repr(played) == "<Player: 3 operations, 9 steps>"


@pytest.mark.parametrize(("function", "values"), [(lesson, (2.0, -3.0)), (everything, (0.7, 1.3))])
def test_the_gradients_are_those_of_finite_differences(function, values):
    found = totals(player(function, *values))
    for text, slope in zip(found.values(), slopes(function, *values), strict=True):
        assert float(text) == pytest.approx(slope, rel=1e-5)


def test_each_formula_and_rule_is_what_the_engine_computes():
    """Those with numbers are Python: they are evaluated."""
    names = {
        **{n: getattr(math, n) for n in ("exp", "log", "sqrt", "tanh")}, "abs": abs,
        "relu": lambda x: max(x, 0.0), "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
        "sign": lambda x: math.copysign(1.0, x),
    }  # fmt: skip
    played = player(everything, 0.7, 1.3)
    checked = 0
    for line in (line for step in played.steps[1:-1] for line in step.lines):
        if coming := re.match(r"comes in: grad = ([^,]+)", line):
            names["grad"] = float(coming[1])
        elif not line.startswith("d "):
            chain = re.sub(r"^goes out to \w+: |^= |; so far .*", "", line).split(" = ")
            numbers, result = chain[-2:] if len(chain) > 1 else chain * 2  # -2 is both
            assert eval(numbers, names) == pytest.approx(float(result), rel=2e-5), line
            checked += 1
    assert checked > 30
    assert {box.operation for box in played.boxes} >= {*FORMULAS, ""} - {"matmul"}


def test_each_operation_can_be_played_and_ends_with_the_engines_gradients():
    cases = {c.operation: c for c in CASES if c.differentiable}.values()
    for case in cases:

        def total(*inputs, call=case.call):
            out = call(*inputs)
            return (out * out).sum()

        played = player(total, *case.tensors())
        leaves = case.tensors()
        total(*leaves).backward()
        last = "\n".join(played.steps[-1].lines)
        for leaf in leaves:
            if leaf.grad is not None and leaf.grad.data.size:
                first = leaf.grad.numpy().ravel()[0]
                assert re.search(rf"[ \[]{re.escape(f'{first:.6g}')}\b", last), case.operation
    assert len(cases) > 60


def test_arrays_broadcasting_and_what_has_no_gradient():
    rng = np.random.default_rng(0)
    x, weight, bias = rng.standard_normal((2, 4)), rng.standard_normal((4, 3)), np.zeros(3)

    def loss(x, weight, bias, labels):
        return F.cross_entropy((x @ weight + bias).relu(), labels)

    text = str(player(loss, x, weight, bias, np.array([0, 2])))
    leaves = [mg.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    loss(*leaves, mg.tensor([0, 2])).backward()
    shown = ", ".join(f"{g:.6g}" for g in leaves[2].grad.numpy())
    assert "cross_entropy(v3, [0, 2])" in text
    assert f"to bias: grad, summed to (3,), as bias was broadcast = [{shown}]" in text
    assert "goes out to weight: x.T @ grad = [[" in text


def test_a_network_is_named_by_its_parameters_and_large_arrays_by_their_first_numbers():
    net = nn.Sequential({"conv": nn.Conv2d(1, 2, 3), "relu": nn.ReLU(), "flat": nn.Flatten(),
                         "fc": nn.Linear(18, 5)})  # fmt: skip
    image = mg.randn(1, 1, 5, 5)
    played = player(net, image, parameters=net, gradient=np.ones((1, 5), np.float32))
    text = str(played)
    assert "relu(conv2d(input, conv.weight, conv.bias))" in text
    assert "input = (1, 1, 5, 5): " in text  # it needs no gradient
    assert re.search(r"fc\.weight = \(5, 18\): (\S+, ){3}\.\.\.   float32", text)
    assert net.fc.weight.grad is None  # looking changes nothing
    net(image).sum().backward()
    assert f"fc.bias.grad = [{', '.join('1' * 5)}] + [1, 1, 1, 1, 1] = [2, 2, 2, 2, 2]" in str(
        player(net, image, parameters=net, gradient=np.ones((1, 5), np.float32))
    )


def test_a_function_of_ones_own_is_shown_by_its_name():
    class Cube(mg.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved
            return 3 * x * x * grad

    text = str(player(lambda x: Cube.apply(x), 2.0))
    assert "result = cube(x)" in text
    assert "goes out to x: by the backward of cube = 12" in text


def test_nobody_is_watched_afterwards():
    before = list(modes.observers)
    with pytest.raises(ZeroDivisionError):
        player(lambda x: x * (1 // 0), 2.0)
    player(lesson, 1.0, 2.0)
    assert modes.observers == before


def many(x):
    for _ in range(200):
        x = x + 1.0
    return x


@pytest.mark.parametrize(
    ("function", "inputs", "error", "says"),
    [
        (lambda x: 3.0, (1.0,), TypeError, "returned float, expected a tensor"),
        (lambda x: x, (1.0,), ValueError, "needs no gradient"),
        (lambda x: x + 1, (np.arange(3),), ValueError, "needs no gradient"),
        (many, (1.0,), ValueError, "200 operations, expected at most 120"),
        (lambda x: x * 2, (np.ones(3),), RuntimeError, "scalar"),
    ],
)
def test_what_cannot_be_played_is_said(function, inputs, error, says):
    with pytest.raises(error, match=says):
        player(function, *inputs)


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.words = [], {}, []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.update(attrs)

    def handle_data(self, data):
        self.words.append(data)


HOSTILE = ["</script><img src=x onerror=alert(1)>", '"><b>', "{a}", "\ud800\n\x00" + "x" * 500]


def test_hostile_names_are_text(tmp_path):
    leaves = {name: mg.tensor(float(i + 1), requires_grad=True) for i, name in enumerate(HOSTILE)}

    def product():
        a, b, c, d = leaves.values()
        return a * b * c * d

    played = player(product, parameters=leaves)
    html = played._repr_html_()
    assert set(Tags(html).tags) == {
        "div", "table", "thead", "tbody", "tr", "th", "td", "code", "br", "script",
    }  # fmt: skip
    assert HOSTILE[0] in "".join(Tags(html).words)
    played.save(tmp_path / "tape.html", title=HOSTILE[0])
    page = (tmp_path / "tape.html").read_text("utf-8")
    assert "img" not in Tags(page).tags
    outside = re.sub(r'"http://www.w3.org/2000/svg"', "", page)
    assert "://" not in outside  # needs no other host
    assert not {"src"} & set(Tags(page).attributes)
    assert Tags(page).attributes["href"] == "data:,"
    assert "prefers-color-scheme: dark" in page
    assert "@media (max-width: 40rem)" in page  # the table's words are below, not in a tower


def test_boxes_have_places_of_their_own():
    arrows = [(0, 2), (1, 2), (2, 3), (2, 3), (2, 4), (3, 4), (0, 5), (4, 5)]
    at, ways = places(6, arrows)
    crossed = [point for way in ways for point in way]
    assert len({*at, *crossed}) == 6 + len(crossed)
    assert all(at[a][0] < at[b][0] for a, b in arrows)
    assert [len(way) for way in ways] == [at[b][0] - at[a][0] - 1 for a, b in arrows]
