"""Names of files and classes, whatever they hold: in lines, in shells, in pictures, in files."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from alexnet_scratch.cli import main
from alexnet_scratch.names import (
    did_you_mean,
    file_name,
    in_shell,
    one_line,
    program,
    short_names,
)
from alexnet_scratch.training.log import Log
from alexnet_scratch.training.metrics import EpochMetrics
from alexnet_scratch.training.plot import draw_curves

Capture = pytest.CaptureFixture[str]
LATIN1 = os.fsdecode(b"r\xe9\xff")
# Not UTF-8, mathematics to Matplotlib, a newline, long, right-to-left, turned around, a terminal's.
NAMES = [
    LATIN1, "$\\foo$ a$^$b", "two\nlines", "x" * 200, "שלום",
    "a\u202eb", "\x1b[2Jgone", "-rf", "猫 é",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LATIN1, "r\\xe9\\xff"), ("two\nlines", "two\\nlines"), ("\x1b[2J", "\\x1b[2J"),
        ("a\u202eb", "a\\u202eb"), ("שלום 猫 é $x$", "שלום 猫 é $x$"), ("\ud800", "\\ud800"),
        ("emoji \U0001f469\u200d\U0001f680", "emoji \U0001f469\u200d\U0001f680"),
    ],
)  # fmt: skip
def test_a_name_in_a_line(text: str, expected: str) -> None:
    assert one_line(text) == expected
    assert one_line(expected) == expected


@pytest.mark.parametrize("name", [*NAMES, "it's", "a b"])
def test_a_name_in_a_shell_is_that_name_again(name: str) -> None:
    command = ["bash", "-c", f"printf %s {in_shell(name)}"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert os.fsdecode(done.stdout) == name


def test_hints_name_the_program_as_it_can_be_called_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for environment in ("mine", "other"):
        (tmp_path / environment).mkdir()
        (tmp_path / environment / "alexnet").write_text("#!/bin/sh\n")
        (tmp_path / environment / "alexnet").chmod(0o755)
    typed = str(tmp_path / "mine/alexnet")
    monkeypatch.setattr("sys.argv", [typed])
    for path, expected in (("/nowhere", typed), (f"{tmp_path}/other", typed)):
        monkeypatch.setenv("PATH", path)
        assert program() == expected
    monkeypatch.setenv("PATH", f"{tmp_path}/mine")
    assert program() == "alexnet"
    monkeypatch.setattr("sys.argv", ["/site-packages/alexnet_scratch/__main__.py"])
    assert program() == "alexnet"


def test_a_file_may_be_called_after_any_name() -> None:
    names = [file_name(f"{name}-small") for name in NAMES]
    assert names[:3] == ["r-small", "foo-a-b-small", "two-lines-small"]
    assert all(len(name.encode()) <= 60 and shlex.quote(name).strip("'") == name for name in names)
    assert file_name("../../etc") == "etc"
    assert file_name("$") == file_name("..") == ""


def test_names_are_cut_at_the_comma_where_they_stay_apart() -> None:
    names = ["tench, Tinca tinca", "maillot", "maillot, tank suit", ", odd"]
    assert short_names(names) == ["tench", "maillot", "maillot, tank suit", ", odd"]
    assert did_you_mean("steps", ["step", "cosine"]) == "; did you mean step?"
    assert did_you_mean("qqq", ["step"]) == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_log_takes_any_name_in_one_line(name: str, tmp_path: Path, capsys: Capture) -> None:
    Log(tmp_path / "log.txt").say(f"Skipped: {name}")
    (line,) = (tmp_path / "log.txt").read_text("utf-8").splitlines()
    assert line.endswith(f"  Skipped: {one_line(name)}")
    assert capsys.readouterr().out == f"Skipped: {one_line(name)}\n"


@pytest.mark.parametrize("name", NAMES)
def test_curves_take_any_name(name: str, tmp_path: Path) -> None:
    row = EpochMetrics(1, 2.0, 0.1, 2.0, 0.1, 0.5, 0.01, 10.0, 1.0)
    draw_curves(tmp_path / "curves.png", [row], 3, name)
    assert (tmp_path / "curves.png").stat().st_size > 1000


@pytest.mark.parametrize(
    "name",
    # The others in the slow set: three seconds each.
    [
        pytest.param(name, marks=[pytest.mark.slow] * (number > 2))
        for number, name in enumerate(name for name in NAMES if name != "-rf")
    ],
)
def test_every_command_takes_any_name(
    name: str, tmp_path: Path, colours: Path, narrow_flags: list[str], capsys: Capture,
) -> None:  # fmt: skip
    """As a run's folder, a data folder, a class, a good and a bad image, a set, a report."""
    data = shutil.copytree(colours, tmp_path / name)
    for split in ("train", "val"):
        shutil.move(data / split / "red", data / split / name)
    bad = data / "val" / name / f"{name}.png"
    bad.write_bytes(b"x")
    run, report = tmp_path / f"{name}-run", tmp_path / f"{name}-report"
    for i in range(100, 500):  # one bad image is below the limit then
        shutil.copy(data / "val/blue/blue_0.png", data / f"val/blue/{i}.png")
    flags = [*narrow_flags, "--epochs", "1", "--out", str(run)]
    assert main(["train", str(data), *flags]) == 0
    assert one_line(f"Skipped, cannot be read: {bad}") in capsys.readouterr().out
    assert one_line(str(bad)) in (run / "log.txt").read_text("utf-8")
    assert main(["evaluate", str(run), "--report", str(report)]) == 0
    image = data / "train" / name / f"{name}.png"
    Image.new("RGB", (72, 72), (200, 50, 40)).save(image)
    assert main(["predict", str(run), str(image)]) == 0
    bad.unlink()
    made = tmp_path / f"{name}-set"
    assert main(["prepare", str(data), str(made), "--image-size", "72"]) == 0
    for command in (["stats", str(made)], ["show-augment", str(made), *narrow_flags[4:8]]):
        flag = "--plot" if command[0] == "stats" else "--out"
        assert main([*command, flag, str(tmp_path / f"{name}.png")]) == 0
    assert main(["doctor", str(made), *narrow_flags[:-4]]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    out.encode()


def test_save_file_says_what_is_no_unicode(tmp_path: Path) -> None:
    path = tmp_path / LATIN1
    mg.save_file({"x": np.zeros(1)}, path, {"name": "猫"})
    assert mg.load_file(path)["x"].shape == (1,)
    for tensors, metadata in (({LATIN1: np.zeros(1)}, {}), ({}, {"k": LATIN1}), ({}, {LATIN1: ""})):
        with pytest.raises(ValueError, match=r"no Unicode text .*store json.dumps\(\)"):
            mg.save_file(tensors, path, metadata)
