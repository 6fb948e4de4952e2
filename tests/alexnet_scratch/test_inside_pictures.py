"""`alexnet inside`: the pictures it writes, and what it says of them."""

import functools
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import alexnet_scratch
from alexnet_scratch.cli import main
from alexnet_scratch.commands import inside as command
from alexnet_scratch.inside import draw, pictures
from alexnet_scratch.inside.pictures import Gallery, Pictures

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run(colours: Path, narrow_flags: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs") / "run"
    train = ["train", str(colours), "--out", str(folder), *narrow_flags, "--epochs", "1"]
    assert main(train) == 0
    return str(folder)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, and class images in two steps."""
    monkeypatch.chdir(tmp_path)
    few = functools.partial(pictures.made.class_images, steps=2)
    monkeypatch.setattr(pictures.made, "class_images", few)
    return tmp_path


def photo(name: str = "photo.png") -> str:
    """A picture of which the network in the package is not sure."""
    y, x = np.mgrid[:150, :200]
    Image.fromarray(np.stack([x, y, 255 - y], axis=2).astype(np.uint8)).save(name)
    return name


def said(capsys: Capture) -> dict[str, str]:
    """What is said of each picture, by its file; each is there and a line in inside.json."""
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    facts = json.loads(Path("inside/inside.json").read_text("utf-8"))
    assert [f"inside/{fact['file']}" for fact in facts] == list(lines)
    assert [fact["shows"] for fact in facts] == list(lines.values())
    assert all(re.search(r"\d", text) for text in lines.values())
    return {Path(file).name: text for file, text in lines.items()}


def test_a_run_is_drawn_with_its_own_validation_images(
    run: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "OWN", 1)
    monkeypatch.setattr(command, "QUERIES", 2)
    capsys.readouterr()
    assert main(["inside", run]) == 0
    lines = said(capsys)
    (own,) = [name[5:] for name in lines if name.startswith("maps-")]
    drawn = ["filters.png", "class.png", "units.png", "neighbours.png"]
    assert list(lines) == [*drawn, f"maps-{own}", f"where-{own}", f"fooling-{own}"]
    for name in lines:
        with Image.open(f"inside/{name}") as picture:
            assert min(picture.size) > 200
    assert "the 8 filters of conv1; colourfulness" in lines["filters.png"]
    assert "tower 2" in lines["filters.png"]
    assert "3 of 3 classes" in lines["class.png"]
    assert "of 12 images the 9 that excite each of 6 units of relu5" in lines["units.png"]
    assert "beside 2 images the 6 of 12" in lines["neighbours.png"]


def test_of_an_image_a_fooled_one_is_written_that_predict_names_so(capsys: Capture) -> None:
    given = photo()
    assert main(["inside", given, "--what", "fooling", "--class", "golf ball"]) == 0
    (line,) = said(capsys).values()
    facts = json.loads(Path("inside/inside.json").read_text("utf-8"))[0]
    assert facts["fooled"]
    assert 0 < facts["rms_grey_levels"] < 20
    assert "golf ball" in line
    assert main(["predict", "boxed", "inside/fooled-photo.png", given, "--json"]) == 0
    fooled, plain = json.loads(capsys.readouterr().out)
    assert fooled["predictions"][0]["name"] == "golf ball"
    assert fooled["predictions"][0]["probability"] == pytest.approx(facts["after"]["golf ball"])
    assert plain["predictions"][0]["name"] != "golf ball"


def test_an_svg_has_curves_and_images_and_is_the_same_each_time(here: Path) -> None:
    asked = ["inside", "boxed", photo(), "--what", "grad-cam,saliency", "--format", "svg"]
    files = []
    for _ in range(2):
        assert main([*asked, "--class", "Tench", "--class", "n03888257"]) == 0
        files.append(Path("inside/where-photo.svg").read_bytes())
    assert files[0] == files[1]
    tags = [each.tag.rpartition("}")[2] for each in ElementTree.fromstring(files[0]).iter()]
    assert tags.count("image") == 6  # two classes: the image and two maps of each
    assert tags.count("path") > 20
    facts = json.loads(Path("inside/inside.json").read_text("utf-8"))[0]
    assert {"tench", "parachute"} < set(facts)
    assert set(facts["tench"]) == {"saliency", "grad-cam"}


def test_images_called_alike_are_not_written_over_each_other(capsys: Capture) -> None:
    Path("a").mkdir()
    Path("b").mkdir()
    assert main(["inside", photo("a/one.png"), photo("b/one.png"), "--what", "saliency"]) == 0
    assert list(said(capsys)) == ["where-one.png", "where-one-2.png"]


def test_without_data_an_image_made_for_a_class_stands_in(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "OWN", 1)
    assert main(["inside", "--what", "guided,units,neighbours"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("inside/where-class-image-of-tench.png: ")
    assert captured.out.count("\n") == 1
    no_run, no_data, *_ = captured.err.splitlines()
    assert no_run.startswith("No RUN is given")
    assert no_data == (
        "No validation images, its own are not here (imagenette-144): units and neighbours left "
        "out, class images in their place; give --data DATA, or images"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["boxed", "--what", "filter"], "did you mean filters?"),
        (["boxed", "--class", "gold ball"], "did you mean golf ball?"),
        (["boxed", "--layer", "conv9"], "--layer: there is no layer 'conv9'; there are conv1"),
        (["boxed", "--layer", "fc6"], "--layer fc6 gives no maps but 320 numbers"),
        (["boxed", "--data", "nowhere"], "no such folder: nowhere"),
        (["boxed", "--out", "photo.png"], "--out photo.png is a file"),
        (["boxed", "--what", "units"], "--what units needs validation images, and its own are not"),
        (["boxed", "photo.png", "--what", "neighbours"], "give --data DATA"),
        (["boxed", "none.png"], "none.png: No such file"),
        (["nowhere", "photo.png"], "no such run: nowhere"),
        (["RUN", "--what", "units", "--unit", "16"], "--unit 16: relu5 has 16 units, give 0 to 15"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_told(
    arguments: list[str], words: str, run: str, capsys: Capture
) -> None:
    photo()
    assert main(["inside", *(run if word == "RUN" else word for word in arguments)]) == 2
    assert words in capsys.readouterr().err


def test_units_show_what_they_see(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one image in nine that excites a unit at a known place, the part around that place."""
    network = alexnet_scratch.load("boxed")
    shown: list[list[np.ndarray]] = []
    monkeypatch.setattr(draw, "mosaic", lambda crops: shown.append(crops) or crops[0])
    crops = np.zeros((9, 128, 128, 3), np.uint8)
    crops[4, 60:70, 60:70] = 255
    one = Pictures(network, here, layer="relu1")
    one.units(Gallery(crops, np.zeros(9, np.int64)), [0, 1])
    assert len(shown) == 2
    for row in shown:
        assert all(crop.shape[0] in (9, 11) and crop.shape[1] in (9, 11) for crop in row)
    assert any(row[0].max() == 255 for row in shown)


def test_maps_lie_side_by_side() -> None:
    maps = np.arange(5.0)[:, None, None] * np.ones((5, 2, 2))
    found = draw.tiled(maps)
    assert found.shape == (5, 8)
    assert found[0, [0, 3, 6]].tolist() == [0, 1, 2]
    assert np.isnan(found[:, 2]).all()
    assert np.isnan(found[3:, 6:]).all()  # no sixth
    images = [np.full((2, 4, 3), 7, np.uint8), np.full((4, 4, 3), 9, np.uint8)]
    whole = draw.mosaic(images, columns=2, gap=1)
    assert whole.shape == (4, 9, 3)
    assert whole[:, 0, 0].tolist() == [255, 7, 7, 255]
    assert whole[0, 5, 0] == 9


def test_heat_is_brightest_where_the_map_is_and_leaves_the_rest_grey() -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    heat = np.zeros((2, 2), np.float32)
    heat[0, 1] = 4
    found = draw.heat_on(image, heat)
    assert found.shape == (8, 8, 3)
    np.testing.assert_allclose(found[7, 0], 100 / 255)
    assert found[0, 7, 0] > 0.7
    np.testing.assert_allclose(draw.heat_on(image, heat * 0)[..., :], 100 / 255)


def test_colourfulness_is_drawn_beside_the_filters_of_each_tower() -> None:
    weight = np.random.default_rng(0).standard_normal((48, 3, 5, 5))
    figure = draw.draw_filters(weight, 2, measured=True)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[::2] == ["tower 1", "tower 2"]
    assert all(re.fullmatch(r"mean 0\.6\d", title) for title in titles[1::2])
    dots = figure.axes[1].lines[0]
    np.testing.assert_allclose(dots.get_xdata(), pictures.filters.colourfulness(weight[:24]))


def test_classes_of_one_name_have_a_picture_and_a_title_each(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ImageNet's two cranes."""
    drawn = Pictures(alexnet_scratch.load("boxed"), here)
    drawn.names = ["crane", *drawn.names[1:4], "crane", *drawn.names[5:]]
    titles: list[str] = []
    of = draw.draw_images
    monkeypatch.setattr(draw, "draw_images", lambda i, t: titles.extend(t) or of(i, t))
    drawn.draw_classes(drawn.class_images())
    assert [title.startswith("crane") for title in titles] == [c in (0, 4) for c in range(10)]
