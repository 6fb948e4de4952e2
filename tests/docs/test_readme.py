"""README's programs run as they stand there, and its lines are short."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import minigrad as mg
from alexnet_scratch.training.folder import run_name
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


COMMANDS = re.findall(r"alexnet (\w+) ([^`\n#]*)", README)


def test_every_run_that_is_evaluated_has_been_trained_before():
    """The folders that README's commands name are those that its commands make."""
    trained = {"runs/patterns-small"}  # make train
    for command, words in COMMANDS:
        words = words.split()
        if command == "train" and words and not words[0].startswith("-"):
            recipe = "transfer" if "--init-from" in words else "small"
            trained.add(f"runs/{run_name(words[0], recipe)}")
        named = {word.rstrip(",.;)") for word in words if word.startswith("runs/")}
        assert command == "train" or named <= trained, (command, words)
    assert "runs/imagenette-small" in trained


def test_training_installs_the_packages_alone_and_says_how_long_that_takes(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    asked = ["make", "--dry-run", "train", f"VENV={tmp_path}"]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "Installing minigrad and alexnet_scratch" in said
    assert "half a minute" in said
    assert "install --quiet --disable-pip-version-check -e '.'" in said


def test_every_extra_is_one_that_somebody_is_told_to_install():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    told = README + (ROOT / "Makefile").read_text("utf-8")
    told += (ROOT / "alexnet_scratch/commands/completion.py").read_text("utf-8")
    for extra, packages in setup["options.extras_require"].items():
        (package, *_) = re.findall(r"[\w-]+", packages)
        assert f"[{extra}]" in told or f"pip install {package}" in told, extra


def test_what_the_pages_fetch_is_said():
    built = (ROOT / "docs/site/build.py").read_text("utf-8")
    for host in set(re.findall(r"[\w.-]+\.jsdelivr\.net", built)):
        assert host in README


def test_lines_are_at_most_120_wide():
    lines = README.splitlines()
    assert [x for x in lines if len(x) > 120 and "](" not in x and not x.startswith("|")] == []


def test_one_version_is_named_everywhere():
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    newest = re.search(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert cited[1] == newest[1] == mg.__version__
