"""README's programs run as they stand there, and its lines are short."""

import re
from pathlib import Path

import pytest

import minigrad as mg
from minigrad.nn import functional as F

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def program(word):
    (found,) = [text for text in PROGRAMS if word in text]
    return found


def test_the_tour_of_gradients_runs(capsys):
    names = {}
    exec(program("mg.gradcheck(loss, weight)"), names)
    assert capsys.readouterr().out.split("\n")[:2] == ["(16, 3, 5, 5)", "True"]
    exec(program("class Square"), names)


def test_a_check_of_two_inputs_is_shown_as_it_is_called():
    call = re.search(r"`(mg\.gradcheck\(F\.linear, .*?)`", README)[1]
    sizes = {"x": (4, 3), "weight": (2, 3), "bias": (2,)}
    names = {
        name: mg.randn(*size, dtype="float64", requires_grad=True) for name, size in sizes.items()
    }
    assert eval(call, {"mg": mg, "F": F}, names) is True


def test_the_lenet_learns_the_digits_and_is_loaded_again(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    text = program("load_digits")
    assert len([line for line in text.splitlines() if line.strip()]) <= 35
    exec(text, {})
    *epochs, said = capsys.readouterr().out.splitlines()
    assert len(epochs) == 10
    assert float(said.split("%")[0]) > 85
    assert (tmp_path / "lenet.safetensors").exists()


def test_lines_are_at_most_120_wide():
    lines = README.splitlines()
    assert [x for x in lines if len(x) > 120 and "](" not in x and not x.startswith("|")] == []


def test_one_version_is_named_everywhere():
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    newest = re.search(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert cited[1] == newest[1] == mg.__version__
