"""`alexnet doctor`: what it says of an installation, of data, and of a recipe's start."""

import hashlib
import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.commands import doctor
from alexnet_scratch.data import ImageFolder, patterns
from alexnet_scratch.data.statistics import measure, save_statistics
from minigrad import arrays
from minigrad.cuda import device, diagnosis

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small patterns."""
    folder = tmp_path_factory.mktemp("patterns") / "few"
    return patterns.generate(folder, train=4, val=1, size=72, progress=False)


def said(capsys: Capture, *arguments: str) -> str:
    assert main(["doctor", *arguments]) == 0
    return capsys.readouterr().out


def failure(capsys: Capture, *arguments: str) -> str:
    assert main(["doctor", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def pack(source: Path, out: Path) -> Path:
    """The folder's images as a prepared set, in the format's own words."""
    out.mkdir()
    splits = {}
    for split in ("train", "val"):
        files = sorted((source / split).rglob("*.jpg"))
        classes = sorted({file.parent.name for file in files})
        pixels = np.stack([ImageFolder(source / split, None, 72)[i][0]
                           for i in range(len(files))])  # fmt: skip
        (out / f"{split}.images").write_bytes(pixels.tobytes())
        np.save(
            out / f"{split}.labels.npy", np.int32([classes.index(f.parent.name) for f in files])
        )
        names = "".join(f"{f.parent.name}/{f.name}\n" for f in files)
        (out / f"{split}.names.txt").write_text(names)
        sha256 = hashlib.sha256(pixels.tobytes()).hexdigest()
        splits[split] = {"images": len(files), "sha256": sha256}
        if split == "train":
            save_statistics(measure(pixels), out)
    described = {
        "format": "alexnet-packed", "version": 1, "image_size": 72, "resize": "crop",
        "source": "few", "layout": "folder", "splits": splits,
        "classes": [{"id": name, "name": name} for name in classes],
    }  # fmt: skip
    (out / "set.json").write_text(json.dumps(described))
    return out


def test_the_small_recipe_has_nothing_against_it(
    few: Path, narrow_flags: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "ensure", lambda: few)
    text = said(capsys, *narrow_flags)
    for line in ("Python ", "NumPy ", "BLAS ", "CuPy ", "GPU ", "memory ", "disk "):
        assert f"\n  {line}" in text or (line == "GPU " and device.why_not() is None)
    assert "recipe small, 32 images of drawn patterns" in text
    for layer in ("conv1", "lrn1", "conv5", "fc6", "fc8"):
        assert f"\n  {layer} " in text
    assert "ln(10) = 2.303" in text
    assert text.rstrip().endswith("Fine: nothing in this start speaks against learning.")


def test_the_papers_recipe_gets_advice(few: Path, narrow_flags: list[str], capsys: Capture) -> None:
    text = said(capsys, str(few), "--recipe", "paper", *narrow_flags)
    assert "train        40 images of 10 classes, 4 of each" in text
    assert "val          10 images of 10 classes, 1 of each" in text
    assert "The image does not reach the classes" in text
    assert "Fine" not in text


def test_folders_are_counted(colours: Path, tmp_path: Path) -> None:
    plain = shutil.copytree(colours / "train", tmp_path / "plain")
    (plain / "red" / "red_0.png").unlink()
    assert dict(doctor._data(plain)) == {
        "layout": "a folder of images; `alexnet prepare` makes one that loads faster",
        "train": "35 images of 3 classes, from 11 (red) to 12 (blue)",
        "val": "none: a share of the training images is held out (--val-fraction)",
    }


def test_a_prepared_set_is_checked(
    few: Path, tmp_path: Path, narrow_flags: list[str], capsys: Capture
) -> None:
    packed = pack(few, tmp_path / "packed")
    text = said(capsys, str(packed), *narrow_flags)
    assert "a prepared set, from few (folder)" in text
    assert "train        40 images of 10 classes, 4 of each" in text
    assert "checksum     right" in text
    assert f"32 images of {packed}" in text
    images = packed / "train.images"
    images.write_bytes(b"\1" + images.read_bytes()[1:])
    assert "train.images: damaged" in failure(capsys, str(packed), *narrow_flags)


def test_a_prepared_set_too_small_for_the_recipe_is_refused(
    few: Path, tmp_path: Path, capsys: Capture
) -> None:
    packed = pack(few, tmp_path / "packed")
    assert "images of 72 pixels" in failure(capsys, str(packed))


def test_what_cannot_be_used_is_told_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    assert "no such folder" in failure(capsys, str(tmp_path / "nowhere"))
    assert "device 'tpu' is unknown" in failure(capsys, "--device", "tpu")
    assert "alexnet: use small" in failure(capsys, "--recipe", "alexnet")


def test_why_there_is_no_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for asked in ("", "device 'cuda' was asked for, but "):
        monkeypatch.setattr(device, "why_not", lambda asked=asked: f"{asked}no driver")
        assert dict(doctor._installation())["GPU"] == "none to be used: no driver"


def test_gpus_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = SimpleNamespace(
        driverGetVersion=lambda: 13010,
        runtimeGetVersion=lambda: 12090,
        getDeviceCount=lambda: 1,
        memGetInfo=lambda: (3 * 10**9, 80 * 10**9),
        getDeviceProperties=lambda index: {"name": b"H100"},
    )
    cuda = SimpleNamespace(runtime=runtime, Device=lambda index: nullcontext())
    monkeypatch.setattr(device, "why_not", lambda: None)
    monkeypatch.setattr(arrays, "to_device", lambda array, device: array)
    monkeypatch.setattr(arrays, "array_module", lambda array: SimpleNamespace(cuda=cuda))
    one = diagnosis.Facts({"cupy-cuda13x": "14.2.0"}, 13010, gpus=(("H100", 90),))
    monkeypatch.setattr(diagnosis, "look", lambda: one)
    rows = {
        "CUDA": "driver for 13.1, runtime 12.9",
        "cuda:0": "H100, 3.0 GB of 80.0 GB free",
    }
    assert dict(doctor._gpus()) == rows
    two = replace(one, packages={**one.packages, "cupy-cuda12x": "14.2.0"})
    monkeypatch.setattr(diagnosis, "look", lambda: two)
    assert dict(doctor._gpus()).keys() - rows.keys() == {"advice"}
