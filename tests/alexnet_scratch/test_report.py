"""Reports: tables that add up, pictures that show something; the commands with views.

The page of a run is tried in test_pages.py.
"""

import csv
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from alexnet_scratch.cli import main
from alexnet_scratch.data import DataError
from alexnet_scratch.evaluation import Predictions
from alexnet_scratch.pages.run_page import Measured, write_page
from alexnet_scratch.picture import save_picture, shown
from alexnet_scratch.report import (
    FILES,
    Report,
    class_rows,
    confusion_matrix,
    draw_confusion,
    report_folder,
    write_report,
    write_tables,
)
from alexnet_scratch.training.provenance import environment

Capture = pytest.CaptureFixture[str]


def made(images: int, classes: int, seed: int = 0) -> Predictions:
    """Predictions of a network that is right now and then."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    log_p = rng.normal(size=(images, classes))
    log_p[np.arange(images), labels] += 1.5
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    own = log_p[np.arange(images), labels]
    top = np.argsort(-log_p, axis=1)[:, :5]
    p = np.exp(np.take_along_axis(log_p, top, axis=1)).astype(np.float32)
    return Predictions(labels, top, p, -own, (log_p > own[:, None]).sum(axis=1) + 1)


def report_of(predictions: Predictions, classes: list[str], names: list[str]) -> Report:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    images = [f"folder/{i}.jpg" for i in range(len(predictions.labels))]
    return Report(predictions, images, classes, names, lambda i: np.roll(pixels, i, axis=0))


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shows_something(path: Path) -> bool:
    with Image.open(path) as image:
        return image.convert("RGB").getcolors(50) is None  # there are more


# ----- tables -----


def test_the_confusion_matrix_adds_up() -> None:
    predictions = made(200, 7)
    confusion = confusion_matrix(predictions, 8)  # a class without images, too
    assert confusion.sum() == 200
    np.testing.assert_array_equal(confusion.sum(axis=1), np.bincount(predictions.labels, None, 8))
    np.testing.assert_array_equal(
        confusion.sum(axis=0), np.bincount(predictions.top[:, 0], None, 8)
    )
    assert np.trace(confusion) / 200 == predictions.scores().top1
    rows = class_rows(predictions, confusion)
    for accuracy in ("top1", "top5"):
        mean = sum(getattr(row, accuracy) * row.images for row in rows if row.images) / 200
        assert mean == pytest.approx(getattr(predictions.scores(), accuracy), abs=1e-12)
    for label, row in enumerate(rows[:7]):
        wrong = [n for c, n in enumerate(confusion[label]) if c != label]
        assert row.times == max(wrong)
        assert confusion[label, row.confused_with] == row.times
    assert (rows[7].images, rows[7].top1, rows[7].confused_with) == (0, None, None)


def test_the_tables_agree_with_the_scores(tmp_path: Path) -> None:
    predictions, ids = made(60, 6), [f"n{c}" for c in range(6)]
    report = report_of(predictions, ids, ["a, b", 'c"d', "$e", "f", "g", "h"])
    write_tables(tmp_path, report, confusion_matrix(predictions, 6))
    scores = predictions.scores()
    table = read_csv(tmp_path / "predictions.csv")
    assert [row["name"] for row in table] == [f"folder/{i}.jpg" for i in range(60)]
    assert np.mean([row["true"] == row["predicted"] for row in table]) == scores.top1
    assert np.mean([float(row["loss"]) for row in table]) == pytest.approx(scores.loss, rel=1e-5)
    for row in table:
        if row["true"] == row["predicted"]:
            assert float(row["probability"]) == pytest.approx(np.exp(-float(row["loss"])), rel=1e-4)
    classes = read_csv(tmp_path / "classes.csv")
    assert [row["class"] for row in classes] == ids
    assert [row["name"] for row in classes][:3] == ["a, b", 'c"d', "$e"]
    assert sum(int(row["images"]) for row in classes) == 60
    confusion = read_csv(tmp_path / "confusion.csv")
    for row, line in zip(classes, confusion, strict=True):
        assert list(line)[1:] == ids
        assert next(iter(line.values())) == row["class"]
        assert int(line[row["class"]]) == round(float(row["top1"]) * int(row["images"]))
        assert row["times"] == line[row["most_confused_with"]]


def test_names_that_are_no_unicode_and_classes_without_images(tmp_path: Path) -> None:
    report = report_of(made(3, 2), ["\udcff", "b", "empty"], ["\udcff", "b" * 99, "empty"])
    write(tmp_path, report)
    assert b"\xff" in (tmp_path / "classes.csv").read_bytes()
    assert "empty,empty,0,,,,0" in (tmp_path / "classes.csv").read_text(errors="replace")


# ----- pictures and their folder -----


@pytest.mark.parametrize("classes", [2, 200])
def test_the_confusion_matrix_can_be_seen(classes: int, tmp_path: Path) -> None:
    confusion = confusion_matrix(made(600, classes), classes)
    draw_confusion(tmp_path / "confusion.png", confusion, [f"class {c}" for c in range(classes)])
    assert shows_something(tmp_path / "confusion.png")


def facts_of(predictions: Predictions, **more: Any) -> dict[str, Any]:
    scores = asdict(predictions.scores())
    network = {"checkpoint": "runs/x/best.safetensors", "scores": {"centre": scores}}
    return {
        "networks": [network, network],
        "run": "runs/x", "epoch": 3, "stand": "after epoch 3", "recipe": "small",
        "data": "photos", "skipped": 0, "date": "today", "scores": {"centre": scores},
        "command": ["alexnet", "evaluate", "runs/my x"], **environment("cpu"), **more,
    }  # fmt: skip


def write(folder: Path, report: Report, **more: Any) -> None:
    facts = facts_of(report.predictions, **more)
    write_report(folder, report, facts)
    write_page(folder / "report.html", None, None, Measured(report, facts))


def test_a_report_never_overwrites_another(tmp_path: Path) -> None:
    name = str(tmp_path / "new" / "report")
    for images, number in ((1, ""), (7, "-2"), (3, "-3")):
        folder = report_folder(name)
        assert str(folder) == name + number
        write(folder, report_of(made(images, 3), [*"abc"], [*"abc"]))
        assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
        assert len(read_csv(folder / "predictions.csv")) == images
        assert shows_something(folder / "hardest.png")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is a file: give the name of a folder"):
        report_folder(str(tmp_path / "file"))
    with pytest.raises(FileExistsError, match=r"holds other files \(file\): give a new or empty"):
        report_folder(str(tmp_path))
    (tmp_path / "empty").mkdir()
    assert report_folder(str(tmp_path / "empty/")) == tmp_path / "empty"


def test_the_page_tells_all_of_a_report_and_takes_any_name(tmp_path: Path) -> None:
    predictions = made(90, 3)
    names = ["tench, Tinca tinca", "<b>&amp;\udcff\n", "שלום"]
    report = report_of(predictions, ["n1", "$x$", "n3"], names)
    write(tmp_path, report, date="2026-11-30", data="photos/<val>")
    text = (tmp_path / "report.html").read_text("utf-8")
    scores = predictions.scores()
    for part in (
        "The mean of 2 networks",
        f"<b><bdi>{scores.top1:.1%}</bdi></b><span>top-1</span>",
        "photos/&lt;val&gt;",
        "2026-11-30",
        "<bdi>alexnet evaluate &#x27;runs/my x&#x27;</bdi>",
        '<th scope="col">class</th><th scope="col">name</th>',
        "<bdi>centre</bdi>",
        "<bdi>tench</bdi>",
        "&lt;b&gt;&amp;amp;\\xff\\n",
        "<bdi>שלום</bdi>",
        "numpy",
    ):
        assert part in text, part
    assert text.count("data:image/jpeg;base64,") == 24
    assert "Tinca" not in text  # cut at the comma
    assert "top-5" not in text.lower()  # of three classes it is always 100%
    kept = json.loads((tmp_path / "report.json").read_text())
    assert kept["scores"]["centre"]["top1"] == scores.top1
    assert (kept["data"], kept["epoch"]) == ("photos/<val>", 3)


# ----- the commands -----


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, colours: Path, narrow_flags: list[str]) -> Path:
    """A run that has learnt something, on a mean image."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    flags = ["--epochs", "6", "--lr", "0.005", "--mean", "image", "--out", str(folder)]
    assert main(["train", str(colours), *narrow_flags, *flags]) == 0
    return folder


