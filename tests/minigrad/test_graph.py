"""The picture of a graph: every operation and edge once; memory counted once."""

import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.tools.graph import saved_by_operation, saved_bytes, to_dot, to_text


def leaf(*shape, dtype=np.float32):
    rng = np.random.default_rng(0)
    return mg.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True)


def test_text_of_a_small_network():
    model = nn.Sequential({"fc1": nn.Linear(3, 4), "relu": nn.ReLU(), "fc2": nn.Linear(4, 2)})
    lines = to_text(model(mg.zeros((5, 3))), model).splitlines()
    assert lines[0].startswith("%1 = linear(·, fc1.weight, fc1.bias)")
    assert lines[1].startswith("%2 = relu(%1)")
    assert lines[2].startswith("%3 = linear(%2, fc2.weight, fc2.bias)")
    assert "(5, 2) float32" in lines[2]
    assert len(lines) == 3


def test_dot_has_every_node_and_edge_once():
    a, b = leaf(2, 3), leaf(3)
    shared = a * b
    out = (shared + shared.exp()).sum()
    dot = to_dot(out, {"a": a, "b": b})
    assert dot.startswith("digraph")
    assert dot.count("{") == dot.count("}") == 1
    assert len(re.findall("shape=box", dot)) == 4  # mul, exp, add, sum
    assert len(re.findall("shape=ellipse", dot)) == 2
    assert len(re.findall(" -> ", dot)) == 6
    assert r'label="a\n(2, 3) float32"' in dot
    assert r"mul\n(2, 3) float32" in dot


def test_dot_is_the_same_in_every_run_and_escapes_names():
    a = leaf(2)
    assert to_dot(a * a, {'say "a"': a}) == to_dot(a * a, {'say "a"': a})
    assert r"say \"a\"" in to_dot(a * a, {'say "a"': a})


def test_a_leaf_and_unnamed_leaves():
    a = leaf(2)
    assert "leaf" in to_text(a)
    assert to_dot(a).count("ellipse") == 1
    assert "leaf" in to_text(a.exp())
    assert saved_bytes(a) == 0


def test_a_freed_graph_says_what_to_do():
    a = leaf(2)
    out = (a * a).sum()
    out.backward()
    for look in (to_dot, to_text, saved_bytes, mg.memory_report):
        with pytest.raises(RuntimeError, match="retain_graph=True"):
            look(out)


def test_a_long_chain():
    x = leaf(1)
    out = x
    for _ in range(5000):
        out = out + 1.0
    assert len(to_text(out).splitlines()) == 5000
    assert to_dot(out).count("shape=box") == 5000


def test_saved_memory_is_counted_once():
    x = leaf(1000)
    y = x.exp()  # keeps its output
    assert saved_bytes(y) == 4000
    z = (y * y).sum()  # mul keeps y twice: the same memory
    assert saved_bytes(z) == 4000
    assert saved_bytes((z + y.exp()).sum()) == 8000


def test_views_count_for_what_they_add():
    y = leaf(1000).exp()
    out = (y[:500] * y[500:]).sum()
    assert saved_bytes(out) == 4000


def test_leaves_do_not_count():
    x, w = leaf(10, 20), leaf(5, 20)
    assert saved_bytes(F.linear(x, w)) == 0
    data = mg.tensor(np.zeros((10, 20), np.float32))  # no leaf of the graph: held by it alone
    assert saved_bytes(F.linear(data, w)) == 800


def test_the_report_adds_up():
    conv, rest = nn.Conv2d(2, 4, 3), nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    out = (rest(conv(mg.zeros((3, 2, 8, 8)))) ** 2).sum()
    kept = saved_by_operation(out)
    assert sum(k.bytes for k in kept) == saved_bytes(out)
    assert [k.bytes for k in kept] == sorted((k.bytes for k in kept), reverse=True)
    calls = {k.operation: k.calls for k in kept}
    assert calls["conv2d"] == calls["relu"] == calls["max_pool2d"] == 1
    report = mg.memory_report(out)
    assert all(name in report for name in calls)
    (total,) = (line for line in report.splitlines() if line.startswith("total"))
    assert total.split()[1] == str(sum(calls.values()))


def test_an_edited_array_can_still_be_looked_at():
    a = leaf(4)
    b = a.exp()
    with mg.no_grad():
        b.zero_()
    assert saved_bytes(b) == 16
