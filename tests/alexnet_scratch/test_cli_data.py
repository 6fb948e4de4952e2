"""`alexnet prepare` and `alexnet stats`: from a folder to a set and its figures, wrong turns."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from alexnet_scratch.cli import main
from alexnet_scratch.commands import prepare as command
from alexnet_scratch.data.packed import open_packed
from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training.input import open_splits

Capture = pytest.CaptureFixture[str]
SIZE = ["--image-size", "24"]


def failed(capsys: Capture, *arguments: Any) -> str:
    """The one line that a command which cannot be done says."""
    assert main([str(a) for a in arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_prepare_says_what_it_made(tmp_path: Path, colours: Path, capsys: Capture) -> None:
    source, out = tmp_path / "colours", tmp_path / "sets" / "set"
    shutil.copytree(colours, source)
    (source / "train" / "red" / "bad.jpg").write_bytes(b"")
    assert main(["prepare", *SIZE, str(source), str(out)]) == 0
    said = capsys.readouterr().out
    assert f"Data: {source}, folder layout, training images in train" in said
    assert f"{out}: 36 training and 12 validation images of 3 classes, " in said
    assert re.search(r"classes, 0\.\d MB\n", said)
    assert f"Skipped 1 bad file, see {out / 'report.csv'}" in said
    packed = open_packed(out)
    assert (packed.image_size, packed.source, packed.layout) == (24, "colours", "folder")


def test_what_prepare_says_is_next_can_be_done(
    tmp_path: Path, colours: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "--image-size", "72", str(colours), "set"]) == 0
    command = capsys.readouterr().out.splitlines()[-1].removeprefix("Next: alexnet ").split()
    assert command == ["train", "set", "--input-size", "64"]
    narrow = ["--widths", "8,8,8,8,8", "--fc-width", "16", "--max-steps", "1", "--device", "cpu"]
    assert main([*command, *narrow]) == 0
    assert "train with --input-size 64" in failed(capsys, "train", "set")


def test_a_part_by_flags(tmp_path: Path, colours: Path) -> None:
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("# two of them\n\nred  # the best\nblue\n")
    flags = [*SIZE, "--per-class", "2", "--resize", "squash", "--val-fraction", "0.5"]
    for classes, expected in ((str(wanted), ["blue", "red"]), ("1", ["blue"])):
        out = tmp_path / classes.replace("/", "_")
        source = str(colours / "train")
        assert main(["prepare", *flags, "--classes", classes, source, str(out)]) == 0
        packed = open_packed(out)
        assert (packed.classes, packed.resize) == (expected, "squash")
        assert packed.counts == {"train": 2 * len(expected), "val": 2 * len(expected)}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_classes_by_name_in_a_file_that_windows_wrote(tmp_path: Path, encoding: str) -> None:
    rng = np.random.default_rng(0)
    for class_id in ("n01440764", "n03000684", "n03028079"):
        for i in range(3):
            file = tmp_path / "in" / class_id / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(file)
    wanted = tmp_path / "wanted.txt"
    wanted.write_bytes("tench\r\nchurch\r\n".encode(encoding))
    flags = [*SIZE, "--classes", str(wanted), str(tmp_path / "in")]
    assert main(["prepare", *flags, str(tmp_path / "set")]) == 0
    assert open_packed(tmp_path / "set").classes == ["n01440764", "n03028079"]


def test_classes_that_are_not_there_get_a_list(
    tmp_path: Path, colours: Path, capsys: Capture
) -> None:
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("zzz\n")
    said = failed(capsys, "prepare", colours, tmp_path / "set", "--classes", wanted)
    assert "no class zzz: it has blue, green, red" in said


def test_prepare_says_what_it_takes_the_source_for(
    tmp_path: Path, colours: Path, capsys: Capture
) -> None:
    source = tmp_path / "in"
    shutil.copytree(colours / "train", source / "training_set")
    shutil.copytree(colours / "val", source / "test_set")
    (source / "training_set" / "red" / "notes.txt").write_text("no image")
    assert main(["prepare", *SIZE, str(source), str(tmp_path / "set")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        f"Data: {source}, folder layout, training images in training_set, validation images in "
        "test_set",
        "3 classes: blue, green, red",
        "Note: test_set/ serves as validation: it also chooses the best epoch",
        "Left out 1 file: training_set/red/notes.txt (not an image)",
    ]
    assert lines[-1] == f"Next: alexnet train {tmp_path / 'set'} --recipe cifar --input-size 16"
    assert "notes.txt,not an image" in (tmp_path / "set" / "report.csv").read_text()


def test_flags_may_stand_between_the_paths(tmp_path: Path, colours: Path) -> None:
    out = tmp_path / "set"
    assert main(["prepare", str(colours), *SIZE, str(out), "--seed", "1"]) == 0
    assert open_packed(out).image_size == 24


def test_download_comes_before_preparing(
    tmp_path: Path, colours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(name: str, folder: Path) -> Path:
        asked.append((name, folder))
        return colours

    monkeypatch.setattr(command, "download", download)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    flags = ["prepare", *SIZE, "--download", "imagenette-320"]
    assert main([*flags, str(tmp_path / "one")]) == 0
    assert main([*flags, "--downloads", str(tmp_path / "here"), str(tmp_path / "two")]) == 0
    assert main(["prepare", str(tmp_path / "three"), *flags[1:]]) == 0  # OUT first
    assert asked == [
        ("imagenette-320", tmp_path / "cache" / "downloads"),
        ("imagenette-320", tmp_path / "here"),
        ("imagenette-320", tmp_path / "cache" / "downloads"),
    ]
    assert open_packed(tmp_path / "one").source == "colours"


def test_wrong_turns_of_prepare(tmp_path: Path, colours: Path, capsys: Capture) -> None:
    out = tmp_path / "set"
    with pytest.raises(SystemExit, match="2"):
        main(["prepare", str(out)])
    assert "arguments are required: OUT (see" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["prepare", "--download", "imagenette"])
    assert "arguments are required: OUT (see" in capsys.readouterr().err
    both = failed(capsys, "prepare", colours, out, "--download", "imagenette")
    assert "give SOURCE and OUT, or --download" in both
    gone = failed(capsys, "prepare", tmp_path / "gone", out)
    assert "gone; expected images, in one of the forms that `alexnet prepare --help` lists" in gone
    said = failed(capsys, "prepare", colours, out, "--classes", tmp_path / "gone.txt")
    assert "expected a number, or a file" in said
    (tmp_path / "list.txt").write_text("gren\n")
    said = failed(capsys, "prepare", colours, out, "--classes", tmp_path / "list.txt")
    assert "no class gren: did you mean green" in said
    assert "expected at least 1" in failed(capsys, "prepare", colours, out, "--image-size", "0")
    assert "exists" in failed(capsys, "prepare", colours, tmp_path)
    assert not out.exists()


def test_an_interrupted_user_is_told_how_to_go_on(
    tmp_path: Path, colours: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "prepare", interrupted)
    assert main(["prepare", str(colours), str(tmp_path / "set")]) == 130
    assert "the same command goes on with it" in capsys.readouterr().err


def test_stats_prints_and_draws(tmp_path: Path, colours: Path, capsys: Capture) -> None:
    out, picture = tmp_path / "set", tmp_path / "stats.png"
    assert main(["prepare", *SIZE, str(colours), str(out)]) == 0
    capsys.readouterr()
    assert main(["stats", str(out), "--verify", "--plot", str(picture)]) == 0
    said = capsys.readouterr().out
    assert "agree with their checksums" in said
    assert "36 images (train) of 3 classes, 24 x 24 pixels, from colours" in said
    red = open_packed(out).statistics.channel_mean_0_255[0]
    table = said[said.index("channel") :].splitlines()  # below that of the classes
    row = next(line.split() for line in table if line.startswith("red"))
    assert [float(value) for value in row[1::2]] == pytest.approx([red, red / 255], abs=1e-3)
    assert "mean, 0-255" in said
    assert "variance, 0-1" in said
    assert all(len(line) <= 80 or str(tmp_path) in line for line in said.splitlines())
    with Image.open(picture) as drawn:
        assert drawn.size == (1560, 480)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["set", "stats.png"]
    said = failed(capsys, "prepare", out, tmp_path / "again")
    assert "is a prepared set already: give it to `alexnet train`" in said
    said = failed(capsys, "stats", out, "--plot", tmp_path / f"{'x' * 300}.png")
    assert f"{'x' * 300}.png: the picture cannot be written there" in said
    assert "no folder" in failed(capsys, "stats", out, "--plot", tmp_path / "gone" / "stats.png")
    capsys.readouterr()
    assert main(["stats", str(out), "--split", "val"]) == 0
    assert "12 images (val)" in capsys.readouterr().out


def test_stats_of_a_folder_are_those_of_its_set(
    tmp_path: Path, colours: Path, capsys: Capture
) -> None:
    source = tmp_path / "in"
    shutil.copytree(colours, source)
    shutil.copy(source / "train" / "red" / "red_0.png", source / "train" / "blue" / "more.png")
    Image.new("RGB", (50, 30)).save(source / "train" / "blue" / "small.png")
    Image.new("RGB", (90, 200)).save(source / "train" / "blue" / "large.png")
    (source / "train" / "red" / "notes.txt").write_text("no image")
    (source / "train" / "red" / "bad.jpg").write_bytes(b"no image")
    tables = []
    assert main(["prepare", *SIZE, str(source), str(tmp_path / "set")]) == 0
    for data in ([str(source), *SIZE], [str(tmp_path / "set")]):
        capsys.readouterr()
        assert main(["stats", *data]) == 0
        said = capsys.readouterr().out
        tables.append(said[said.index("class ") :])
        if data[0] == str(source):
            assert f"Data: {source}, folder layout, training images in train" in said
            assert "Left out 1 file: train/red/notes.txt (not an image)" in said
            assert "Cannot be read: 1: red/bad.jpg (not an image of the formats that" in said
            assert (
                f"{source}: 39 images (train) of 3 classes, 50 x 30 to 90 x 200 pixels, half with "
                "a short side of 72 or more, measured at 24 x 24"
            ) in said
    assert tables[0] == tables[1]
    assert [line.split() for line in tables[0].splitlines()[:4]] == [
        ["class", "images"], ["blue", "15"], ["green", "12"], ["red", "12"],
    ]  # fmt: skip


def test_stats_says_what_a_folder_has_not(tmp_path: Path, colours: Path, capsys: Capture) -> None:
    train = colours / "train"
    assert "no validation images there" in failed(capsys, "stats", train, "--split", "val")
    assert "a prepared set, " in failed(capsys, "stats", train, "--verify")
    assert "no such folder" in failed(capsys, "stats", tmp_path / "gone")
    assert main(["prepare", *SIZE, str(colours), str(tmp_path / "set")]) == 0
    wrong = failed(capsys, "stats", tmp_path / "set", "--image-size", "25")
    assert "was prepared with 24: leave it out" in wrong
    for size in ("0", "9999"):
        assert "expected 1 to 2048" in failed(capsys, "stats", train, "--image-size", size)


def test_prepare_tells_that_images_are_enlarged(
    tmp_path: Path, colours: Path, capsys: Capture
) -> None:
    archive = shutil.make_archive(str(tmp_path / "in"), "zip", colours)
    for size, note in (("100", True), ("72", False)):
        flags = ["--image-size", size, "--per-class", "2"]
        assert main(["prepare", archive, str(tmp_path / size), *flags]) == 0
        said = capsys.readouterr().out
        about = "images of about 72 pixels are enlarged 1.4 times to 100: --image-size 72"
        assert (about in said) == note
        told = "smaller than 100 pixels and are enlarged; half of all have a short side of 72 or"
        assert (told in said) == note
        packed = open_packed(tmp_path / size)
        images = sum(packed.counts.values())
        assert (packed.enlarged, packed.short_side) == (note * images, 72)
        small = replace(RECIPES["small"], image_size=int(size), input_size=64)
        overview = "\n".join(open_splits(tmp_path / size, small).overview)
        told = f"{images} of the {images} images were enlarged to 100 pixels, half of all from 72"
        assert (told in overview) == note


def test_a_set_lies_outside_its_source(colours: Path, tmp_path: Path, capsys: Capture) -> None:
    out = colours / "set"
    assert "lies within" in failed(capsys, "prepare", colours, out)
    assert not out.exists()
    assert "SOURCE or OUT is empty" in failed(capsys, "prepare", "", tmp_path / "set")
    huge = failed(capsys, "prepare", colours, tmp_path / "set", "--image-size", "100000")
    assert "expected at most 2048 pixels" in huge
