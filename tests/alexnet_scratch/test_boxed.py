"""The network that comes with the package: its files, and commands on a machine without runs."""

import configparser
import hashlib
import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import alexnet_scratch
from alexnet_scratch.cli import main
from alexnet_scratch.inside.pictures import Pictures
from alexnet_scratch.recipe import RECIPES, Recipe
from alexnet_scratch.training.checkpoint import BOXED, load_checkpoint
from minigrad import nn
from minigrad.serialization import CheckpointError, load_file, load_metadata, save_file

Capture = pytest.CaptureFixture[str]
RECORD = json.loads((BOXED / "run.json").read_text("utf-8"))
WEIGHTS = BOXED / "best.safetensors"


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A picture, and nothing else, in the folder where the commands run."""
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:150, :200]
    sky = np.stack([x, y, 255 - y], axis=2).astype(np.uint8)
    Image.fromarray(sky).save("photo.jpg")
    return "photo.jpg"


def test_it_is_what_its_record_says() -> None:
    packed, held = RECORD["packed"], WEIGHTS.read_bytes()
    assert len(held) == packed["bytes"] <= 3_000_000
    assert hashlib.sha256(held).hexdigest() == packed["sha256"]
    checkpoint = load_checkpoint(WEIGHTS)
    assert checkpoint.recipe == RECIPES["boxed"]
    assert Recipe.from_json((BOXED / "recipe.json").read_text("utf-8")) == RECIPES["boxed"]
    rows = [json.loads(row) for row in (BOXED / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert checkpoint.position.best in rows
    assert checkpoint.data["names"] == RECORD["classes"]
    assert len(checkpoint.classes) == 10
    page = (BOXED / "README.md").read_text("utf-8")
    assert all(word in page for word in (packed["sha256"], "Apache License 2.0", "ImageNet"))


def test_it_lost_nothing_in_16_bits_and_knows_seven_of_ten_photographs() -> None:
    """As `benchmarks/boxed.py` measured it; `alexnet evaluate boxed DATA` does it again."""
    packed = RECORD["packed"]
    file, run = packed["scores"]["centre"], packed["scores_of_the_run"]["centre"]
    assert file["images"] == run["images"] == 3925
    assert file["top1"] >= 0.7
    assert file["top1"] == pytest.approx(run["top1"], abs=0.002)
    best = load_checkpoint(WEIGHTS).position.best
    assert run["top1"] == pytest.approx(best["val_top1"], abs=1e-3)


def test_nothing_of_it_names_a_folder_of_another_machine() -> None:
    texts = [file.read_text("utf-8") for file in BOXED.iterdir() if file.suffix != ".safetensors"]
    texts += [json.dumps(load_metadata(WEIGHTS))]
    assert not any(word in text for text in texts for word in ('"/', "/home", "/work", "/tmp"))


def test_its_weights_are_stored_in_float16_and_computed_with_in_float32() -> None:
    stored = load_file(WEIGHTS)
    model = alexnet_scratch.load("boxed").model
    for name, weight in model.named_parameters():
        assert stored[f"model.{name}"].dtype == np.float16
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight.data, stored[f"model.{name}"].data)
    assert [m.groups for m in model.modules() if isinstance(m, nn.PaperLRN)] == [2, 2]


def test_predict_without_a_run_says_which_network_answers(photo: str, capsys: Capture) -> None:
    assert main(["predict", photo, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("No RUN is given: the network that comes with the package names")
    assert captured.err.count("\n") == 1
    assert all(name in captured.err for name in ("tench", "church", "parachute"))
    (alone,) = json.loads(captured.out)
    trained = alexnet_scratch.load("boxed")
    (row,) = trained.predict(trained.image(photo)[None])
    assert row.sum() == pytest.approx(1, abs=1e-6)
    assert alone["predictions"][0]["class"] == trained.classes[row.argmax()]
    assert main(["predict", "boxed", photo, "--json"]) == 0
    named = capsys.readouterr()
    assert named.err == ""  # who names it knows it
    assert json.loads(named.out) == [alone]


def test_what_it_gets_of_images_and_what_its_layers_make_of_them(photo: str) -> None:
    trained = alexnet_scratch.load("boxed")
    image = trained.image(photo)
    x = trained.preprocess(photo)
    assert (x.shape, x.dtype) == ((1, 3, 128, 128), np.float32)
    for same in ([photo], Path(photo).read_bytes(), Path(photo), image[None]):
        np.testing.assert_array_equal(trained.preprocess(same).data, x.data)
        np.testing.assert_array_equal(trained.predict(same), trained.predict(image[None]))
    centre = image[8:136, 8:136]
    np.testing.assert_array_equal(trained.preprocess(centre[None]).data, x.data)
    np.testing.assert_array_equal(trained.as_images(x), centre[None])
    three = np.stack([image, image[::-1], image])
    (alone,) = trained.predict(image[None])
    rows = trained.features(three, "fc8")
    assert (rows.shape, rows.dtype) == ((3, 10), np.float32)
    p = np.exp(rows[0] - rows[0].max())
    np.testing.assert_allclose(p / p.sum(), alone, rtol=1e-4)
    np.testing.assert_array_equal(trained.features(three), trained.features(three, "relu7"))
    assert trained.features(photo).shape == (1, 320)
    assert trained.features(three[:0]).shape == (0, 320)
    for wrong in (image, image[None].astype(float), []):
        with pytest.raises(ValueError, match=r"expected uint8 images \(N, S, S, 3\), or files"):
            trained.preprocess(wrong)


@pytest.mark.parametrize(
    "arguments",
    [["photo.jpg", "copy"], ["copy", "photo.jpg"], ["photo.jpg", "--json", "copy"], ["folder"],
     ["boxed", "--json", "photo.jpg", "copy"]],
)  # fmt: skip
def test_predict_tells_images_from_runs(photo: str, arguments: list[str], capsys: Capture) -> None:
    shutil.copyfile(photo, "copy")  # known by its content
    Path("folder").mkdir()
    for name in ("a.jpg", "b.jpg"):
        shutil.copyfile(photo, f"folder/{name}")
    assert main(["predict", *arguments, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["boxed"], "no image to name by boxed"),
        (["last.safetensors"], "no image to name by last.safetensors"),
        (["nowhere", "photo.jpg"], "no such run: nowhere; expected the folder of an `alexnet"),
        (["folder", "photo.jpg"], "it is not the folder of a run"),
        (["none.jpg", "none.png"], "none.jpg: No such file"),
        (["photo.jpg", "--ten-crops"], "did you mean --ten-crop?"),
    ],
)  # fmt: skip
def test_predict_refuses(photo: str, arguments: list[str], said: str, capsys: Capture) -> None:
    Path("folder").mkdir()
    try:
        status = main(["predict", *arguments])
    except SystemExit as end:
        status = int(end.code or 0)
    assert status == 2
    assert said in capsys.readouterr().err


def test_a_folder_of_that_name_comes_first(photo: str, capsys: Capture) -> None:
    Path("boxed").mkdir()
    assert main(["predict", "boxed", photo]) == 2
    assert "boxed has no best.safetensors" in capsys.readouterr().err


def test_evaluate_takes_it_and_asks_for_photographs(photo: str, capsys: Capture) -> None:
    assert main(["evaluate", "boxed"]) == 2
    assert "say where it is now: alexnet evaluate RUN DATA" in capsys.readouterr().err
    for name in alexnet_scratch.load("boxed").classes:
        Path("val", name).mkdir(parents=True)
        shutil.copyfile(photo, f"val/{name}/{photo}")
    assert main(["evaluate", "boxed", "val", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]["centre"]
    assert (scores["images"], scores["top1"]) == (10, 0.1)  # ten times the same picture
    shutil.rmtree("val/n01440764")
    for name in ("cat", "dog", "elk", "fox", "gnu", "hen", "ibis"):
        shutil.copytree("val/n03888257", f"val/{name}")
    assert main(["evaluate", "boxed", "val"]) == 2
    said = capsys.readouterr().err
    assert "missing: n01440764; unknown: cat, dog, elk, fox, gnu and 2 more" in said


def test_16_bits_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    tensors = load_file(WEIGHTS)
    tensors["model.fc8.bias"].data[0] = np.inf
    save_file(tensors, tmp_path / "best.safetensors", load_metadata(WEIGHTS))
    with pytest.raises(CheckpointError, match=r"model.fc8.bias holds NaN or infinity"):
        alexnet_scratch.load(tmp_path)


def test_the_wheel_has_every_file_of_it() -> None:
    config = configparser.ConfigParser()
    config.read(BOXED.parents[1] / "setup.cfg")
    package = BOXED.parent
    globs = config["options.package_data"]["alexnet_scratch"].split()
    installed = {file for pattern in globs for file in package.glob(pattern)}
    assert installed >= set(BOXED.iterdir()) >= {WEIGHTS, BOXED / "run.json", BOXED / "README.md"}


def script_at(path: str) -> Any:
    """A script of the tree, as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, BOXED.parents[1] / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_run_of_another_recipe_or_with_wider_layers_is_not_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BOXED.parents[1] / "benchmarks")
    script = script_at("benchmarks/boxed.py")
    monkeypatch.setattr(script, "MOST_BYTES", 1_000_000)
    with pytest.raises(ValueError, match=r"expected at most 1,000,000"):
        script.pack(BOXED, tmp_path / "large.safetensors")
    monkeypatch.setitem(RECIPES, "boxed", replace(RECIPES["boxed"], lr=1.0))
    with pytest.raises(ValueError, match=r"of another recipe than boxed is now: train it again"):
        script.pack(BOXED, tmp_path / "other.safetensors")


