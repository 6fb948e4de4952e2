"""The profiler: what is counted, to whom, and that nothing stays behind."""

import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import modes, nn, optim
from minigrad.kernels import ways
from minigrad.kernels.ways import Kernel
from minigrad.nn.module import observers as module_observers
from minigrad.tools.profiler import profile


@pytest.fixture(autouse=True)
def nothing_stays():
    lists = (modes.observers, module_observers, ways.watchers)
    before = [list(each) for each in lists]
    yield
    assert list(lists) == before


@pytest.fixture
def model():
    return nn.Sequential(
        {"fc1": nn.Linear(3, 4), "relu": nn.ReLU(), "fc2": nn.Linear(4, 4), "last": nn.ReLU()}
    )


def counts(costs):
    return {key: cost.calls for key, cost in costs.items()}


def test_calls_and_bytes_by_operation():
    a = mg.tensor(np.ones((2, 3), np.float32), requires_grad=True)
    with profile() as p:
        (a.exp() * a).sum().backward()
    costs = p.by_operation()
    assert counts(costs) == {
        (name, phase): 1 for name in ("exp", "mul", "sum") for phase in ("forward", "backward")
    }
    assert costs["exp", "forward"].bytes == 24
    assert costs["mul", "backward"].bytes == 48  # two gradients
    assert all(cost.seconds >= 0 for cost in costs.values())
    assert p.seconds == pytest.approx(sum(cost.seconds for cost in costs.values()))


def test_costs_by_module(model):
    with profile(model) as p:
        for _ in range(2):
            (model(mg.ones((5, 3))) * 2.0).sum().backward()
    assert counts(p.by_module()) == {
        (name, phase): 4 if not name else 2
        for name in ("fc1", "relu", "fc2", "last", "")
        for phase in ("forward", "backward")
    }
    assert p.costs["fc2", "linear", "backward"].calls == 2
    assert p.costs["", "mul", "backward"].calls == 2


def test_evaluation_in_between_does_not_confuse_backward(model):
    with profile(model) as p:
        out = model(mg.ones((5, 3))).sum()
        with mg.no_grad():
            model(mg.ones((5, 3)))
        out.backward()
    calls = counts(p.by_module())
    assert calls["fc1", "forward"] == 2
    assert calls["fc1", "backward"] == calls["fc2", "backward"] == 1


def test_operations_of_a_parent_are_its_own():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 3)

        def forward(self, x):
            return self.fc(x * 2.0) + x

    model = nn.Sequential({"block": Residual()})
    with profile(model) as p:
        model(mg.ones((1, 3)))
    assert set(p.costs) == {
        ("block", "mul", "forward"), ("block.fc", "linear", "forward"), ("block", "add", "forward"),
    }  # fmt: skip


def test_the_tables(model):
    with profile(model) as p:
        model(mg.ones((5, 3))).sum().backward()
    lines = str(p).splitlines()
    assert lines[0].split()[:2] == ["operation", "phase"]
    assert lines[-1].startswith("total")
    times = [cost.seconds for cost in p.by_operation().values()]
    slowest = max(p.by_operation().items(), key=lambda item: item[1].seconds)[0]
    assert lines[1].split()[:2] == list(slowest)
    assert len(lines) == len(times) + 2
    assert "(no module)" in p.table("module")
    with pytest.raises(ValueError, match="expected 'operation' or 'module'"):
        p.table("file")


def test_an_empty_profile_has_a_table():
    with profile() as p:
        pass
    assert str(p).splitlines()[-1].startswith("total")


def test_blocks_may_be_nested():
    a = mg.ones((2,))
    with profile() as outer:
        a.exp()
        with profile() as inner:
            a.exp()
        a.exp()
    a.exp()
    assert counts(inner.by_operation()) == {("exp", "forward"): 1}
    assert counts(outer.by_operation()) == {("exp", "forward"): 3}


def test_an_exception_removes_everything(model):
    with pytest.raises(RuntimeError), profile(model):
        model(mg.ones((1, 7)))
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_a_module_that_raises_does_not_shift_later_calls(model):
    with profile(model) as p:
        with pytest.raises(RuntimeError):
            model(mg.ones((1, 7)))
        model(mg.ones((1, 3)))
        mg.ones((1,)).exp()
    assert set(p.by_module()) == {
        (name, "forward") for name in ("fc1", "relu", "fc2", "last", "")
    }
    assert p.costs["", "exp", "forward"].calls == 1


def test_each_thread_has_its_own(model):
    seen = {}

    def work(name, times):
        with profile(model) as p:
            barrier.wait()
            for _ in range(times):
                model(mg.ones((1, 3))).sum().backward()
            barrier.wait()
        seen[name] = counts(p.by_module())

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(n, n)) for n in (3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in (3, 5):
        assert set(seen[n].values()) == {n}
        assert len(seen[n]) == 10


def test_a_profile_leaves_convolution_and_relu_fused():
    model = nn.Sequential({"conv": nn.Conv2d(2, 3, 3), "relu": nn.ReLU()})
    with profile(model) as p:
        model(mg.ones((1, 2, 5, 5))).sum().backward()
    assert counts(p.costs) == {
        (path, operation, phase): 1
        for path, operation in (("conv", "conv2d"), ("", "sum"))
        for phase in ("forward", "backward")
    }


# ----- the way that ran -----


@Kernel
def doubled(x):
    return 2 * x


@doubled.instead(lambda x: x.size > 2)
def _doubled_in_another_room(x):
    return x + x


class Double(mg.Function):
    @staticmethod
    def forward(ctx, x):
        return doubled(x)

    @staticmethod
    def backward(ctx, grad):
        return doubled(grad)


OTHER = doubled.ways[0].name


def test_the_way_that_ran_is_named():
    small, large = (mg.tensor(np.ones(n), requires_grad=True) for n in (2, 3))
    with profile() as p:
        Double.apply(large).sum().backward()
        Double.apply(small)
    costs = p.by_operation()
    assert costs["double", "forward"].way == f"{OTHER}+plain"
    assert costs["double", "backward"].way == OTHER
    assert costs["sum", "forward"].way == ""
    head, *lines = str(p).splitlines()
    assert head.split()[2] == "way"
    (line,) = (line for line in lines if line.startswith("double") and "forward" in line)
    assert line.split()[2] == f"{OTHER}+plain"


def test_a_plain_block_is_named_plain_and_by_module():
    class Layer(nn.Module):
        def forward(self, x):
            return Double.apply(x) * 2.0

    with profile(nn.Sequential({"layer": (layer := Layer())})) as p, ways.plain():
        layer(mg.ones((3,)))
    assert p.by_module()["layer", "forward"].way == "plain"
    assert p.costs["layer", "mul", "forward"].way == ""


def test_a_kernel_of_another_thread_is_not_of_this_profile():
    with profile() as p:
        thread = threading.Thread(target=doubled, args=(np.ones(3),))
        thread.start()
        thread.join()
        mg.ones((3,)).exp()
    assert p.costs["", "exp", "forward"].way == ""


def test_a_kernel_outside_of_operations_is_no_operations_way():
    w = mg.ones(3, requires_grad=True)
    w.grad = mg.ones(3)
    with profile() as p:
        optim.SGD([w], lr=0.1).step()  # a kernel, and no operation
        mg.ones(3).exp()
    assert {key[1] for key in p.costs} == {"exp"}
    assert p.costs["", "exp", "forward"].way == ""
