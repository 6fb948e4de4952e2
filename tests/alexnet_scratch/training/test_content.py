"""Other images under a run are noticed and named; the same ones are known wherever they lie."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.cli import main
from alexnet_scratch.data import patterns
from alexnet_scratch.training import content
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.provenance import computed_otherwise
from minigrad.serialization import load_file, load_metadata, save_file

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def begun(
    tmp_path_factory: pytest.TempPathFactory, colours: Path, narrow_flags: list[str]
) -> Path:
    """folder, set: the colours as a folder and as a prepared set; folder-run, set-run: their
    runs."""
    base = tmp_path_factory.mktemp("begun")
    shutil.copytree(colours, base / "folder")
    assert main(["prepare", str(colours), str(base / "set"), "--image-size", "72"]) == 0
    for kind in ("folder", "set"):
        flags = [*narrow_flags, "--out", str(base / f"{kind}-run"), "--max-steps", "1"]
        assert main(["train", str(base / kind), *flags]) == 0
    return base


@pytest.fixture
def work(tmp_path: Path, begun: Path) -> Path:
    """A copy of it all, in another place."""
    return shutil.copytree(begun, tmp_path / "moved")


def resume(work: Path, data: str, run: str, *flags: str) -> int:
    command = ["train", str(work / data), "--resume", str(work / run), "--max-steps", "2"]
    return main([*command, *flags])


def rename(old: str, new: str) -> Callable[[Path], object]:
    return lambda work: (work / old).rename(work / new)


def prepared_from(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """The set prepared again from other images."""

    def again(work: Path) -> None:
        change(work)
        shutil.rmtree(work / "set")
        command = ["prepare", str(work / "folder"), str(work / "set"), "--image-size", "72"]
        assert main(command) == 0

    return again


def blacken(work: Path) -> None:
    from PIL import Image

    Image.new("RGB", (72, 72)).save(work / "folder/val/red/red_1.png")


def swap(work: Path) -> None:
    """One file in the place of another of that class, as many as before."""
    (work / "folder/train/blue/blue_3.png").unlink()
    shutil.copy(work / "folder/train/red/red_0.png", work / "folder/train/blue/blue_99.png")


@pytest.mark.parametrize("kind", ["folder", "set"])
def test_a_moved_folder_is_the_same(work: Path, kind: str, capsys: Capture) -> None:
    assert resume(work, kind, f"{kind}-run") == 0
    assert "other data" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "change", "named"),
    [
        ("folder", swap, "train/blue/blue_3.png is gone (the first of 2 differences)"),
        ("folder", rename("folder/val/red/red_0.png", "folder/val/red/x.png"),
         "val/red/red_0.png is gone (the"),
        ("folder", rename("folder/train/red/red_0.png", "folder/val/red/x.png"),
         "train/red/red_0.png is gone"),
        ("folder", blacken, "val/red/red_1.png is "),
        ("set", prepared_from(swap), "train/blue/blue_3.png is gone (the"),
        ("set", prepared_from(blacken), "val.images is sha256"),
        ("set", lambda work: shutil.copytree(work / "folder", work / "set", dirs_exist_ok=True)
         and [file.unlink() for file in (work / "set").iterdir() if file.is_file()],
         "the data is a folder of images, was a prepared set of 72 pixels (crop)"),
        ("folder", lambda work: shutil.rmtree(work / "folder") or rename("set", "folder")(work),
         "the data is a prepared set of 72 pixels (crop), was a folder of images"),
    ],
)  # fmt: skip
def test_other_images_are_refused_and_named(
    work: Path, kind: str, change: Callable[[Path], object], named: str, capsys: Capture
) -> None:
    before = (work / f"{kind}-run/last.safetensors").read_bytes()
    change(work)
    assert resume(work, kind, f"{kind}-run") == 2
    said = capsys.readouterr().err
    assert f"not those that the run was trained on: {named}" in said
    assert "--accept-changed-data" in said
    assert (work / f"{kind}-run/last.safetensors").read_bytes() == before
    assert resume(work, kind, f"{kind}-run", "--accept-changed-data") == 0
    assert f"Going on with other data than before: {named}" in capsys.readouterr().out
    assert resume(work, kind, f"{kind}-run") == 0  # they are the run's own now


def test_labels_and_class_names_of_a_set_count(work: Path, capsys: Capture) -> None:
    described = json.loads((work / "set/set.json").read_text())
    described["classes"][0]["name"] = "tench"
    del described["sha256"], described["files"]  # as an older set, which nobody checks
    (work / "set/set.json").write_text(json.dumps(described))
    assert resume(work, "set", "set-run") == 2
    assert "class blue is tench, was blue" in capsys.readouterr().err
    labels = np.load(work / "set/val.labels.npy")
    labels[0] = 2
    np.save(work / "set/val.labels.npy", labels)
    assert resume(work, "set", "set-run") == 2
    assert "the first of 2 differences" in capsys.readouterr().err


def change_data(run: Path, **changes: Any) -> None:
    """Other entries in what a checkpoint says about its data."""
    path = run / "last.safetensors"
    metadata = load_metadata(path)
    data = {**json.loads(metadata["data"]), **changes}
    kept = {name: value for name, value in data.items() if value is not None}
    save_file(load_file(path), path, {**metadata, "data": json.dumps(kept)})


@pytest.mark.parametrize("listing", ["", "no base64", "AAAA", "eJxLBAAAQgBC"])
def test_without_a_listing_it_is_refused_all_the_same(
    work: Path, listing: str, capsys: Capture
) -> None:
    change_data(work / "folder-run", listing=listing)
    swap(work)
    assert resume(work, "folder", "folder-run") == 2
    assert "36 training images as before, but other files" in capsys.readouterr().err


def test_a_run_of_an_older_version_knows_the_names(work: Path, capsys: Capture) -> None:
    change_data(work / "folder-run", listing=None, checksum=None)
    blacken(work)
    assert resume(work, "folder", "folder-run") == 0
    change_data(work / "folder-run", listing=None, checksum=None)
    swap(work)
    assert resume(work, "folder", "folder-run") == 2
    assert "36 training images as before, but other files" in capsys.readouterr().err


def test_a_long_listing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [(f"train/{i}", "1 bytes") for i in range(100)]
    assert content.noted(facts, "x")["listing"]
    monkeypatch.setattr(content, "MOST", 50)
    noted = content.noted(facts, "x")
    assert noted["listing"] == ""
    assert noted["checksum"].startswith("sha256 of x ")


def test_a_listing_that_unpacks_without_end_is_cut(work: Path) -> None:
    now = content.noted([("a", "b")], "x")["listing"]
    bomb = content.noted([("a" * 10**8, "b")], "x")["listing"]
    assert content.difference(bomb, now).endswith("is gone (the first of 2 differences)")


def test_drawn_patterns_count_by_name(
    tmp_path: Path, narrow_flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path))
    folder = patterns.ensure(tmp_path, 4, 2, progress=False)
    monkeypatch.setattr(patterns, "ensure", lambda: folder)
    run = tmp_path / "run"
    assert main(["train", *narrow_flags, "--out", str(run), "--max-steps", "1"]) == 0
    assert load_checkpoint(run / "last.safetensors").data["checksum"].startswith("sha256 of names ")


def test_what_computes_otherwise_is_told() -> None:
    blas = [{"architecture": "Haswell"}]
    start = {"device": "cpu", "threads": 2, "blas": blas}
    assert computed_otherwise(None, start) is None
    assert computed_otherwise({**start, "more": 1}, start) is None
    assert computed_otherwise({}, start) is None  # an older run's
    other = {"device": "cuda:0", "threads": 4, "blas": [{"architecture": "Zen"}]}
    assert computed_otherwise({**start, "resumed": [start, other]}, start) == (
        "Computed with device cpu (before: cuda:0), threads 2 (before: 4), BLAS kernels Haswell "
        "(before: Zen): the numbers are those of an uninterrupted run to rounding, not to the bit."
    )


def test_a_run_goes_on_with_other_threads_to_rounding(
    work: Path, narrow_flags: list[str], capsys: Capture
) -> None:
    threads = mg.get_num_threads()
    try:
        mg.set_num_threads(1)
        for name, more in (("whole", []), ("parts", ["--max-steps", "7"])):
            flags = [*narrow_flags, "--out", str(work / name)]
            assert main(["train", str(work / "set"), *flags, *more]) == 0
        mg.set_num_threads(3)
        assert main(["train", "--resume", str(work / "parts")]) == 0
    finally:
        mg.set_num_threads(threads)
    assert "Computed with threads 3 (before: 1)" in capsys.readouterr().out
    one, other = (load_file(work / name / "last.safetensors") for name in ("whole", "parts"))
    for name, tensor in one.items():
        np.testing.assert_allclose(other[name].numpy(), tensor.numpy(), rtol=1e-3, atol=1e-4)


def test_a_longer_run_says_what_becomes_of_its_rate(
    work: Path, narrow_flags: list[str], capsys: Capture
) -> None:
    run = work / "long"
    flags = [*narrow_flags, "--warmup-steps", "0", "--out", str(run), "--epochs", "1"]
    for schedule, said in (
        ("cosine", r"goes up from 0\.\d+ to 0\.\d+\."), ("constant", r"goes on at 0\.01\."),
    ):  # fmt: skip
        assert main(["train", str(work / "set"), *flags, "--schedule", schedule]) == 0
        assert main(["train", "--resume", str(run), "--epochs", "3", "--max-steps", "6"]) == 0
        text = f"The schedule is that of 3 epochs now: the rate {said}"
        assert re.search(text, capsys.readouterr().out)
        shutil.rmtree(run)


@pytest.mark.parametrize("text", ["[]", "[" * 100_000, '{"resumed": 3}', '{"resumed": [[]]}', "{"])
def test_a_damaged_run_json_does_not_end_a_run(work: Path, text: str) -> None:
    (work / "folder-run/run.json").write_text(text)
    assert resume(work, "folder", "folder-run") == 0
