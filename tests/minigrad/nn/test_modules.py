"""Modules: registration, state, modes, layers, initialisation."""

import math
from collections import OrderedDict

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.nn import init


class Net(nn.Module):
    """Parameters and modules in turn, one of them twice."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.scale = nn.Parameter(np.ones(3, np.float32))
        self.body = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Dropout())
        self.again = self.first

    def forward(self, x):
        return self.body(self.first(x) * self.scale)


KEYS = ["scale", "first.weight", "first.bias", "body.0.weight", "body.0.bias"]
STATE_KEYS = [*KEYS, "again.weight", "again.bias"]


# ----- registration -----


def test_a_shared_module_has_all_its_paths_in_the_state_and_one_among_the_parameters():
    assert list(Net().state_dict()) == STATE_KEYS
    assert [name for name, _ in Net().named_parameters()] == KEYS


def test_assignment_moves_a_name_between_the_tables():
    net = Net()
    net.scale = None
    assert net.scale is None
    assert list(net.state_dict()) == STATE_KEYS[1:]
    net.first = nn.Identity()
    assert isinstance(net.first, nn.Identity)
    del net.body
    with pytest.raises(AttributeError, match="Net has no attribute 'body'"):
        _ = net.body
    with pytest.raises(AttributeError, match="nothing"):
        del net.nothing


def test_super_init_comes_first():
    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.ReLU()

    with pytest.raises(AttributeError, match=r"Early: call super\(\).__init__\(\)"):
        Early()


def test_forward_is_missing():
    with pytest.raises(NotImplementedError, match=r"Module does not define forward\(\)"):
        nn.Module()(1)


def test_modules_and_apply_reach_everything():
    net, seen = Net(), []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen[-1] == "Net"
    assert set(seen) == {"Net", "Linear", "Sequential", "ReLU", "Dropout"}
    assert [name for name, _ in net.named_children()] == ["first", "body"]  # as in PyTorch


@pytest.mark.parametrize(
    ("hide", "words"),
    [
        (lambda net: [net(), net()], r"Stack.blocks is a list that holds a Module \(Linear\)"),
        (lambda net: (net(),), r"is a tuple .* use nn.ModuleList\(\.\.\.\)"),
        (lambda net: {"a": net()}, r"is a dict .* use nn.ModuleDict"),
        (lambda net: [1, [net()], None], "is a list that holds a Module"),
        (lambda net: [net().weight], r"holds a Parameter .* use nn.ParameterList"),
        (lambda net: {3: net().weight}, "use nn.ParameterDict"),
    ],
)
def test_what_a_list_would_hide_is_refused(hide, words):
    class Stack(nn.Module):
        def __init__(self, late):
            super().__init__()
            self.first = nn.Linear(2, 2)
            hidden = hide(lambda: nn.Linear(2, 2))
            if late:
                self.blocks = [1]
                self.blocks[:] = [hidden] if late == "inside" else list(hidden)
                if isinstance(hidden, dict):
                    self.blocks = {}
                    self.blocks.update(hidden)
            else:
                self.blocks = hidden

    with pytest.raises(TypeError, match=words):
        Stack(late=False)
    for net in (Stack(late=True), nn.Sequential(Stack(late="inside"))):  # by append(), say
        for use in (net.parameters, net.state_dict, net.double):
            with pytest.raises(TypeError, match="neither trained nor saved"):
                use()


def test_a_list_of_what_is_registered_hides_nothing():
    net = Net()
    net.stages = [net.first, net.body, net.scale]
    net.sizes, net.names, net.later = [1, 2], {"a": None}, [mg.ones(2)]
    net.teacher = lambda: [nn.Linear(2, 2)]  # kept out on purpose
    assert list(net.state_dict()) == STATE_KEYS
    assert [name for name, _ in net.named_parameters()] == KEYS


# ----- buffers -----


def counting(nn, tensor):
    """A parameter and buffers, one of which is not saved, in either library."""
    net = nn.Module()
    net.child = nn.Linear(1, 1)
    net.register_buffer("mean", tensor([1.0, 2.0]))
    net.register_buffer("cache", tensor([3.0]), persistent=False)
    net.register_buffer("seen", tensor(4))
    net.register_buffer("later", None)
    net.weight = nn.Parameter(tensor([5.0]))
    return net


def test_buffers_are_pytorchs():
    torch = pytest.importorskip("torch")
    found = []
    for library, tensor in ((nn, mg.tensor), (torch.nn, torch.tensor)):
        net = library.Sequential(counting(library, tensor)).double()
        found.append([
            list(net.state_dict()), [name for name, _ in net.named_buffers()],
            [str(b.dtype).removeprefix("torch.") for b in net.buffers()],
            [name for name, _ in net.named_parameters()],
        ])  # fmt: skip
    assert found[0] == found[1]


def test_a_buffer_is_saved_loaded_and_assigned():
    net, other = counting(nn, mg.tensor), counting(nn, mg.tensor)
    net.mean = mg.tensor([7.0, 8.0])
    net.seen.data += 1
    net.later = mg.ones(1)
    other.load_state_dict(net.state_dict(), strict=False)
    assert other.mean.tolist() == [7, 8]
    assert other.seen.item() == 5
    assert other.seen.dtype == np.int64
    assert "later" in dict(net.named_buffers())
    with pytest.raises(RuntimeError, match="missing keys: mean, seen"):
        other.load_state_dict(dict(other.named_parameters()))
    with pytest.raises(TypeError, match=r"Module.mean is a buffer, got list"):
        net.mean = [1.0]
    net.mean = nn.Parameter(np.ones(2, np.float32))  # becomes a parameter, as in PyTorch
    assert [name for name, _ in net.named_buffers()] == ["cache", "seen", "later"]
    del net.cache
    with pytest.raises(AttributeError, match="no attribute 'cache'"):
        _ = net.cache


def test_registration_by_name():
    net = nn.Module()
    net.add_module("0", nn.ReLU())
    net.register_parameter("scale", nn.Parameter(np.ones(1, np.float32)))
    net.register_parameter("bias", None)
    assert [name for name, _ in net.named_children()] == ["0"]
    assert net.bias is None
    assert list(net.state_dict()) == ["scale"]
    for register, name, value, error, words in (
        (net.register_buffer, "a.b", mg.ones(1), KeyError, "has no dot, got 'a.b'"),
        (net.register_buffer, "", mg.ones(1), KeyError, "not empty"),
        (net.register_buffer, "training", mg.ones(1), KeyError, "has an attribute 'training'"),
        (net.register_buffer, "b", np.ones(1), TypeError, "got ndarray, expected Tensor or None"),
        (net.register_parameter, "p", mg.ones(1), TypeError, "expected Parameter"),
        (net.add_module, "m", F.relu, TypeError, "got function, expected Module"),
        (net.add_module, 0, nn.ReLU(), TypeError, "a name is a string, got 0"),
    ):
        with pytest.raises(error, match=words):
            register(name, value)


# ----- modes -----


def test_train_and_eval_reach_every_module():
    net = Net().eval()
    assert not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())


def test_dropout_follows_the_mode():
    x = mg.ones(100)
    drop, paper = nn.Dropout(0.5), nn.PaperDropout(0.25)
    assert 0 < (drop(x).data == 0).sum() < 100
    assert drop.eval()(x) is x
    assert set(np.unique(paper(x).data)) == {0, 1}
    assert set(np.unique(paper.eval()(x).data)) == {0.75}


def test_to_converts_parameters_and_gradients():
    net = Net().eval()
    net(mg.ones(1, 2)).sum().backward()
    net.double()
    assert all(p.dtype == p.grad.dtype == np.float64 for p in net.parameters())
    assert net(mg.ones(1, 2, dtype="float64")).dtype == np.float64
    assert all(p.dtype == np.float32 for p in net.float().parameters())


def test_zero_grad():
    net = Net().eval()
    for set_to_none in (False, True):
        net(mg.ones(1, 2)).sum().backward()
        net.zero_grad(set_to_none)
        grads = [p.grad for p in net.parameters()]
        assert all(g is None if set_to_none else not g.data.any() for g in grads)


def test_requires_grad_freezes():
    net = Net()
    net.first.requires_grad_(False)
    net(mg.ones(1, 2)).sum().backward()
    assert net.first.weight.grad is None
    assert net.scale.grad is not None


# ----- state -----


def test_state_round_trip_copies_values():
    one, two = Net(), Net()
    two.load_state_dict(one.state_dict())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
        assert not np.shares_memory(a.data, b.data)
    with mg.no_grad():
        one.scale.add_(1.0)
    assert two.scale.tolist() == [1, 1, 1]


def test_state_dict_shares_memory_and_is_outside_the_graph():
    net = Net()
    state = net.state_dict()
    assert state["scale"].data is net.scale.data
    assert not state["scale"].requires_grad


def test_loading_names_every_missing_and_unexpected_key():
    net, state = Net(), Net().state_dict()
    del state["scale"], state["body.0.bias"]
    state["head.weight"] = state["extra"] = mg.ones(1)
    before = [p.data.copy() for p in net.parameters()]
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    message = str(caught.value)
    for words in ("missing keys: scale, body.0.bias", "unexpected keys: head.weight, extra"):
        assert words in message
    for p, b in zip(net.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.data, b)
    net.load_state_dict(state, strict=False)
    np.testing.assert_array_equal(net.first.weight.data, state["first.weight"].data)


@pytest.mark.parametrize("strict", [True, False])
def test_loading_names_every_misshaped_key(strict):
    net, state = Net(), Net().state_dict()
    state["scale"], state["first.bias"] = mg.ones(4), mg.ones(1)
    with pytest.raises(RuntimeError, match=r"scale has shape \(4,\), expected \(3,\).*first.bias"):
        net.load_state_dict(state, strict=strict)


def test_loading_accepts_arrays_and_keeps_the_dtype():
    net = Net()
    net.load_state_dict({k: v.data.astype(np.float64) * 2 for k, v in net.state_dict().items()})
    assert net.scale.tolist() == [2, 2, 2]
    assert net.scale.dtype == np.float32


UNFIT = {
    "texts": (np.array(["a", "b", "c"]), "scale: expected numbers"),
    "complex": (np.ones(3, complex), "scale is complex128, expected real numbers for float32"),
    "None": (None, "scale: expected numbers, got NoneType"),
    "ragged": ([1, [2, 3]], "scale: expected numbers in lists of one length"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_loading_changes_nothing_if_a_value_cannot_be_read(name):
    net, (value, message) = Net(), UNFIT[name]
    before = [p.data.copy() for p in net.parameters()]
    state = {k: v.data + 1 for k, v in net.state_dict().items()}
    with pytest.raises(RuntimeError, match=message):
        net.load_state_dict({**state, "scale": value})
    for p, b in zip(net.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.data, b)


def test_loading_accepts_lists_and_foreign_byte_order():
    net = Net()
    state = {k: v.data.astype(">f8") * 2 for k, v in net.state_dict().items()}
    net.load_state_dict({**state, "scale": [3, 4, 5]})
    assert net.scale.tolist() == [3, 4, 5]
    np.testing.assert_array_equal(net.first.weight.data, state["first.weight"])


def test_loading_a_state_of_torch():
    torch = pytest.importorskip("torch")
    ours, theirs = nn.Linear(2, 3), torch.nn.Linear(2, 3)
    ours.load_state_dict(theirs.state_dict())
    np.testing.assert_array_equal(ours.weight.data, theirs.weight.detach().numpy())
    with pytest.raises(RuntimeError, match=r"weight: cannot read .*\.numpy\(\)"):
        ours.load_state_dict(theirs.to(torch.bfloat16).state_dict())


def test_loading_between_forward_and_backward_is_seen():
    net = Net().eval()
    x = mg.ones(1, 2, requires_grad=True)
    loss = net(x).sum()
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="edited in place"):
        loss.backward()


# ----- Sequential -----


def test_sequential_by_position_and_by_name():
    layers = nn.Linear(2, 2), nn.ReLU()
    net, named = nn.Sequential(*layers), nn.Sequential({"fc": layers[0], "act": layers[1]})
    assert list(net.state_dict()) == ["0.weight", "0.bias"]
    assert list(named.state_dict()) == ["fc.weight", "fc.bias"]
    x = mg.randn(3, 2)
    np.testing.assert_array_equal(net(x).data, named(x).data)
    assert named.fc is layers[0]


def test_a_replaced_child_keeps_its_place():
    net = nn.Sequential({"first": nn.Linear(2, 3), "middle": nn.ReLU(), "last": nn.Linear(3, 1)})
    net.middle = nn.Tanh()
    assert [name for name, _ in net.named_children()] == ["first", "middle", "last"]
    net.first.weight = nn.Parameter(net.first.weight.data)
    assert list(net.state_dict()) == ["first.weight", "first.bias", "last.weight", "last.bias"]
    net.middle = None
    assert [name for name, _ in net.named_children()] == ["first", "last"]


def test_sequential_is_indexed_sliced_and_counted():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert len(net) == 3
    assert net[-1] is list(net)[2]
    head = net[:2]
    assert isinstance(head, nn.Sequential)
    assert head(mg.ones(1, 2)).shape == (1, 3)
    assert list(net[2:].state_dict()) == ["2.weight", "2.bias"]


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(TypeError, match="1 is function, expected a Module"):
        nn.Sequential(nn.ReLU(), F.relu)


def test_repr_shows_the_tree():
    text = repr(nn.Sequential({"conv": nn.Conv2d(3, 4, 5, 2, padding=1, groups=1), "fc": Net()}))
    assert "(conv): Conv2d(3, 4, kernel_size=(5, 5), stride=2, padding=1)" in text
    assert "    (body): Sequential(\n      (0): Linear(3, 3, bias=True)" in text


# ----- containers -----

EDITS = {
    "replace": lambda nn, net: net.__setitem__(2, nn.Linear(3, 7)),
    "replace the last": lambda nn, net: net.__setitem__(-1, nn.Tanh()),
    "delete": lambda nn, net: net.__delitem__(1),
    "delete the last": lambda nn, net: net.__delitem__(-1),
    "delete a slice": lambda nn, net: net.__delitem__(slice(0, 2)),
    "append": lambda nn, net: net.append(nn.Linear(1, 4)).append(nn.ReLU()),
    "insert": lambda nn, net: net.insert(1, nn.Tanh()),
    "insert at the front": lambda nn, net: net.insert(-len(net), nn.Tanh()),
    "insert before the last": lambda nn, net: net.insert(-1, nn.Tanh()),
    "insert at the end": lambda nn, net: net.insert(3, nn.Tanh()),
    "extend": lambda nn, net: net.extend(nn.Sequential(nn.Tanh(), nn.Linear(1, 1))),
    "pop": lambda nn, net: net.pop(0),
    "delete and append": lambda nn, net: (net.pop(0), net.append(nn.Linear(1, 2))),
}


@pytest.mark.parametrize(
    ("edit", "named"),
    [(edit, False) for edit in EDITS]
    + [(edit, True) for edit in EDITS if not edit.startswith("insert")],  # KeyErrors in PyTorch
)
def test_a_sequential_is_edited_as_in_pytorch(edit, named):
    torch = pytest.importorskip("torch")

    def edited(nn):
        layers = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)
        named_layers = OrderedDict(zip(["one", "two", "three"], layers, strict=True))
        net = nn.Sequential(named_layers) if named else nn.Sequential(*layers)
        EDITS[edit](nn, net)
        return [(name, type(m).__name__) for name, m in net.named_children()], [*net.state_dict()]

    assert edited(nn) == edited(torch.nn)


def test_a_new_head_is_trained():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    net[2] = nn.Linear(3, 7)
    assert net(mg.ones(5, 2)).shape == (5, 7)
    assert list(net.parameters())[-1] is net[2].bias
    assert [type(m).__name__ for m in net[:1] + net[2:]] == ["Linear", "Linear"]


def test_edits_that_are_refused_change_nothing():
    net = nn.Sequential({"a": nn.ReLU(), "b": nn.Tanh()})
    before = list(net.named_children())
    for edit, error, words in (
        (lambda: net.__setitem__(2, nn.ReLU()), IndexError, "out of range"),
        (lambda: net.__setitem__(0, F.relu), TypeError, "0 is function, expected a Module"),
        (lambda: net.insert(3, nn.ReLU()), IndexError, "3 is out of range, have 2"),
        (lambda: net.insert(0, None), TypeError, "0 is NoneType, expected a Module"),
        (lambda: net.extend([nn.ReLU(), 3]), TypeError, "3 is int, expected a Module"),
        (lambda: net.append(F.relu), TypeError, "2 is function, expected a Module"),
        (lambda: net.pop(5), IndexError, "out of range"),
    ):
        with pytest.raises(error, match=words):
            edit()
        assert list(net.named_children()) == before


def test_a_name_that_is_taken_is_not_overwritten():
    net = nn.Sequential(nn.ReLU(), nn.Tanh())[1:]  # its only module is named "1"
    net.append(nn.Sigmoid())  # "1", too; PyTorch loses the first
    assert [type(m).__name__ for m in net] == ["Tanh", "Sigmoid"]


def test_a_module_dict():
    layers = nn.ModuleDict({"a": nn.Linear(1, 2), "b": nn.ReLU()})
    layers["c"] = nn.Linear(2, 2)
    layers.update([("b", nn.Tanh())])
    assert list(layers) == list(layers.keys()) == ["a", "b", "c"]
    assert "a" in layers
    assert isinstance(layers.b, nn.Tanh)
    assert list(layers.state_dict()) == ["a.weight", "a.bias", "c.weight", "c.bias"]
    assert layers.pop("a") not in layers.values()
    del layers["c"]
    assert len(nn.ModuleDict(layers)) == len(layers) == 1
    layers.clear()
    assert not dict(layers.items())
    for key, value, error, words in (
        ("a.b", nn.ReLU(), KeyError, "no dot"),
        ("keys", nn.ReLU(), KeyError, "has an attribute 'keys'"),
        ("x", F.relu, TypeError, "got function, expected Module"),
        ("x", None, TypeError, "x is None"),
    ):
        with pytest.raises(error, match=words):
            layers[key] = value


def test_lists_and_dicts_of_parameters():
    several = nn.ParameterList([nn.Parameter(np.ones(2, np.float32)), mg.zeros(3)])
    several.append(mg.ones(1, dtype="float64"))
    several[0] = mg.zeros(4)
    assert [p.shape for p in several] == [(4,), (3,), (1,)]
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in several)
    assert len(several[1:]) == 2
    named = nn.ParameterDict({"w": mg.ones(2)})
    named["b"] = nn.Parameter(np.ones(1, np.float32))
    net = nn.Module()
    net.several, net.named = several, named
    assert list(net.state_dict()) == [
        "several.0", "several.1", "several.2", "named.w", "named.b"
    ]  # fmt: skip
    assert named["w"] is named.w
    assert "(named): ParameterDict(w: (2,), b: (1,))" in repr(net)
    for wrong in (lambda: several.append(1.0), lambda: named.update({"w": [1.0]})):
        with pytest.raises(TypeError, match="expected a tensor"):
            wrong()


# ----- ModuleList -----


def test_a_module_list_registers_by_position():
    layers = nn.ModuleList([nn.Linear(2, 3), nn.ReLU()])
    layers.append(nn.Linear(3, 1)).extend([nn.Tanh()])
    assert list(layers.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(layers) == 4
    assert [type(layer).__name__ for layer in layers] == ["Linear", "ReLU", "Linear", "Tanh"]
    assert layers[-1] is list(layers)[3]
    assert isinstance(layers[1:], nn.ModuleList)
    assert list(layers[1:].state_dict()) == ["1.weight", "1.bias"]


def test_a_module_list_is_edited_like_a_list():
    first, second, third = nn.ReLU(), nn.Tanh(), nn.Identity()
    layers = nn.ModuleList([first, second])
    layers.insert(1, third)
    assert list(layers) == [first, third, second]
    layers[-1] = first
    assert list(layers) == [first, third, first]
    with pytest.raises(IndexError):
        layers[3] = first


def test_a_module_list_is_part_of_its_module_and_has_no_forward():
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))

    stack = Stack().eval()
    assert next(name for name, _ in stack.named_parameters()) == "layers.0.weight"
    assert not stack.layers[1].training
    with pytest.raises(NotImplementedError, match="ModuleList does not define forward"):
        stack.layers(mg.ones(1, 2))
    with pytest.raises(TypeError, match="0 is function, expected a Module"):
        nn.ModuleList([F.relu])


# ----- layers -----

x4 = np.random.default_rng(0).normal(size=(2, 4, 6, 6)).astype(np.float32)
LAYERS = {
    "Conv2d": (nn.Conv2d(4, 6, (3, 2), 2, 1, 1, 2),
               lambda m, x: F.conv2d(x, m.weight, m.bias, 2, 1, 1, 2)),
    "Conv2d and ReLU": (nn.Sequential({"conv": nn.Conv2d(4, 6, 3), "relu": nn.ReLU()}),
                        lambda m, x: F.relu(F.conv2d(x, m.conv.weight, m.conv.bias))),
    "Linear": (nn.Linear(6, 5, bias=False), lambda m, x: F.linear(x, m.weight)),
    "MaxPool2d": (nn.MaxPool2d(3, 2, ceil_mode=True),
                  lambda m, x: F.max_pool2d(x, 3, 2, ceil_mode=True)),
    "MaxPool2d default stride": (nn.MaxPool2d(2), lambda m, x: F.max_pool2d(x, 2)),
    "AvgPool2d": (nn.AvgPool2d(3, 2, 1, count_include_pad=False),
                  lambda m, x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d((2, None)),
                          lambda m, x: F.adaptive_avg_pool2d(x, (2, 6))),
    "LocalResponseNorm": (nn.LocalResponseNorm(3, 0.3, 0.5, 2.0),
                          lambda m, x: F.local_response_norm(x, 3, 0.3, 0.5, 2.0)),
    "PaperLRN": (nn.PaperLRN(3, 1.0, 0.1, 0.5, 2), lambda m, x: F.lrn(x, 3, 1.0, 0.1, 0.5, 2)),
    "LocalContrastNorm": (nn.LocalContrastNorm(3, 0.1, 0.5, 2.0, False),
                          lambda m, x: F.local_contrast_norm(x, 3, 0.1, 0.5, 2.0, False)),
    "ReLU": (nn.ReLU(), lambda m, x: F.relu(x)),
    "LeakyReLU": (nn.LeakyReLU(0.3), lambda m, x: F.leaky_relu(x, 0.3)),
    "PReLU": (nn.PReLU(4, 0.4), lambda m, x: F.leaky_relu(x, 0.4)),
    "Sigmoid": (nn.Sigmoid(), lambda m, x: F.sigmoid(x)),
    "Tanh": (nn.Tanh(), lambda m, x: F.tanh(x)),
    "Flatten": (nn.Flatten(2), lambda m, x: x.reshape(2, 4, 36)),
    "Identity": (nn.Identity(), lambda m, x: x),
    "Softmax": (nn.Softmax(1), lambda m, x: F.softmax(x, 1)),
    "LogSoftmax": (nn.LogSoftmax(1), lambda m, x: F.log_softmax(x, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_its_function(name):
    layer, expected = LAYERS[name]
    x = mg.tensor(x4)
    np.testing.assert_array_equal(layer(x).data, expected(layer, x).data)


@pytest.mark.parametrize("text", [
    "Conv2d(4, 6, kernel_size=(3, 2), stride=2, padding=1, groups=2)",
    "Conv2d(4, 6, kernel_size=(3, 3), stride=1, padding=0, dilation=2)",
    "Linear(6, 5, bias=False)", "MaxPool2d(kernel_size=3, stride=2, padding=0)",
    "AvgPool2d(kernel_size=2, stride=2, padding=0)", "AdaptiveAvgPool2d(output_size=(2, None))",
    "LocalResponseNorm(3, alpha=0.3, beta=0.5, k=2.0)",
    "PReLU(num_parameters=4)", "LeakyReLU(negative_slope=0.3)", "Dropout(p=0.3)",
])  # fmt: skip
def test_a_layer_made_from_its_repr_is_the_same(text):
    assert repr(eval(text, vars(nn))) == text


def test_arguments_by_name_reach_forward():
    class Scaled(nn.Module):
        def forward(self, x, *, by=1.0):
            return x * by

    assert Scaled()(mg.ones(1), by=3.0).item() == 3


def test_gains_are_pytorchs():
    torch = pytest.importorskip("torch")
    for given in (("linear",), ("conv2d",), ("sigmoid",), ("tanh",), ("relu",), ("leaky_relu",),
                  ("leaky_relu", 0.3)):  # fmt: skip
        assert nn.init.calculate_gain(*given) == torch.nn.init.calculate_gain(*given)


def test_the_papers_constants_are_the_defaults():
    assert repr(nn.PaperLRN()) == "PaperLRN(n=5, k=2.0, alpha=0.0001, beta=0.75)"
    assert repr(nn.PaperLRN(groups=2))[-11:] == ", groups=2)"
    assert repr(nn.LocalContrastNorm()) == "LocalContrastNorm(5, alpha=0.001, beta=0.75, k=1.0)"
    x = mg.tensor(x4)
    pairs = (
        (F.lrn(x), F.lrn(x, 5, 2.0, 1e-4, 0.75, 1)),
        (nn.PaperLRN()(x), F.lrn(x)),
        (F.local_contrast_norm(x), F.local_contrast_norm(x, 5, 1e-3, 0.75, 1.0, True)),
        (nn.LocalContrastNorm()(x), F.local_contrast_norm(x)),
    )
    for found, expected in pairs:
        np.testing.assert_array_equal(found.data, expected.data)


def test_max_pool_with_indices_says_where():
    pooled = nn.MaxPool2d(2, return_indices=True)(mg.tensor(x4))
    expected = F.max_pool2d(mg.tensor(x4), 2, return_indices=True)
    assert [t.tolist() for t in pooled] == [t.tolist() for t in expected]


# ----- batch normalisation -----


@pytest.mark.parametrize("options", [
    {}, {"momentum": None}, {"momentum": 0.7, "eps": 0.1}, {"affine": False},
    {"track_running_stats": False}, {"affine": False, "track_running_stats": False},
    {"momentum": 0.0},
], ids=str)  # fmt: skip
@pytest.mark.parametrize(("kind", "shape"), [
    ("BatchNorm2d", (5, 3, 4, 2)), ("BatchNorm1d", (6, 3)), ("BatchNorm1d", (4, 3, 7)),
])  # fmt: skip
def test_batch_norm_is_pytorchs_in_training_and_evaluation(kind, shape, options):
    torch = pytest.importorskip("torch")
    ours = getattr(nn, kind)(3, **options).double()
    theirs = getattr(torch.nn, kind)(3, **options).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    rng = np.random.default_rng(0)
    for step in range(6):
        if step == 4:
            ours.eval()
            theirs.eval()
        values, upstream = rng.normal(2, 3, shape), rng.normal(size=shape)
        x, y = mg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
        out, expected = ours(x), theirs(y)
        out.backward(mg.tensor(upstream))
        expected.backward(torch.tensor(upstream))
        np.testing.assert_allclose(out.data, expected.detach(), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(x.grad.data, y.grad, rtol=1e-9, atol=1e-12)
        for name, tensor in theirs.state_dict().items():
            np.testing.assert_allclose(ours.state_dict()[name].data, tensor, rtol=1e-12)
        for one, two in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(one.grad.data, two.grad, rtol=1e-9, atol=1e-12)
            with mg.no_grad(), torch.no_grad():
                one.sub_(0.1 * one.grad)
                two -= 0.1 * two.grad


def test_batch_norm_of_an_empty_batch_keeps_its_statistics():
    layer = nn.BatchNorm2d(3)
    assert layer(mg.zeros(0, 3, 2, 2)).shape == (0, 3, 2, 2)
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert layer.running_var.tolist() == [1, 1, 1]
    assert layer.num_batches_tracked.item() == 1  # as in PyTorch


def test_batch_norm_of_a_large_batch_in_float32_is_exact():
    x = np.random.default_rng(0).normal(100, 1, (200_000, 2)).astype(np.float32)
    layer = nn.BatchNorm1d(2, momentum=1.0, dtype="float32")
    y = layer(mg.tensor(x)).data.astype(np.float64)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(layer.running_mean.data, exact.mean(0), rtol=1e-6)
    np.testing.assert_allclose(layer.running_var.data, exact.var(0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(y, (exact - exact.mean(0)) / np.sqrt(exact.var(0) + 1e-5),
                               atol=2e-5)


def test_batch_norm_says_which_shapes_it_takes():
    for layer, shape, expected in (
        (nn.BatchNorm2d(3), (2, 3), "expected 4-D"),
        (nn.BatchNorm1d(3), (3,), "expected 2-D or 3-D"),
        (nn.BatchNorm1d(3), (2, 3, 4, 4), "expected 2-D or 3-D"),
    ):
        with pytest.raises(ValueError, match=expected):
            layer(mg.zeros(*shape))
    assert repr(nn.BatchNorm2d(3)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"
    )


def test_batch_norm_is_moved_and_loaded_with_its_statistics():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    theirs(torch.randn(4, 2, 5, 5))
    ours = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = np.random.default_rng(1).normal(size=(2, 2, 3, 3)).astype(np.float32)
    expected = theirs.eval()(torch.from_numpy(x)).detach()
    np.testing.assert_allclose(ours.eval()(mg.tensor(x)).data, expected, atol=1e-6)
    ours.double()
    assert ours[1].running_mean.dtype == np.float64
    assert ours[1].num_batches_tracked.dtype == np.int64


@pytest.mark.parametrize(
    ("loss", "function"),
    [(nn.CrossEntropyLoss([1, 2, 3.0], ignore_index=1, reduction="sum", label_smoothing=0.1),
      lambda x, y: F.cross_entropy(
          x, y, [1, 2, 3.0], ignore_index=1, reduction="sum", label_smoothing=0.1)),
     (nn.NLLLoss([1, 2, 3.0], ignore_index=0, reduction="none"),
      lambda x, y: F.nll_loss(x, y, [1, 2, 3.0], ignore_index=0, reduction="none"))],
)  # fmt: skip
def test_losses(loss, function):
    x, y = mg.randn(4, 3), np.array([0, 2, 1, 1])
    np.testing.assert_array_equal(loss(x, y).data, function(x, y).data)
    assert nn.MSELoss()(x, mg.zeros(4, 3)).item() == pytest.approx((x.data**2).mean())


def weighted_cross_entropy(nn, tensor):
    return nn.CrossEntropyLoss(tensor([1, 2, 3.0]), reduction="sum", label_smoothing=0.1)


def weighted_logits(nn, tensor):
    return nn.BCEWithLogitsLoss(tensor([1, 0.5, 2]), pos_weight=tensor([[1], [2], [0.5], [3.0]]))


LOSSES = {
    "MSELoss": (lambda nn, tensor: nn.MSELoss(reduction="none"), "shares"),
    "L1Loss": (lambda nn, tensor: nn.L1Loss(reduction="sum"), "shares"),
    "SmoothL1Loss": (lambda nn, tensor: nn.SmoothL1Loss(beta=0.5), "shares"),
    "BCELoss": (lambda nn, tensor: nn.BCELoss(tensor([1, 0.5, 2]), reduction="sum"), "shares"),
    "BCEWithLogitsLoss": (weighted_logits, "shares"),
    "NLLLoss": (lambda nn, tensor: nn.NLLLoss(tensor([1, 2, 3.0]), ignore_index=1), "labels"),
    "CrossEntropyLoss": (weighted_cross_entropy, "labels"),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_losses_are_pytorchs_and_their_weights_buffers(kind):
    torch = pytest.importorskip("torch")
    make, targets = LOSSES[kind]
    ours, theirs = make(nn, mg.tensor), make(torch.nn, torch.tensor)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert not list(ours.parameters())
    ours.double()
    theirs.double()
    x = np.random.default_rng(0).uniform(0.1, 0.9, (4, 3))
    y = {"shares": np.random.default_rng(1).uniform(size=(4, 3)), "labels": np.array([0, 2, 1, 1])}
    loss = ours(mg.tensor(x), mg.tensor(y[targets]))
    expected = theirs(torch.tensor(x), torch.tensor(y[targets]))
    np.testing.assert_allclose(loss.data, expected, rtol=1e-12)


def test_weights_of_a_loss_are_given_as_numbers_and_refused_as_words():
    assert nn.BCEWithLogitsLoss(pos_weight=[2, 3]).pos_weight.dtype == np.float32
    assert nn.CrossEntropyLoss(np.array([1.0, 2])).weight.dtype == np.float32
    with pytest.raises(TypeError, match="weight is 'sum': did you mean reduction='sum'"):
        nn.CrossEntropyLoss("sum")


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "groups=2 does not divide 3 input"),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="reflect"), NotImplementedError, "reflect"),
        (lambda: nn.ReLU(inplace=True), NotImplementedError, "inplace"),
        (lambda: nn.Dropout(1.5), ValueError, "1.5"),
        (lambda: nn.Conv2d(3, 4, 0), ValueError, "kernel_size: got 0"),
    ],
)
def test_arguments_that_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


# ----- initialisation -----


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [(lambda: nn.Linear(400, 300), 400), (lambda: nn.Conv2d(16, 64, (3, 5), groups=2), 8 * 15)],
)
def test_default_initialisation_is_pytorchs(layer, fan_in):
    # Uniform within 1 / sqrt(fan in), weight and bias.
    layer, bound = layer(), 1 / math.sqrt(fan_in)
    for parameter in (layer.weight, layer.bias):
        assert np.abs(parameter.data).max() <= bound
        assert np.abs(parameter.data).max() > 0.9 * bound
    spread = layer.weight.data.std()
    assert spread == pytest.approx(bound / math.sqrt(3), rel=0.03)
    assert abs(layer.weight.data.mean()) < 5 * spread / math.sqrt(layer.weight.numel())


def test_initialisation_follows_the_seed():
    mg.manual_seed(1)
    one = nn.Linear(3, 2)
    mg.manual_seed(1)
    np.testing.assert_array_equal(nn.Linear(3, 2).weight.data, one.weight.data)
    assert (nn.Linear(3, 2).weight.data != one.weight.data).all()


STATISTICS = {  # weight (200, 50, 3, 3): fan in 450, fan out 1800
    "normal_": (lambda w: init.normal_(w, 1.0, 0.01), 1.0, 0.01),
    "uniform_": (lambda w: init.uniform_(w, -1.0, 3.0), 1.0, 4 / math.sqrt(12)),
    "kaiming_normal_": (lambda w: init.kaiming_normal_(w, nonlinearity="relu"), 0,
                        math.sqrt(2 / 450)),
    "kaiming_uniform_": (lambda w: init.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu"),
                         0, math.sqrt(2 / 1800)),
    "xavier_normal_": (init.xavier_normal_, 0, math.sqrt(2 / 2250)),
    "xavier_uniform_": (lambda w: init.xavier_uniform_(w, 2.0), 0, 2 * math.sqrt(2 / 2250)),
    "constant_": (lambda w: init.constant_(w, 0.25), 0.25, 0),
    "zeros_": (init.zeros_, 0, 0),
    "ones_": (init.ones_, 1, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_of_an_initialisation(name):
    fill, mean, std = STATISTICS[name]
    weight = nn.Parameter(np.zeros((200, 50, 3, 3), np.float32))
    assert fill(weight) is weight
    assert weight.dtype == np.float32
    assert weight.data.std(dtype=np.float64) == pytest.approx(std, rel=0.02)
    error = 5 * std / math.sqrt(weight.numel())
    assert weight.data.mean(dtype=np.float64) == pytest.approx(mean, abs=error + 1e-7)


def test_initialisation_refuses_what_it_does_not_know():
    weight = nn.Parameter(np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match="'fan_avg' is unknown"):
        init.kaiming_normal_(weight, mode="fan_avg")
    with pytest.raises(ValueError, match="'swish' is unknown: use one of linear"):
        init.kaiming_normal_(weight, nonlinearity="swish")
    with pytest.raises(ValueError, match=r"\(3,\) has no fan"):
        init.xavier_normal_(nn.Parameter(np.zeros(3, np.float32)))


def test_a_shared_module_comes_once_as_in_pytorch():
    torch = pytest.importorskip("torch")
    found = []
    for library in (nn, torch.nn):
        shared = library.Linear(2, 2)
        net = library.Sequential(shared, library.ReLU(), shared)
        calls = []
        library.init.zeros_(shared.weight)
        net.apply(lambda module, calls=calls: calls.append(type(module).__name__))
        found.append([
            [name for name, _ in net.named_modules()],
            [name for name, _ in net.named_modules(remove_duplicate=False)],
            [name for name, _ in net.named_children()],
            len(list(net.modules())), len(list(net.children())),
            [name for name, _ in net.named_parameters()],
            list(net.state_dict()), calls,
        ])  # fmt: skip
    assert found[0] == found[1]


def test_a_move_to_where_it_is_edits_nothing():
    layer = nn.Linear(2, 1)
    x = mg.ones(1, 2, requires_grad=True)
    y = layer(x).sum()
    layer.to("cpu").float()
    y.backward()
    assert x.grad.tolist() == layer.weight.tolist()