def test_its_filters_are_readmes_picture(tmp_path: Path) -> None:
    script = script_at("docs/draw_inside.py")
    file = Pictures(alexnet_scratch.load("boxed"), tmp_path).filters().file
    script.in_256_colours(file)
    with Image.open(file) as drawn, Image.open(script.TRACKED / file.name) as shown:
        assert drawn.size == shown.size
        gap = np.asarray(drawn.convert("RGB"), float) - np.asarray(shown.convert("RGB"), float)
    assert np.abs(gap).mean() < 2


@pytest.mark.slow
def test_one_command_draws_readmes_pictures(tmp_path: Path) -> None:
    script = script_at("docs/draw_inside.py")
    assert script.main(["--out", str(tmp_path)]) == 0
    drawn = sorted(file.name for file in tmp_path.iterdir())
    assert drawn == sorted(file.name for file in script.TRACKED.iterdir())
    readme = (BOXED.parents[1] / "README.md").read_text("utf-8")
    for name in drawn:
        assert f"(docs/inside/{name})" in readme
        with Image.open(tmp_path / name) as found, Image.open(script.TRACKED / name) as shown:
            assert found.size == shown.size
        assert (script.TRACKED / name).stat().st_size < 300_000


def test_what_packed_it_makes_the_same_network_and_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BOXED.parents[1] / "benchmarks")
    script = script_at("benchmarks/boxed.py")
    script.pack(BOXED, tmp_path / "again.safetensors")
    again = load_file(tmp_path / "again.safetensors")
    for name, tensor in load_file(WEIGHTS).items():
        np.testing.assert_array_equal(again.pop(name).data, tensor.data)
    assert not again
    assert load_metadata(tmp_path / "again.safetensors") == load_metadata(WEIGHTS)
    assert script.page(RECORD) == (BOXED / "README.md").read_text("utf-8")
