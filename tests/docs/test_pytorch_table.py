"""docs/pytorch.md says of every name whether both libraries have it, and is right."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_complete_and_right(section):
    ours, text = found(section), SECTIONS[section][1]
    there, own, absent = (listed(text, word) for word in ("There", "minigrad's own", "Not there"))
    assert there
    assert sorted(there + own) == sorted(public(ours))
    assert not [name for name in absent if hasattr(ours, name)]
    for words in (there, own, absent):
        assert words == sorted(set(words)), "in alphabetical order, each once"
    for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE):
        assert set(re.findall(r"`([^`]+)`", row)) <= {*there, *own}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_right_about_pytorch(section):
    pytest.importorskip("torch")
    theirs, text = found(SECTIONS[section][0]), SECTIONS[section][1]
    for word, expected in (("There", True), ("minigrad's own", False), ("Not there", True)):
        wrong = [name for name in listed(text, word) if hasattr(theirs, name) is not expected]
        assert not wrong, word


def test_every_room_has_a_section():
    assert {"minigrad.nn", "minigrad.nn.Module", "minigrad.optim"} <= set(SECTIONS)
