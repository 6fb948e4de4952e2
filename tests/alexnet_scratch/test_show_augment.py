"""`alexnet show-augment`: the views that training takes, drawn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from alexnet_scratch.cli import main
from alexnet_scratch.commands.show_augment import training_view
from alexnet_scratch.data.augment import Place, cut
from alexnet_scratch.pixels import colour_alphas
from alexnet_scratch.recipe import Recipe
from alexnet_scratch.training.input import Splits, open_splits
from alexnet_scratch.training.trainer import Trainer

Capture = pytest.CaptureFixture[str]


def trainer(folder: Path, recipe: Recipe, splits: Splits) -> Trainer:
    return Trainer(folder, recipe, splits, {"root": None, "train_images": len(splits.train)})


def fed(it: Trainer, epoch: int) -> dict[int, tuple[Any, Any]]:
    """The crop and place of each image, by its number, in an epoch of the trainer's loader."""
    batches = it.loader.batches(epoch)
    samples = [pair for x, _, p in batches for pair in zip(x.numpy(), p.numpy(), strict=True)]
    return dict(zip(it.loader.order(epoch), samples, strict=True))


@pytest.mark.parametrize("chunk", [1, 5])
def test_the_views_are_those_that_training_takes(
    chunk: int, colours: Path, tmp_path: Path, narrow: Recipe
) -> None:
    recipe = replace(narrow, seed=5, crop_chunk=chunk, rotation=10.0)
    splits = open_splits(colours, recipe)
    it = trainer(tmp_path, recipe, splits)
    for epoch in (0, 3):
        samples = fed(it, epoch)
        for index in (0, 20, 35):
            view = training_view(splits.train, index, epoch, recipe)
            np.testing.assert_array_equal(view, samples[index][0])


@pytest.mark.parametrize("mean", ["channel", "image"])
@pytest.mark.parametrize("std", [0.0, 0.5])
def test_the_view_is_what_the_network_gets_plus_the_mean(
    mean: str, std: float, colours: Path, tmp_path: Path, narrow: Recipe
) -> None:
    recipe = replace(
        narrow, colour_noise="deviation", colour_std=std, colour_divisor=2.0, colour_epochs=1,
        mean=mean, input_std=(1.0, 2.0, 4.0), crop_chunk=4,
    )  # fmt: skip
    splits = open_splits(colours, recipe)
    it = trainer(tmp_path, recipe, splits)
    crop, place = fed(it, 0)[20]
    whole_mean = np.broadcast_to(it.pixels.mean, (72, 72, 3))
    mg.manual_seed(1)
    x = it.to_input(mg.Tensor(crop[None]), place[None], colour_alphas(recipe, 0, 1))
    network_sees = x.data[0].transpose(1, 2, 0) * [1, 2, 4] + cut(whole_mean, Place(*place), 64)
    mg.manual_seed(1)
    view = training_view(splits.train, 20, 0, recipe, it.pixels)
    assert np.abs(view - np.clip(network_sees, 0, 255)).max() < 0.51
    after = training_view(splits.train, 20, 1, recipe, it.pixels)  # the noise is over
    np.testing.assert_array_equal(after, fed(it, 1)[20][0])


def test_a_picture_of_a_training_image_or_of_a_file(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    size = ["--image-size", "72", "--input-size", "64"]
    assert main(["show-augment", str(colours), *size, "--image", "20"]) == 0
    file = str(colours / "train" / "green" / "green_5.png")
    assert f"augment.png: views of {colours}/train/green/green_6.png" in capsys.readouterr().out
    assert main(["show-augment", "--image", file, *size, "--out", "other.png"]) == 0
    with Image.open("augment.png") as one, Image.open("other.png") as other:
        assert one.size == other.size
        assert one.tobytes() != other.tobytes()
        width, height = one.size
        for picture in (one, other):
            for half in ((0, 0, width // 2, height), (width // 2, 0, width, height)):
                colours_seen = picture.convert("RGB").crop(half).getcolors(1000)
                assert colours_seen is None  # there are more: photos, not paper


def test_a_prepared_set(colours: Path, tmp_path: Path, capsys: Capture) -> None:
    packed, out = str(tmp_path / "packed"), str(tmp_path / "a.png")
    assert main(["prepare", str(colours), packed, "--image-size", "72"]) == 0
    size = ["--image-size", "72", "--input-size", "64"]
    assert main(["show-augment", packed, *size, "--image", "35", "--out", out]) == 0
    assert "a.png: views of red/red_9.png, by the recipe small" in capsys.readouterr().out
    assert main(["show-augment", packed, "--out", out]) == 2
    assert "holds images of 72 pixels, the recipe crops 224" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--image", "36"], "the set has 36 training images, give 0 to 35"),
        (["--image", "-1"], "-1"),
        (["--image", "nothing.png"], "No such file"),
        (["--recipe", "big"], "recipe big: use small, modern, paper"),
        (["--crop-area", "0.9,0.1"], "crop_area is 0.9,0.1, expected the least share first"),
        (["--out", "FOLDER"], "is a folder: give the name of a picture"),
        (["--out", "FOLDER/none/a.png"], "there is no folder"),
    ],
)
def test_bad_flags(
    flags: list[str], message: str, colours: Path, tmp_path: Path, capsys: Capture
) -> None:
    flags = [flag.replace("FOLDER", str(tmp_path)) for flag in flags]
    try:
        status = main(["show-augment", str(colours), *flags])
    except SystemExit as exit:  # argparse
        status = int(str(exit.code))
    err = capsys.readouterr().err
    assert (status, len(err.splitlines())) == (2, 1), err
    assert message in err
