"""No option is taken and then ignored, and one that is not there is told which are."""

import ast
import dataclasses
import inspect
import textwrap

import pytest

import minigrad as mg
from minigrad import data, nn, optim
from minigrad.nn import functional as F

ROOMS = (mg, mg.cuda, mg.random, nn, F, nn.init, nn.utils, optim, optim.lr_scheduler, data)

# Parameters that a body does not read, and why that is right.
UNREAD = {
    "Dataset.sample(rng)": "draws nothing; those who augment override it",
    "CenterCrop.__call__(rng)": "draws nothing; transforms are called alike",
    "Module.fused(following)": "fuses nothing; layers override it",
    "sort(stable)": "always stable, which is one of the orders that False allows",
    "argsort(stable)": "as sort",
    "topk(sorted)": "always sorted, which is one of the orders that False allows",
}

# Options that an object keeps to be looked at: __init__ has used them, or a function outside does.
SHOWN = {
    "Linear.in_features", "Linear.out_features", "Conv2d.in_channels", "Conv2d.out_channels",
    "Conv2d.kernel_size", "BatchNorm1d.num_features", "BatchNorm2d.num_features",
    "BatchNorm1d.affine", "BatchNorm2d.affine", "BatchNorm1d.track_running_stats",
    "BatchNorm2d.track_running_stats", "OneCycleLR.div_factor", "CenterCrop.size",
    "RandomCrop.size",
}  # fmt: skip


def public_callables():
    """Functions and classes of every room, and Tensor's methods: (name, callable)."""
    for room in ROOMS:
        names = getattr(room, "__all__", None) or [
            name for name, value in vars(room).items()
            if getattr(value, "__module__", "") == room.__name__ and not name.startswith("_")
        ]  # fmt: skip
        for name in names:
            if inspect.isfunction(getattr(room, name)) or inspect.isclass(getattr(room, name)):
                yield name, getattr(room, name)


def is_ours(value):
    """A function that stands in minigrad's sources (a dataclass's __init__ does not)."""
    if not inspect.isfunction(value) or not value.__module__.startswith("minigrad"):
        return False
    return not inspect.unwrap(value).__code__.co_filename.startswith("<")


def functions():
    """Each public function and method once."""
    found = set()
    for name, value in public_callables():
        for member, function in vars(value).items() if inspect.isclass(value) else [(name, value)]:
            if not member.startswith("_") or member in ("__init__", "__call__"):
                found.add(inspect.unwrap(getattr(function, "__func__", function)))
    return set(filter(is_ours, found))


def definition(function):
    return ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]


def unread(node):
    """The parameters of a function that its body does not read; none where it only raises."""
    body = [each for each in node.body if not isinstance(each, ast.Expr)]
    if body and all(isinstance(each, ast.Raise) for each in body):
        return []
    read = {n.id for part in node.body for n in ast.walk(part) if isinstance(n, ast.Name)}
    given = node.args
    names = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [a.arg for a in names if a and a.arg not in {*read, "self", "cls", "ctx"}]


def test_every_option_is_read():
    found = {
        f"{function.__qualname__}({parameter})"
        for function in functions()
        for parameter in unread(definition(function))
    }
    assert found == set(UNREAD)
    assert len(functions()) > 250


def kept_and_read(kind):
    """The options that __init__ keeps under their own names, and the attributes that are read."""
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    kept, read = {field.name for field in fields}, set()
    for base in kind.__mro__:
        for name, member in vars(base).items():
            member = member.fget if isinstance(member, property) else member
            if not is_ours(member):
                continue
            for n in ast.walk(definition(member)):
                if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name):
                    store = name == "__init__" and isinstance(n.ctx, ast.Store)
                    if store and n.attr in inspect.signature(member).parameters:
                        kept.add(n.attr)
                    elif not store and name not in ("extra_repr", "__repr__"):
                        read.add(n.attr)
    return kept, read


def test_every_option_that_is_kept_is_used():
    idle = set()
    for name, kind in public_callables():
        if inspect.isclass(kind) and inspect.isfunction(kind.__init__):
            kept, read = kept_and_read(kind)
            idle |= {f"{name}.{option}" for option in kept - read}
    assert idle == SHOWN


class Ignores:
    def __init__(self, used, kept, dropped=None):
        self.used, self.kept = used, kept

    def show(self):
        return self.used


def test_an_ignored_option_is_found(monkeypatch):
    assert unread(definition(Ignores.__init__)) == ["dropped"]
    monkeypatch.setattr(Ignores.__init__, "__module__", "minigrad")
    monkeypatch.setattr(Ignores.show, "__module__", "minigrad")
    assert kept_and_read(Ignores) == ({"used", "kept"}, {"used"})


class Net(nn.Module):
    def __init__(self, width, depth=2):
        super().__init__()


class Anything(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.options = options


class Pair(data.Dataset, tuple):
    """A class between whose own `__new__` takes arguments."""


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nn.Conv2d(3, 4, 3, strides=2), "Conv2d has no option 'strides'; near it: stride;"),
        (lambda: nn.Linear(3, 2, device="cpu"), "it takes in_features, out_features, bias, dtype"),
        (lambda: nn.Sigmoid(inplace=True), "Sigmoid has no option 'inplace'; it takes no options"),
        (lambda: optim.SGD([mg.ones(1)], foreach=True), "SGD has no option 'foreach'; it takes"),
        (lambda: optim.Adam([mg.ones(1)], beta=0.9), "near it: betas"),
        (lambda: optim.lr_scheduler.StepLR(None, stepsize=1), "near it: step_size"),
        (lambda: optim.lr_scheduler.ReduceLROnPlateau(None, epsilon=1), "near it: eps"),
        (lambda: optim.GradScaler(growth=2), "near it: growth_factor, growth_interval"),
        (lambda: data.DataLoader(None, batchsize=2), "near it: batch_size"),
        (lambda: data.DataLoader(None, collate_fn=len), "'collate_fn'; it takes dataset, batch_"),
        (lambda: data.TensorDataset(tensors=3), "TensorDataset has no option 'tensors'"),
        (lambda: data.RandomCrop(3, padding=2), "RandomCrop has no option 'padding'; it takes"),
        (lambda: Net(3, dept=4), "Net has no option 'dept'; near it: depth; it takes width, depth"),
        (lambda: F.dropout(mg.ones(2), train=False), "unexpected keyword argument 'train'"),
        (lambda: mg.tensor(1.0, require_grad=True), "unexpected keyword argument 'require_grad'"),
    ],
)
def test_an_unknown_option_is_answered_with_those_there_are(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_a_class_of_ones_own_takes_what_it_says():
    assert Anything(depth=3).options == {"depth": 3}
    assert Net(depth=3, width=2).training
    assert Pair((1, 2)) == (1, 2)
    assert list(inspect.signature(nn.Linear).parameters) == [
        "in_features", "out_features", "bias", "dtype"]  # fmt: skip
