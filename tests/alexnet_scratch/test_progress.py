"""The progress bar, and that data needs nothing of training to have one."""

import ast
import contextlib
import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import alexnet_scratch
from alexnet_scratch.progress import (
    EVERY,
    duration,
    progress_bar,
    quantity,
    say,
    told_if_slow,
    wrapped,
)


def test_no_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("work", 3, 1) as bar:
        bar.update(2)
        say("a line")
    assert capsys.readouterr() == ("a line\n", "")


def test_lines_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    with progress_bar("evaluation", 50_000, 1_000, "images") as bar:
        for _ in range(10):
            clock += 7.0
            bar.update(196)
    # Half a minute is over at 35 s and at 70 s.
    assert capsys.readouterr().err.splitlines() == [
        "evaluation: 1,980 of 50,000 images (4%), 28 images/s, 29 min left",
        "evaluation: 2,960 of 50,000 images (6%), 28 images/s, 28 min left",
    ]
    told: list[str] = []
    with progress_bar("fetching", 0, 0, "bytes", told.append) as bar:
        clock += EVERY
        bar.update(15)
    assert told == ["fetching: 15 bytes, 0.5 bytes/s"]


def test_slow_work_without_a_bar_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    with told_if_slow("Looking around", told.append):
        pass
    monkeypatch.setattr("alexnet_scratch.progress.SILENT", 0.0)
    with told_if_slow("Looking around", told.append):
        deadline = time.monotonic() + 60
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)
    assert told == ["Looking around ..."]
    monkeypatch.setattr("threading.Thread.start", no_thread)
    with told_if_slow("In a browser"):
        assert capsys.readouterr().out == "In a browser ...\n"


def no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_durations_and_rates_as_people_say_them() -> None:
    seconds = (0.4, 59, 61, 660, 19_200, 3 * 86_400 + 3_600)
    said = ["0 s", "59 s", "1 min", "11 min", "5 h 20 min", "3 d 1 h"]
    assert [duration(s) for s in seconds] == said
    assert [quantity(r) for r in (0.52, 7.31, 28.4, 1234)] == ["0.52", "7.3", "28", "1,234"]


def on_a_terminal(columns: int, code: str) -> str:
    """What a program writes to a terminal of so many columns."""
    pty, fcntl, termios = map(pytest.importorskip, ("pty", "fcntl", "termios"))
    end, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    root = Path(alexnet_scratch.__file__).parents[1]
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=its, stderr=its, cwd=root, env=env
    ) as process:
        os.close(its)
        said = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while chunk := os.read(end, 4096):
                said += chunk
    os.close(end)
    assert process.returncode == 0, said
    return said.decode()


def test_a_command_to_paste_is_not_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "Saved in epoch 2, step 30. Go on with: alexnet train --resume runs/imagenette-small"
    assert wrapped(line) == line  # a pipe
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert wrapped(line).splitlines() == [
        "Saved in epoch 2, step 30. Go on with:",
        "  alexnet train --resume runs/imagenette-small",
    ]


def test_a_bar_says_what_is_left_of_the_epoch_and_of_the_run_in_80_columns() -> None:
    code = """
import time
from alexnet_scratch.progress import progress_bar, say
with progress_bar("epoch 13/30", 100) as bar:
    time.sleep(0.2)
    bar.update(10)
    bar.set_postfix_str("run 5 h 20 min, loss 2.123, top-1 34.5%, 28/s")
    say("a long line of words " * 9 + "/a/path/that/stays/whole/and/in/one/piece")
"""
    lines = on_a_terminal(80, code).replace("\r", "\n").splitlines()
    assert all(len(line) <= 80 for line in lines)
    bar, *_ = (line for line in lines if "10%" in line and "28/s" in line)
    assert re.search(r"10%\|.+\| 00:0\d left, run 5 h 20 min, loss 2.123, top-1 34.5%, 28/s$", bar)
    assert any("/a/path/that/stays/whole/and/in/one/piece" in line for line in lines)


def test_data_does_not_import_training() -> None:
    folder = Path(alexnet_scratch.__file__).parent / "data"
    files = sorted(folder.rglob("*.py"))
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert "training" not in (node.module or "").split("."), file
