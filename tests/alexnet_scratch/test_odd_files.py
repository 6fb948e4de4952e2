"""Pipes, sockets, devices and loops of links where files are expected: a line, and no waiting."""

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from alexnet_scratch.cli import main

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no pipes there")


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    """A wait for a pipe ends the test."""

    def rings(*_: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, rings)
    signal.setitimer(signal.ITIMER_REAL, 60)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


ODD: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "loop": lambda path: path.symlink_to(path.name),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: path.symlink_to("none"),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set in `data`; the current folder, whose path a socket can have."""
    for split in ("train", "val"):
        for colour in ("red", "green", "blue"):
            (tmp_path / "data" / split / colour).mkdir(parents=True)
            for i in range(2):
                image = Image.effect_noise((72, 72), 90).convert("RGB")
                image.save(tmp_path / "data" / split / colour / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_file_as_an_argument_is_told(
    here: Path, kind: str, capsys: pytest.CaptureFixture[str], narrow_flags: list[str]
) -> None:
    assert main(["train", "data", "--out", "run", *narrow_flags, "--epochs", "1"]) == 0
    ODD[kind](Path("odd.png"))
    for command in (
        "predict run odd.png", "predict odd.png data/val/red/0.png", "prepare odd.png out",
        "train odd.png --out new", "train --resume odd.png", "evaluate odd.png", "stats odd.png",
        "evaluate run --data odd.png", "doctor odd.png", "show-augment odd.png", "diff run odd.png",
        "inside odd.png", "inside run odd.png", "inside run --data odd.png",
        "inside run data/val/red/0.png --out odd.png",
        "evaluate run --data odd.png", "evaluate run odd.png", "evaluate run odd.png data",
        "report odd.png", "report run odd.png", "demo odd.png", "doctor odd.png",
        "show-augment odd.png", "diff run odd.png",
        "prepare data out --classes odd.png", "prepare data odd.png",
    ):  # fmt: skip
        capsys.readouterr()
        try:
            status = main(command.split())
        except SystemExit as end:  # a flag's value
            status = int(end.code or 0)
        said = capsys.readouterr().err
        assert status == 2, (command, said)
        assert "Traceback" not in said, command
        assert not Path("out").exists()


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("kind", ODD)
def test_an_odd_file_among_the_images_stops_nothing(
    here: Path, kind: str, split: str, capsys: pytest.CaptureFixture[str], narrow_flags: list[str]
) -> None:
    ODD[kind](Path("data") / split / "red" / "odd.png")
    assert main(["prepare", "data", "out", "--image-size", "72"]) == 0
    report = Path("out", "report.csv").read_text("utf-8")
    assert "red/odd.png," in report
    # A run takes no set of which more than one image of a hundred cannot be read.
    status = main(["train", "data", "--out", "run", *narrow_flags, "--epochs", "1"])
    said = capsys.readouterr()
    assert status == 0 or "odd.png" in said.err
    shutil.rmtree("out")
