"""docs/pytorch.md says of every name whether both libraries have it, and is right."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import minigrad as mg

PAGE = (Path(__file__).resolve().parents[2] / "docs/pytorch.md").read_text("utf-8")
SECTIONS = {
    ours: (theirs, text)
    for ours, theirs, text in re.findall(
        r"^## `(minigrad[\w.]*)` and `(torch[\w.]*)`\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S
    )
}


def found(path):
    """A module, or a class in one."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)


def public(owner):
    """The names that are for users: `__all__`, a class's members, or what a module defines."""
    if inspect.isclass(owner):
        return {name for name in dir(owner) if not name.startswith("_")}
    defined = (
        name
        for name, value in vars(owner).items()
        if getattr(value, "__module__", None) == owner.__name__ and not name.startswith("_")
    )
    return set(getattr(owner, "__all__", None) or defined)


def listed(text, word):
    """The names in the paragraph that begins with this word."""
    paragraph = re.search(rf"^\*\*{word}:\*\*(.*?)\n\n", text + "\n\n", re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`]+)`", paragraph[1]) if paragraph else []


def rows(text):
    """The table's rows: the names, and what differs."""
    for names, said in re.findall(r"^\| (`.*?) \| (.*) \|$", text, re.MULTILINE):
        yield re.findall(r"`([^`]+)`", names), said


def refused(said):
    """The options that a row says are not there: "no `a` and no `b`; ...", "no `a`, `b`"."""
    parts = [part for part in re.split("; ?", said) if part.startswith("no ")]
    return re.findall(r"`(\w+)", " ".join(parts))


def options(value):
    """The names of what a function or class takes; none for a tensor's attributes."""
    return set(inspect.signature(value).parameters) if callable(value) else set()


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_complete_and_right(section):
    ours, text = found(section), SECTIONS[section][1]
    there, own, absent = (listed(text, word) for word in ("There", "minigrad's own", "Not there"))
    assert there
    assert sorted(there + own) == sorted(public(ours))
    assert not [name for name in absent if hasattr(ours, name)]
    for words in (there, own, absent):
        assert words == sorted(set(words)), "in alphabetical order, each once"
    for names, said in rows(text):
        assert set(names) <= {*there, *own}
        assert not [(name, option) for name in names for option in refused(said)
                    if option in options(getattr(ours, name))]  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_right_about_pytorch(section):
    pytest.importorskip("torch")
    theirs, text = found(SECTIONS[section][0]), SECTIONS[section][1]
    for word, expected in (("There", True), ("minigrad's own", False), ("Not there", True)):
        wrong = [name for name in listed(text, word) if hasattr(theirs, name) is not expected]
        assert not wrong, word


def test_every_room_has_a_section():
    rooms = ["Tensor", "nn", "nn.Module", "nn.functional", "optim", "data", "cuda"]
    assert {"minigrad", *(f"minigrad.{room}" for room in rooms)} <= set(SECTIONS)
    assert sum(bool(refused(said)) for _, text in SECTIONS.values() for _, said in rows(text)) > 12


def test_the_gradient_penalty_gives_every_parameter_its_gradient():
    (code,) = (part for part in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "mg.hvp" in part)
    critic = mg.nn.Sequential(mg.nn.Linear(2, 4), mg.nn.Tanh(), mg.nn.Linear(4, 1))
    exec(code, {"mg": mg, "critic": critic})
    shapes = [(parameter.shape, parameter.grad.shape) for parameter in critic.parameters()]
    assert all(own == grad for own, grad in shapes)
    assert critic[0].weight.grad.abs().max().item() > 0
    assert critic[2].bias.grad.item() == 0  # no gradient by x depends on it
