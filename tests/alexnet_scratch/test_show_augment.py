"""`alexnet show-augment`: the views that training takes, drawn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet_scratch.cli import main
from alexnet_scratch.commands.show_augment import training_view
from alexnet_scratch.data import load_image
from alexnet_scratch.recipe import Recipe
from alexnet_scratch.training.input import open_splits
from minigrad.data import DataLoader

Capture = pytest.CaptureFixture[str]


def test_the_views_are_those_that_training_takes(colours: Path, narrow: Recipe) -> None:
    recipe = replace(narrow, seed=5)
    train = open_splits(colours, recipe).train
    loader = DataLoader(train, 36, seed=recipe.seed)
    for epoch in (0, 3):
        images = next(iter(loader.batches(epoch)))[0].numpy()
        for index in (0, 20):
            whole = load_image(train.describe(index), recipe.image_size)
            np.testing.assert_array_equal(training_view(whole, index, epoch, recipe), images[index])


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
        (["--recipe", "big"], "recipe big: use small, paper"),
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
