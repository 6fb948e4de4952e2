"""Every way of every kernel against the plain one, on the whole table of operations."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from operations import CASES, Case

import minigrad as mg
from minigrad.kernels import ways
from minigrad.kernels.conv import conv2d_backward, conv2d_forward
from minigrad.kernels.linear import linear_backward
from minigrad.kernels.sgd import Rule, Update, sgd_step
from minigrad.kernels.ways import Kernel, Way

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
differentiable = pytest.mark.parametrize(
    "case", [case for case in CASES if case.differentiable], ids=lambda case: case.name
)


def kernels() -> Iterator[Kernel]:
    """Every kernel of `minigrad.kernels`."""
    for info in pkgutil.iter_modules(mg.kernels.__path__):
        module = importlib.import_module(f"minigrad.kernels.{info.name}")
        for found in vars(module).values():
            if isinstance(found, Kernel) and found.plain.__module__ == module.__name__:
                yield found


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The kernels that ran, each with its way."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(ways, "watchers", [lambda *call: found.append(call)])
    return found


def near(found: object, expected: object) -> None:
    """The same to 1e-12 of the largest number."""
    found, expected = np.asarray(found), np.asarray(expected)
    scale = float(np.abs(expected[np.isfinite(expected)]).max(initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * scale)


@every
def test_the_fast_way_is_the_plain_one(case: Case):
    with mg.plain():
        expected = case.run(case.arrays())
    found = case.run(case.arrays())
    near(found[0], expected[0])
    for ours, theirs in zip(found[1], expected[1], strict=True):
        near(ours, theirs)


@differentiable
def test_the_plain_way_by_complex_step(case: Case):
    with mg.plain():
        assert mg.gradcheck(case.call, case.tensors())


@every
def test_the_plain_way_keeps_float32_and_any_memory_order(case: Case):
    arrays = [np.array(a, order="F") for a in case.arrays(np.float32)]
    with mg.plain():
        out, gradients = case.run(arrays)
    assert out.dtype == np.float32 or out.dtype.kind not in "fc"
    assert all(g.dtype == np.float32 for g in gradients)
    expected = case.run(case.arrays(np.float32))
    for ours, theirs in zip([out, *gradients], [expected[0], *expected[1]], strict=True):
        scale = float(np.abs(np.asarray(theirs, np.float64)).max(initial=1.0))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * scale)


def test_the_table_takes_every_kernel_in_every_way_of_the_cpu(seen):
    for case in CASES:
        case.run(case.arrays(np.float32))
        with mg.plain():
            case.run(case.arrays(np.float32))
    expected = {(k.name, "plain") for k in kernels()} - NOT_IN_THE_TABLE
    expected |= {(k.name, way.name) for k in kernels() for way in k.ways if way.name == "fast"}
    assert expected - NOT_IN_THE_TABLE <= set(seen)


# What operations reach at another precision only, or not at all, with the test that holds it.
NOT_IN_THE_TABLE = {
    ("bfloat16_bits", "plain"),  # tests/minigrad/test_precision.py
    ("matmul", "fast"),  # the same: on the CPU it rounds to 16 bits
    ("sgd_step", "plain"),  # below
    ("sgd_step", "fast"),
}


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_the_fast_product_is_the_plain_one_of_rounded_operands(name, seen):
    rng = np.random.default_rng(0)
    a, b = (mg.tensor(rng.integers(-8, 9, size=s).astype("f4")) for s in ((2, 5, 7), (7, 3)))
    with mg.precision(name):
        found = mg.matmul(a, b)
    assert ("matmul", "fast") in seen
    with mg.plain():
        np.testing.assert_array_equal(found.data, mg.matmul(a, b).data)  # small integers are exact


@pytest.mark.parametrize(
    "rule",
    [
        Rule(0.1), Rule(0.1, 0.9, 0.01), Rule(0.1, 0.9, 0.01, nesterov=True),
        Rule(0.1, 0.9, dampening=0.2, maximize=True), Rule(0.1, 0.9, 0.01, paper=True),
        Rule(0.1, weight_decay=0.01, maximize=True, paper=True),
    ],
    ids=str,
)  # fmt: skip
def test_the_fast_step_of_sgd_is_the_plain_one(rule, seen):
    rng = np.random.default_rng(0)
    shapes = [(3, 4), (5,), (2, 3, 4, 5), ()]
    arrays = [[np.array(rng.normal(size=shape)) for _ in range(3)] for shape in shapes]

    def stepped(way):
        updates = [
            Update(w.copy(), g.copy(), v.copy() if rule.momentum else None, rule)
            for w, g, v in arrays
        ]
        for _ in range(3):
            way(updates)
        return updates

    for found, expected in zip(stepped(sgd_step), stepped(sgd_step.plain), strict=True):
        near(found.w, expected.w)
        if rule.momentum:
            near(found.v, expected.v)
    assert seen == [("sgd_step", "fast")] * 3


# ----- choosing -----


@pytest.fixture
def double() -> Kernel:
    @Kernel
    def double(x, times=1):
        """2x."""
        return 2 * x * times

    return double


def test_the_newest_usable_way_is_taken(double):
    @double.instead(lambda x, times=1: x > 10)
    def shifted(x, times=1):
        return -1

    @double.instead(lambda x, times=1: times == 3)
    def tripled(x, times=1):
        return -3

    assert [way.compute for way in double.ways] == [tripled, shifted]
    assert [double(1), double(20), double(20, times=3), double(1, 3)] == [2, -1, -3, -3]
    with mg.plain():
        assert [double(20), double(20, times=3)] == [40, 120]
    assert double.plain(20) == 40
    assert double.__doc__ == "2x."


def test_cuda_is_asked_before_fast_in_whatever_order_they_are_imported(double):
    for room in ("cuda", "fast", "mine"):

        def way(x, times=1, room=room):
            return room

        way.__module__ = f"minigrad.kernels.{room}.double"
        double.instead(ways.always)(way)
    assert [way.name for way in double.ways] == ["mine", "cuda", "fast"]


def test_kernels_list_their_ways():
    for kernel in (conv2d_forward, conv2d_backward):
        assert [way.name for way in kernel.ways] == ["winograd", "cuda", "fast"]
        assert all(isinstance(way, Way) for way in kernel.ways)
    assert repr(conv2d_forward) == "<kernel conv2d_forward: winograd, cuda, fast, plain>"


def test_an_argument_that_is_left_out_means_the_same_in_every_way_there_and_back():
    found: dict[tuple[str, str], list[object]] = {}
    for info in pkgutil.walk_packages(mg.kernels.__path__, "minigrad.kernels."):
        module = importlib.import_module(info.name)
        for function in vars(module).values():
            function = getattr(function, "plain", function)
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                for name, parameter in inspect.signature(function).parameters.items():
                    if parameter.default is not parameter.empty:
                        kind = info.name.rpartition(".")[2], name
                        found.setdefault(kind, []).append(parameter.default)
    assert [kind for kind, values in found.items() if any(v != values[0] for v in values)] == []
    assert len(found["conv", "stride"]) > 4


BACKWARD = {
    conv2d_backward: [(2, 3, 4, 5), (2, 4, 4, 5), (3, 4, 1, 1)],  # gradient, x, weight
    linear_backward: [(2, 3), (2, 4), (3, 4)],
}


@pytest.mark.parametrize("kernel", BACKWARD, ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("needs", list(itertools.product([True, False], repeat=3)))
def test_the_gradients_are_those_asked_for(kernel, needs):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in BACKWARD[kernel]]
    expected = kernel.plain(*arrays)
    for way in (kernel, kernel.plain):
        for wanted, found, full in zip(needs, way(*arrays, needs=needs), expected, strict=True):
            assert (found is not None) == wanted
            if wanted:
                near(found, full)


def test_plain_ends_with_its_block_and_is_this_thread_s(seen):
    def call():
        conv2d_forward(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))

    @mg.plain()
    def fail():
        call()
        with mg.plain():
            call()
        call()
        other = threading.Thread(target=call)
        other.start()
        other.join()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    call()
    assert [way for _, way in seen] == ["plain", "plain", "plain", "fast", "fast"]


def test_training_runs_the_plain_way(seen):
    """A step of a network in which nothing but formulas runs: what a reader steps through."""
    model = mg.nn.Sequential(
        mg.nn.Conv2d(3, 4, 3, padding=1), mg.nn.ReLU(), mg.nn.PaperLRN(), mg.nn.MaxPool2d(3, 2),
        mg.nn.Flatten(), mg.nn.Linear(36, 5),
    )  # fmt: skip
    seen.clear()
    with mg.plain():
        mg.nn.functional.cross_entropy(model(mg.randn(2, 3, 7, 7)), [0, 4]).backward()
        mg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9).step()
    assert {way for _, way in seen} == {"plain"}
    assert {"conv2d_forward", "lrn_backward", "linear_backward"} <= {name for name, _ in seen}

