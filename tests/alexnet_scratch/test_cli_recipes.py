"""Every recipe on a prepared set, from images to a ten-crop evaluation, by the command alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from alexnet_scratch.cli import main
from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training.checkpoint import load_checkpoint

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, colours: Path) -> Path:
    """The colours as a prepared set of 72-pixel images."""
    out = tmp_path_factory.mktemp("sets") / "packed"
    assert main(["prepare", str(colours), str(out), "--image-size", "72"]) == 0
    return out


def flags(preset: str, run: Path) -> list[str]:
    """A network of the preset's form that trains in a moment."""
    narrow = ["--fc-width", "16", "--input-size", "64", "--image-size", "72", "--batch-size", "9"]
    narrow += [] if preset == "owt" else ["--widths", "8,8,8,8,8"]
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