def evaluated(capsys: Capture, *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["evaluate", *arguments, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_ten_crops_stand_beside_the_centre(run: Path, capsys: Capture) -> None:
    plain = evaluated(capsys, str(run))
    ten = evaluated(capsys, str(run), "--ten-crop")
    assert list(plain["scores"]) == ["centre"]
    assert list(ten["scores"]) == ["centre", "ten crops"]
    assert ten["scores"]["centre"] == plain["scores"]["centre"]
    assert ten["scores"]["ten crops"]["loss"] != plain["scores"]["centre"]["loss"]
    names = [f"{place}{m}" for m in ("", "-mirrored") for place in
             ("top-left", "top-right", "bottom-left", "bottom-right", "centre")]  # fmt: skip
    assert evaluated(capsys, str(run), "--views", ",".join(names)) == ten
    assert main(["evaluate", str(run), "--ten-crop"]) == 0
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first.startswith("centre     top-1 ")
    assert second.startswith("ten crops  top-1 ")


def test_a_report_is_of_the_scores_and_of_readable_images_only(
    run: Path, tmp_path: Path, colours: Path, capsys: Capture
) -> None:
    data = shutil.copytree(colours, tmp_path / "data")
    (data / "val/green/green_1.png").write_text("no image")
    (data / "val/blue/blue_0.png").write_text("no image")
    report = tmp_path / "report"
    result = evaluated(capsys, str(run), str(data), "--ten-crop", "--report", str(report))
    assert result["skipped"] == 2
    facts = json.loads((report / "report.json").read_text())
    assert {name: facts[name] for name in result} == result
    assert facts["run"] == str(run)
    assert facts["command"][:2] == ["alexnet", "evaluate"]
    assert facts["versions"]["numpy"] == np.__version__
    assert "ten crops" in (report / "report.html").read_text()
    scores = result["scores"]["ten crops"]
    table = read_csv(report / "predictions.csv")
    assert len(table) == scores["images"] == 10
    assert np.mean([row["true"] == row["predicted"] for row in table]) == scores["top1"]
    for row in table:
        assert Path(row["name"]).parent.name == row["true"]  # names and labels in step
        assert Path(row["name"]).stem not in ("green_1", "blue_0")
    assert [row["images"] for row in read_csv(report / "classes.csv")] == ["3", "3", "4"]
    assert all(shows_something(report / name) for name in FILES if name.endswith(".png"))


def test_a_prepared_set_is_worth_what_its_folder_is(
    run: Path, tmp_path: Path, colours: Path, capsys: Capture
) -> None:
    packed, large = tmp_path / "packed", tmp_path / "large"
    assert main(["prepare", str(colours), str(packed), "--image-size", "72"]) == 0
    on_folder = evaluated(capsys, str(run), "--ten-crop")
    report = tmp_path / "report"
    flags = ["--ten-crop", "--report", str(report)]
    assert evaluated(capsys, str(run), str(packed), *flags)["scores"] == on_folder["scores"]
    assert read_csv(report / "predictions.csv")[0]["name"] == "blue/blue_0.png"
    assert main(["prepare", str(colours), str(large), "--image-size", "80"]) == 0
    assert "80 pixels, expected 72" in refused(capsys, "evaluate", str(run), str(large))


def test_predict_averages_views_as_evaluate_does(
    run: Path, tmp_path: Path, colours: Path, capsys: Capture
) -> None:
    report = tmp_path / "report"
    evaluated(capsys, str(run), "--ten-crop", "--report", str(report))
    table = read_csv(report / "predictions.csv")
    names = [row["name"] for row in table]
    assert main(["predict", str(run), *names, "--ten-crop", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    for row, result in zip(table, results, strict=True):
        best = result["predictions"][0]
        assert best["class"] == row["predicted"]
        assert best["probability"] == pytest.approx(float(row["probability"]), rel=1e-4)
    assert main(["predict", str(run), *names, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) != results


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--views", "middle"], "unknown view 'middle': use centre, top-left"),
        (["--views", "top,top"], "view 'top' is named twice"),
        (["--views", "top", "--ten-crop"], "not allowed with argument"),
    ],
)
def test_bad_views(flags: list[str], message: str, run: Path, capsys: Capture) -> None:
    for command in (["evaluate", str(run)], ["predict", str(run), "image.png"]):
        assert message in refused(capsys, *command, *flags)


def test_a_report_is_refused_before_the_work(run: Path, colours: Path, capsys: Capture) -> None:
    message = refused(capsys, "evaluate", str(run), "--report", str(colours))
    assert "holds other files (train): give a new or empty folder" in message


def refused(capsys: Capture, *arguments: str) -> str:
    """The one line of a command that ends with status 2."""
    capsys.readouterr()
    try:
        status = main(list(arguments))
    except SystemExit as exit:  # argparse
        status = int(str(exit.code))
    out, err = capsys.readouterr()
    assert (status, out, len(err.splitlines())) == (2, "", 1), err
    return err


@pytest.mark.parametrize("name", ["a.jpg", "a"])
def test_a_picture_is_a_png(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"give a name that ends in \.png"):
        save_picture(None, tmp_path / name)


def test_what_the_font_lacks_is_a_question_mark() -> None:
    assert shown("日本 rings é", 20) == "?? rings é"
