"""A convolution and the ReLU behind it run as one, unless somebody looks in between."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.nn import module
from minigrad.tools.profiler import profile

X = np.random.default_rng(0).standard_normal((5, 4, 9, 9))


@pytest.fixture
def net():
    mg.manual_seed(0)
    return nn.Sequential(
        {"conv": nn.Conv2d(4, 6, 3, groups=2), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2)}
    )


def operations_of(net):
    """The operations of a forward."""
    with profile() as seen:
        net(mg.tensor(X.astype(np.float32)))
    return [operation for operation, _ in seen.by_operation()]


def trained(net, call, dtype):
    """Output and gradients of input, weight and bias for a signed upstream gradient."""
    net.zero_grad()
    x = mg.tensor(X.astype(dtype), requires_grad=True)
    y = call(x)
    upstream = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
    y.backward(mg.tensor(upstream))
    return [y.data, x.grad.data, net.conv.weight.grad.data, net.conv.bias.grad.data]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fused_and_one_by_one_have_the_same_bits(net, dtype):
    net = net.to(dtype)

    def one_by_one(x):
        for layer in net:
            x = layer(x)
        return x

    fused, alone = trained(net, net, dtype), trained(net, one_by_one, dtype)
    hook = net.conv.register_forward_hook(lambda module, args, output: None)
    hooked = trained(net, net, dtype)
    hook.remove()
    for a, b, c in zip(fused, alone, hooked, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert (alone[0] == 0).any()


def test_what_runs_as_one_is_one_operation(net):
    assert operations_of(net) == ["conv2d", "max_pool2d"]
    loose = nn.Sequential(net.conv, nn.Identity(), net.relu)
    assert operations_of(loose) == ["conv2d", "relu"]
    assert operations_of(nn.Sequential(net.conv)) == ["conv2d"]
    assert operations_of(nn.Sequential(net.relu, net.conv, net.relu, net.relu)) == [
        "relu", "conv2d",
    ]  # fmt: skip


@pytest.mark.parametrize("seen", ["conv", "relu before", "relu behind"])
def test_hooks_in_between_see_what_is_there(net, seen):
    x = mg.tensor(X.astype(np.float32))
    before = F.conv2d(x, net.conv.weight, net.conv.bias, groups=2).data
    kept = []
    if seen == "conv":
        hook = net.conv.register_forward_hook(lambda m, args, output: kept.append(output))
    elif seen == "relu before":
        hook = net.relu.register_forward_pre_hook(lambda m, args: kept.append(args[0]))
    else:
        hook = net.relu.register_forward_hook(lambda m, args, y: kept.extend([args[0], y]))
    net(x)
    np.testing.assert_array_equal(kept[0].data, before)
    for behind in kept[1:]:
        np.testing.assert_array_equal(behind.data, np.maximum(before, 0))
    assert operations_of(net) == ["conv2d", "relu", "max_pool2d"]
    hook.remove()
    assert operations_of(net) == ["conv2d", "max_pool2d"]


def test_hooks_in_between_may_replace_what_they_see(net):
    net.conv.register_forward_hook(lambda m, args, output: output * 0.0 - 1.0)
    assert (net(mg.tensor(X.astype(np.float32))).data == 0).all()


def test_a_pre_hook_of_the_convolution_runs_and_leaves_it_fused(net):
    x = mg.tensor(X.astype(np.float32))
    expected = net(x * 2.0).data
    net.conv.register_forward_pre_hook(lambda m, args: (args[0] * 2.0,))
    np.testing.assert_array_equal(net(x).data, expected)
    assert operations_of(net) == ["mul", "conv2d", "max_pool2d"]


def test_a_layer_with_a_forward_of_its_own_runs_by_itself(net):
    class Capped(nn.ReLU):
        def forward(self, input):
            return super().forward(input) * 0.5

    class Scaled(nn.Conv2d):
        def forward(self, input):
            return super().forward(input) * 2.0

    capped = nn.Sequential(net.conv, Capped())
    assert operations_of(capped) == ["conv2d", "relu", "mul"]
    assert operations_of(nn.Sequential(Scaled(4, 2, 3), nn.ReLU())) == ["conv2d", "mul", "relu"]
    net.conv.forward = lambda input: F.conv2d(input, net.conv.weight, groups=2)
    assert operations_of(net) == ["conv2d", "relu", "max_pool2d"]


def test_observers_are_told_of_both_and_change_nothing(net):
    told = []

    def observer(event, layer, args, output):
        told.append((event, type(layer).__name__, None if output is None else output.shape))

    module.observers.append(observer)
    try:
        assert operations_of(net) == ["conv2d", "max_pool2d"]
    finally:
        module.observers.remove(observer)
    maps, pooled = (5, 6, 7, 7), (5, 6, 3, 3)
    assert told == [
        ("enter", "Sequential", None),
        ("enter", "Conv2d", None), ("leave", "Conv2d", maps),
        ("enter", "ReLU", None), ("leave", "ReLU", maps),
        ("enter", "MaxPool2d", None), ("leave", "MaxPool2d", pooled),
        ("leave", "Sequential", pooled),
    ]  # fmt: skip
