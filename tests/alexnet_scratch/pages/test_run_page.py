"""`alexnet report`: the page of a run, whole or under way, with its data or without."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from whole import Page, words_of

from alexnet_scratch.cli import main
from alexnet_scratch.evaluation import Predictions
from alexnet_scratch.pages import run_page
from alexnet_scratch.pages.charts import MOST_POINTS, Line, chart, ticks
from alexnet_scratch.pages.parts import table
from alexnet_scratch.pages.run_page import Measured, filter_picture, write_page
from alexnet_scratch.recipe import BY_NAME, build_model
from alexnet_scratch.report import Report

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, colours: Path, narrow_flags: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "a <run>"
    flags = ["--epochs", "2", "--lr", "0.005", "--out", str(folder)]
    assert main(["train", str(colours), *narrow_flags, *flags]) == 0
    return folder


def reported(run: Path, *more: str) -> str:
    """The words of the run's page."""
    assert main(["report", str(run), *more]) == 0
    return str(words_of((run / "report.html").read_text("utf-8")))


def test_the_page_of_a_run_has_all_of_it(run: Path, capsys: Capture) -> None:
    said = reported(run, "--ten-crop")
    capsys.readouterr()
    assert main(["evaluate", str(run), "--ten-crop", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert f"{scores['centre']['top1']:.1%}top-1, centre" in said
    assert f"{scores['ten crops']['top1']:.1%}top-1, ten crops" in said
    for part in (
        "a <run>", "recipe small", "machine",
        "36 training images of 3 classes", "Of 12 images", "Curves of training",
        "guessing, ln(3)", "The same in numbers", "What is taken for what",
        "Classes, the worst first", "The hardest images", "Tower 1", "Tower 2",
        "The preset small, but for:", "epochs: 2", "passes over the training images",
        "All its fields", "Environment of the training", "alexnet train", "How it was evaluated",
    ):  # fmt: skip
        assert part in said, part
    assert "top-5" not in said  # three classes


def test_a_run_without_its_data_has_all_the_rest_and_says_so(
    run: Path, tmp_path: Path, colours: Path, capsys: Capture
) -> None:
    data = shutil.copytree(colours, tmp_path / "data")
    copy = tmp_path / "run"
    assert main(["train", str(data), "--recipe", str(run / "recipe.json"), "--epochs", "1",
                 "--out", str(copy)]) == 0  # fmt: skip
    data.rename(tmp_path / "moved")
    capsys.readouterr()
    said = reported(copy)
    reason = f"the run's images are no longer at {data}: alexnet report {copy} DATA says where"
    assert reason in said
    assert reason in capsys.readouterr().out
    assert "Of 12 validation images after epoch 1, the best one, in training." in said
    assert "What is taken for what" not in said
    assert "Tower 1" in said
    assert "What is taken for what" in reported(copy, str(tmp_path / "moved"))
    assert main(["report", str(copy), str(data)]) == 2  # what is asked for must be there
    for image in (tmp_path / "moved" / "val").rglob("*.png"):
        image.write_text("no image")
    (tmp_path / "moved").rename(data)
    assert "no image can be read" in reported(copy)


def test_a_run_under_way_has_a_page_at_every_stage(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    rows = (copy / "metrics.jsonl").read_text().splitlines()
    (copy / "metrics.jsonl").write_text(rows[0] + "\n")
    said = reported(copy)
    assert "This run is not finished: 1 of 2 epochs are done." in said
    assert "Curves of training" in said
    for file in copy.glob("*.safetensors"):
        file.unlink()
    (copy / "metrics.jsonl").unlink()
    said = reported(copy)
    for part in ("0 of 2 epochs", "the run has saved no checkpoint yet", "The preset small"):
        assert part in said
    for part in ("Curves of training", "Tower 1", "top-1"):
        assert part not in said
    (copy / "run.json").unlink()  # as of a run from elsewhere
    assert "Nothing is measured yet." in reported(copy)


def test_a_checkpoint_alone_tells_its_run(run: Path, tmp_path: Path) -> None:
    shutil.copyfile(run / "last.safetensors", tmp_path / "alone.safetensors")
    assert main(["report", str(tmp_path / "alone.safetensors")]) == 0
    said = words_of((tmp_path / "report.html").read_text("utf-8"))
    assert "Curves of training" in said
    assert "36 training images of 3 classes" in said


def test_evaluate_writes_the_same_page_beside_its_tables(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slow in ("draw_confusion", "draw_hardest"):
        monkeypatch.setattr(f"alexnet_scratch.report.{slow}", lambda *_: None)
    folder = tmp_path / "report"
    assert main(["evaluate", str(run), "--report", str(folder)]) == 0
    theirs = words_of((folder / "report.html").read_text("utf-8"))
    ours = reported(run)
    end = ours.index("How it was evaluated")
    assert theirs[:end] == ours[:end]


def test_where_the_page_goes(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    for out in ("page.txt", "."):
        assert main(["report", str(run), "--out", out]) == 2
        assert "give a name that ends in .html" in capsys.readouterr().err
    assert main(["report", str(run), "--out", "page.html"]) == 0
    assert main(["report", "boxed"]) == 0
    assert [path.name for path in sorted(Path().iterdir())] == ["boxed.html", "page.html"]
    said = words_of(Path("boxed.html").read_text("utf-8"))
    for part in ("79.5%top-1", "96.9%top-5", "1.4 million", "The preset boxed, as it is."):
        assert part in said, part
    assert main(["report", str(tmp_path)]) == 2
    assert "it is not the folder of a run" in capsys.readouterr().err


def test_many_classes_become_a_picture_and_a_list(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    count, classes = 400, 50
    labels = rng.integers(0, classes, count)
    top = np.stack([(labels + rng.integers(0, 3, count)) % classes] * 5, axis=1)
    predictions = Predictions(
        labels, top, np.full((count, 5), 0.2, np.float32), rng.random(count), labels * 0 + 1
    )
    names = [f"class {c}" for c in range(classes)]
    pixels = rng.integers(0, 256, (300, 300, 3)).astype(np.uint8)
    report = Report(predictions, [f"{i}.jpg" for i in range(count)], names, names, lambda i: pixels)
    scores = {"loss": 1.0, "top1": 0.4, "top5": 1.0, "images": count}
    network = {"checkpoint": "a.safetensors", "scores": {"centre": scores}}
    facts = {
        "networks": [network] * 2, "scores": {"centre": scores}, "versions": {}, "data": "d",
        "skipped": 0, "date": "", "command": [], "device_name": "", "commit": None,
    }  # fmt: skip
    write_page(tmp_path / "page.html", None, None, Measured(report, facts))
    html = (tmp_path / "page.html").read_text("utf-8")
    said = words_of(html)
    right = int((top[:, 0] == labels).sum())
    assert f"{right} of 400 images lie on its diagonal" in html
    assert "taken for" in said
    assert "100.0%top-5" in said  # of fifty classes it says something
    assert 'width="192" height="192"' in html  # thumbnails


# ----- parts -----


@pytest.mark.parametrize("most", [1e-3, 0.7, 1, 2.42, 6.9, 40, 90, 1e5])
def test_ticks_are_few_and_round(most: float) -> None:
    found = ticks(most)
    assert found[0] == 0
    assert 2 <= len(found) <= 7
    assert found[-1] <= most * (1 + 1e-9)


@pytest.mark.parametrize("count", [1, 2, 30, 5000])
def test_a_chart_of_any_length_lies_within_its_frame(count: int) -> None:
    epochs = list(range(1, count + 1))
    html = chart("Loss", epochs, [Line("a", [2.0] * count), Line("b", [9.9] * count)], 3.0, str,
                 ("guessing", 2.3))  # fmt: skip
    assert Page(html).problems == []
    points = re.findall(r'points="([^"]*)"', html)
    assert all(len(line.split()) <= MOST_POINTS + 1 for line in points)
    for line in points:
        for point in line.split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 400
            assert 0 <= y <= 250
    assert f"over {count} epochs: a from 2.0 to 2.0; b from 9.9 to 9.9" in html


def test_a_table_without_rows_has_its_head() -> None:
    assert Page(table(("a", "b"), [])).problems == []


def test_filters_are_stretched_by_themselves_around_grey() -> None:
    weight = np.zeros((3, 3, 2, 2), np.float32)
    weight[0, 0], weight[1, 1, 0, 0] = 0.5, -2
    picture = filter_picture(weight, columns=2)
    assert picture.shape == (5, 5, 4)
    assert picture[0, 0].tolist() == [255, 128, 128, 255]
    assert picture[0, 3].tolist() == [128, 0, 128, 255]
    assert picture[:, 2, 3].max() == 0  # nothing between them
    assert Image.fromarray(picture).mode == "RGBA"


@pytest.mark.parametrize(("name", "towers"), [("boxed", 2), ("cifar", 1), ("lenet5", 1)])
def test_filters_stand_by_tower_and_those_of_grey_images_too(name: str, towers: int) -> None:
    model = build_model(BY_NAME[name], 3)
    assert "".join(run_page._filters(model)).count("<img") == towers
