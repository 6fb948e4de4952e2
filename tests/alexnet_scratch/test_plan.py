"""`alexnet plan` measures a run on what it would be given, and leaves nothing."""

import json
import re
import signal
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.commands import plan as command
from alexnet_scratch.data import patterns
from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training import plan as planning
from alexnet_scratch.training.plan import Plan
from alexnet_scratch.training.trainer import Trainer

FLAGS = ("--workers", "0", "--epochs", "3")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(planning, "FIRST_ESTIMATE", 3)


def planned(capsys: pytest.CaptureFixture, *words: str) -> dict[str, Any]:
    """What `alexnet plan --json` says; it has left nothing where it ran, and no temporary file."""
    assert main(["plan", *words, *FLAGS, "--json"]) == 0
    assert list(Path().iterdir()) == []
    assert list(Path("../tmp").iterdir()) == []
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_folder_is_measured_as_it_is(
    colours: Path, narrow_flags: list[str], capsys: pytest.CaptureFixture
) -> None:
    found = planned(capsys, str(colours), *narrow_flags, "--recipe", "caffe", "--keep", "4")
    assert (found["train_images"], found["val_images"], found["steps"]) == (36, 12, 15)
    assert not found["packed"]
    assert found["measured"] == 3
    assert found["seconds"] > found["statistics"] > 0 == found["preparing"]
    assert found["prepared"] == 48 * 72 * 72 * 3
    assert found["disk"] == 6 * found["checkpoint"]
    assert 0 <= found["waiting"] <= 1
    assert min(found["rate"], found["loading"], found["memory"]) > 0


def test_a_checkpoint_is_as_large_as_is_said(
    colours: Path, narrow_flags: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    found = planned(capsys, str(colours), *narrow_flags)
    run = tmp_path / "run"
    given = ["--out", str(run), "--max-steps", "1", *FLAGS]
    assert main(["train", str(colours), *narrow_flags, *given]) == 0
    size = (run / "last.safetensors").stat().st_size
    assert found["checkpoint"] < size < found["checkpoint"] + 20_000  # of metadata


def test_a_set_has_its_own_image_size(
    colours: Path, narrow_flags: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    assert main(["prepare", str(colours), str(out), "--image-size", "70"]) == 0
    capsys.readouterr()
    at = narrow_flags.index("--image-size")
    flags = narrow_flags[:at] + narrow_flags[at + 2 :]
    found = planned(capsys, str(out), *flags, "--recipe", "caffe")
    assert found["packed"]
    assert found["statistics"] == 0
    assert found["prepared"] == 48 * 70 * 70 * 3
    assert main(["plan", str(out), *narrow_flags]) == 2
    assert f"but {out} holds images of 70 pixels: leave it out" in capsys.readouterr().err


def test_of_an_archive_some_images_stand_for_all(
    colours: Path, narrow_flags: list[str], capsys: pytest.CaptureFixture, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(planning, "SAMPLE", 9)
    with tarfile.open(tmp_path / "colours.tar", "w") as tar:
        tar.add(colours, "colours")
    found = planned(capsys, str(tmp_path / "colours.tar"), *narrow_flags)
    assert (found["train_images"], found["val_images"], found["steps"]) == (36, 12, 15)
    assert found["seconds"] > found["preparing"] > 0


def test_shards_by_a_pattern_are_read_where_they_are_as_in_training(
    colours: Path, narrow_flags: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    for i in range(2):
        with tarfile.open(tmp_path / f"colours-{i}.tar", "w") as tar:
            for j, image in enumerate(sorted(colours.glob("train/*/*"))[i::2]):
                label = tmp_path / "label"
                label.write_text(image.parent.name)
                tar.add(label, f"{j:03d}.cls")
                tar.add(image, f"{j:03d}{image.suffix}")
    found = planned(capsys, str(tmp_path / "colours-{0..1}.tar"), *narrow_flags)
    assert found["train_images"] + found["val_images"] == 36
    assert not found["packed"]
    assert found["preparing"] == 0


@pytest.mark.parametrize("command", ["plan", "find-lr"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_leaves_no_temporary_folder(
    command: str, name: str, colours: Path, narrow_flags: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    number, seen = getattr(signal, name), list[int]()

    def step(*_: Any) -> None:
        seen.append(len(list((tmp_path / "tmp").iterdir())))
        if signal.getsignal(number) is not signal.SIG_DFL:  # which would end the tests
            signal.raise_signal(number)

    monkeypatch.setattr(Trainer, "try_step", step)
    assert main([command, str(colours), *narrow_flags, *FLAGS]) == 130
    assert seen == [1]
    assert not any((tmp_path / "tmp").iterdir())


def test_batches_are_computed_in_the_parts_that_are_asked_for(
    colours: Path, narrow_flags: list[str], capsys: pytest.CaptureFixture
) -> None:
    found = planned(capsys, str(colours), *narrow_flags, "--micro-batch", "4")
    assert found["memory"] > 0
    assert main(["plan", str(colours), *narrow_flags, "--micro-batch", "4", "--norm", "batch"]) == 2
    assert "--micro-batch 4: batch normalisation takes its mean" in capsys.readouterr().err


def test_what_is_no_data_is_an_error_of_one_line(capsys: pytest.CaptureFixture) -> None:
    assert main(["plan", "nothing"]) == 2
    assert "no such file or folder: nothing" in capsys.readouterr().err


SLOW = Plan(
    recipe=RECIPES["paper"], train_images=100_000, val_images=5_000, packed=False, on_cpu=True,
    steps=70_380, measured=20, rate=10.0, loading=20.0, waiting=0.5, seconds=9e5, statistics=5e3,
    preparing=0.0, memory=2_000_000_000, checkpoint=500_000_000, disk=1 << 60, prepared=10**10,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, r"Time: 10 d 10 h, validation included \(of it 1 h 23 min for the mean image\); 10"),
        ({}, r"Bound by loading: 50% of the time waiting for images; loading alone 20 images/s"),
        ({}, r"Memory: 2.00 GB"),
        ({}, r"alexnet prepare 'my photos' SET --image-size 256`, and train on SET"),
        ({}, r"Shorter: images of 128 pixels"),
        ({}, r"The disk is too small"),
        ({"packed": True}, r"more threads that load images \(--workers\)"),
        ({"waiting": 0.1}, r"Bound by computation: 10%"),
    ],
)
def test_the_words_follow_from_what_was_measured(
    changes: dict[str, Any], said: str, capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(command, "plan", lambda *_: replace(SLOW, **changes))
    assert main(["plan", "my photos"]) == 0
    assert re.search(said, capsys.readouterr().out)


def test_a_short_run_is_given_no_advice(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, colours: Path
) -> None:
    quick = replace(SLOW, seconds=600.0, waiting=0.0, disk=10)
    monkeypatch.setattr(command, "plan", lambda *_: quick)
    monkeypatch.setattr(patterns, "ensure", lambda: colours)
    assert main(["plan"]) == 0
    said = capsys.readouterr().out
    assert "Shorter" not in said
    assert "Faster" not in said

