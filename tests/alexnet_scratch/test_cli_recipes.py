"""Every recipe on a prepared set, from images to a ten-crop evaluation, by the command alone."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet_scratch.cli import main
from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.input import flags_for, open_splits

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, colours: Path) -> Path:
    """The colours as a prepared set of 72-pixel images."""
    out = tmp_path_factory.mktemp("sets") / "packed"
    assert main(["prepare", str(colours), str(out), "--image-size", "72"]) == 0
    return out


def flags(preset: str, run: Path) -> list[str]:
    """A network of the preset's form that trains in a moment."""
    narrow = ["--input-size", "64", "--image-size", "72", "--batch-size", "9"]
    narrow += [] if preset == "cifar" else ["--fc-width", "16"]
    narrow += [] if preset == "owt" else ["--widths", "8,8,8" if preset == "cifar" else "8,8,8,8,8"]
    return ["--recipe", preset, *narrow, "--epochs", "1", "--out", str(run)]


@pytest.mark.parametrize("preset", RECIPES)
def test_a_recipe_trains_evaluates_and_predicts(
    preset: str, packed: Path, colours: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = tmp_path / "run"
    assert main(["train", str(packed), *flags(preset, run)]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--ten-crop", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert len(scores) == 2
    own = load_checkpoint(run / "best.safetensors").position.best
    assert any(s["loss"] == pytest.approx(own["val_loss"], rel=1e-4) for s in scores.values())
    image = str(next((colours / "val/red").iterdir()))
    assert main(["predict", str(run), image, "--json"]) == 0
    ranked = json.loads(capsys.readouterr().out)[0]["predictions"]
    assert {p["class"] for p in ranked} == {"red", "green", "blue"}


@pytest.mark.parametrize("preset", ["paper", "source2012"])
def test_a_folder_and_its_prepared_set_give_the_same_run(
    preset: str, packed: Path, colours: Path, tmp_path: Path
) -> None:
    """Images, mean image, colour axes, order and noise: all of it."""
    runs = [tmp_path / "folder", tmp_path / "packed"]
    for data, run in zip((colours, packed), runs, strict=True):
        assert main(["train", str(data), *flags(preset, run)]) == 0
    first, second = (load_checkpoint(run / "last.safetensors") for run in runs)
    assert first.pixels.mean.shape == (72, 72, 3)
    assert first.pixels.axes.any()
    for name, tensor in first.tensors.items():
        np.testing.assert_array_equal(tensor.numpy(), second.tensors[name].numpy(), err_msg=name)


def test_a_resumed_run_keeps_its_mean_and_its_noise(packed: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(["train", str(packed), *flags("source2012", whole)]) == 0
    assert main(["train", str(packed), *flags("source2012", parts), "--max-steps", "2"]) == 0
    assert main(["train", "--resume", str(parts)]) == 0
    first, second = (load_checkpoint(run / "last.safetensors") for run in (whole, parts))
    for name, tensor in first.tensors.items():
        np.testing.assert_array_equal(tensor.numpy(), second.tensors[name].numpy(), err_msg=name)


def test_a_recipe_that_crops_more_than_there_is(packed: Path, capsys: Capture) -> None:
    assert main(["train", str(packed), "--out", "never"]) == 2
    said = capsys.readouterr().err
    assert "holds images of 72 pixels, the recipe crops 224: prepare it with --image-size" in said


def test_crops_that_show_little_of_the_images_are_told(packed: Path, colours: Path) -> None:
    small = replace(RECIPES["cifar"], image_size=72)
    for data in (packed, colours):
        said = open_splits(data, small).overview
        assert (
            "Note: the network sees 28 x 28 of 72 x 72 pixels, 15% of an image: train with "
            "--input-size 64, or on images of a smaller --image-size"
        ) in said
        assert "sees" not in str(open_splits(data, replace(small, input_size=40)).overview)


def test_every_size_of_a_set_has_flags_that_train_on_it() -> None:
    told = {size: flags_for(size) for size in (12, 16, 27, 28, 56, 71, 72, 144, 223, 224)}
    assert list(told.values()) == [
        "", "--recipe cifar --input-size 16", "--recipe cifar --input-size 16", "--recipe cifar",
        "--recipe tiny", "--recipe tiny", "--input-size 64", "--input-size 128",
        "--input-size 192", "",
    ]  # fmt: skip


def test_the_mean_comes_from_the_checkpoint_when_a_run_goes_on(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    assert main(["train", str(packed), *flags("paper", run), "--max-steps", "2"]) == 0

    def measured_again(*_: object) -> None:
        raise AssertionError("a resumed run has its statistics")

    monkeypatch.setattr("alexnet_scratch.training.begin.pixel_statistics", measured_again)
    assert main(["train", "--resume", str(run)]) == 0


def test_squashed_images_are_squashed_wherever_the_run_looks(
    tmp_path: Path, capsys: Capture
) -> None:
    rng = np.random.default_rng(0)
    for split, name, i in itertools.product(("train", "val"), ("a", "b"), range(4)):
        file = tmp_path / "wide" / split / name / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (72, 200, 3), np.uint8)).save(file)
    sets = [tmp_path / "squashed", tmp_path / "cropped"]
    for out, resize in zip(sets, ("squash", "crop"), strict=True):
        how = ["--image-size", "72", "--resize", resize]
        assert main(["prepare", str(tmp_path / "wide"), str(out), *how]) == 0
    run = tmp_path / "run"
    assert main(["train", str(sets[0]), *flags("caffe", run)]) == 0
    losses = []
    for data in (sets[0], tmp_path / "wide"):
        capsys.readouterr()
        assert main(["evaluate", str(run), str(data), "--json"]) == 0
        losses.append(json.loads(capsys.readouterr().out)["scores"]["centre"]["loss"])
    assert losses[0] == losses[1]
    assert main(["evaluate", str(run), str(sets[1])]) == 2
    assert "prepared with --resize crop" in capsys.readouterr().err


def test_an_image_size_that_a_set_does_not_have(packed: Path, capsys: Capture) -> None:
    sizes = ["--image-size", "80", "--input-size", "64"]
    assert main(["train", str(packed), *sizes, "--out", "never"]) == 2
    assert "--image-size 80, but" in capsys.readouterr().err


def test_a_folder_and_its_prepared_set_hold_out_the_same_images(
    colours: Path, tmp_path: Path
) -> None:
    recipe = replace(RECIPES["small"], input_size=64, image_size=72, seed=5, val_fraction=0.3)
    out = tmp_path / "packed"
    how = ["--image-size", "72", "--seed", "5", "--val-fraction", "0.3"]
    assert main(["prepare", str(colours / "train"), str(out), *how]) == 0
    folder, packed = open_splits(colours / "train", recipe), open_splits(out, recipe)
    for ours, theirs in ((folder.val, packed.val), (folder.train, packed.train)):
        files = [Path(ours.describe(i)).name for i in range(len(ours))]
        assert files == [Path(theirs.describe(i)).name for i in range(len(theirs))]
