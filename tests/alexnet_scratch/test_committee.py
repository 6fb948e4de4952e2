"""`alexnet evaluate RUN RUN ...`: each network, and the mean of what they say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import alexnet_scratch
from alexnet_scratch.cli import main
from alexnet_scratch.data.views import CENTRE, TEN_CROP
from alexnet_scratch.evaluation import Committee, NoImagesError, collect
from alexnet_scratch.training.checkpoint import load_checkpoint
from minigrad.data import DataLoader, TensorDataset
from minigrad.serialization import load_metadata, save_file

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, colours: Path, narrow_flags: list[str]
) -> list[Path]:
    """Three runs on the colours: a seed each, and the last one on larger images of its own mean."""
    folder = tmp_path_factory.mktemp("runs")
    flags = ["train", str(colours), *narrow_flags, "--max-steps", "1"]
    more = [[], ["--seed", "1"], ["--image-size", "80", "--input-size", "72", "--mean", "image"]]
    for name, own in zip("abc", more, strict=True):
        assert main([*flags, *own, "--out", str(folder / name)]) == 0
    return [folder / name for name in "abc"]


def evaluated(capsys: Capture, *arguments: Path | str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def refused(capsys: Capture, *arguments: Path | str) -> str:
    capsys.readouterr()
    assert main(["evaluate", *map(str, arguments)]) == 2
    return capsys.readouterr().err


def mean_of(runs: list[Path], colours: Path) -> tuple[float, float]:
    """Loss and top-1 of the mean of the probabilities, from one prediction after the other."""
    networks = [alexnet_scratch.load(run) for run in runs]
    losses, right = [], []
    for label, name in enumerate(("blue", "green", "red")):
        for file in sorted((colours / "val" / name).iterdir()):
            rows = [network.predict(network.image(file)[None])[0] for network in networks]
            mean = np.mean(np.array(rows, np.float64), axis=0)
            losses.append(-np.log(mean[label]))
            right.append(mean.argmax() == label)
    return float(np.mean(losses)), float(np.mean(right))


def test_the_mean_is_of_probabilities_each_network_with_its_own_input(
    runs: list[Path], colours: Path, capsys: Capture
) -> None:
    found = evaluated(capsys, *runs)
    loss, top1 = mean_of(runs, colours)
    mean = found["scores"]["centre"]
    assert mean["loss"] == pytest.approx(loss, rel=1e-5)
    assert (mean["top1"], mean["images"]) == (top1, 12)
    for run, network in zip(runs, found["networks"], strict=True):
        alone = evaluated(capsys, run)
        assert {key: alone[key] for key in network} == network  # to the bit
    assert evaluated(capsys, *runs, colours)["scores"] == found["scores"]  # DATA by its name


def test_one_network_twice_is_that_network(runs: list[Path], capsys: Capture) -> None:
    assert "networks" not in evaluated(capsys, runs[0], runs[0])
    copy = shutil.copytree(runs[0], runs[0].with_name("copy"))
    found, alone = evaluated(capsys, runs[0], copy), evaluated(capsys, runs[0])
    for name, value in alone["scores"]["centre"].items():
        assert found["scores"]["centre"][name] == pytest.approx(value, rel=1e-12), name


def test_views_and_lines_for_people(
    runs: list[Path], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slow in ("draw_confusion", "draw_hardest"):
        monkeypatch.setattr(f"alexnet_scratch.report.{slow}", lambda *_: None)
    capsys.readouterr()
    report = tmp_path / "report"
    assert main(["evaluate", *map(str, runs[:2]), "--ten-crop", "--report", str(report)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()[:3]) for line in lines[:4]] == [
        f"{runs[0]} centre top-1", f"{runs[0]} ten crops", f"{runs[1]} centre top-1",
        f"{runs[1]} ten crops",
    ]  # fmt: skip
    assert lines[4].startswith("the mean of 2 networks")
    assert "top-5" not in "".join(lines)  # of three classes
    assert lines[6].startswith("the mean of 2 networks, on the validation images of ")
    page = (report / "report.html").read_text("utf-8")
    assert "The mean of 2 networks" in page
    assert "Each network by itself" in page
    table = (report / "predictions.csv").read_text("utf-8").splitlines()
    assert len(table) == 13


def test_classes_in_another_order_are_put_in_order(
    runs: list[Path], tmp_path: Path, capsys: Capture
) -> None:
    """A network whose outputs are turned around says the same."""
    file = runs[1] / "last.safetensors"
    checkpoint, metadata = load_checkpoint(file), load_metadata(file)
    tensors = dict(checkpoint.tensors)
    for name in ("model.fc8.weight", "model.fc8.bias"):
        tensors[name].data[...] = tensors[name].data[::-1].copy()
    metadata["classes"] = json.dumps(checkpoint.classes[::-1])
    (tmp_path / "turned").mkdir()
    save_file(tensors, tmp_path / "turned" / "last.safetensors", metadata)
    turned = tmp_path / "turned"
    for given, expected in (
        ([turned], runs[1:2]), ([runs[0], turned], runs[:2]), ([turned, runs[0]], runs[:2]),
    ):  # fmt: skip
        said = evaluated(capsys, *given)["scores"]["centre"]
        assert said == pytest.approx(evaluated(capsys, *expected)["scores"]["centre"], rel=1e-6)


def test_what_cannot_be_averaged_is_told_before_the_work(
    runs: list[Path], tmp_path: Path, colours: Path, narrow_flags: list[str], capsys: Capture
) -> None:
    packed = tmp_path / "packed"
    assert main(["prepare", str(colours), str(packed), "--image-size", "72"]) == 0
    said = refused(capsys, *runs, packed)
    assert f"{packed} holds images of 72 pixels, {runs[2]}" in said
    assert "for networks of several sizes give the folder of images" in said
    assert evaluated(capsys, *runs[:2], packed)["scores"]["centre"]["images"] == 12
    assert "no such run" in refused(capsys, runs[0], tmp_path / "nowhere", colours)
    assert "no such folder" in refused(capsys, runs[0], tmp_path / "nowhere")
    assert "not the folder of a run" in refused(capsys, runs[0], colours, packed)
    for name in ("blue", "pink"):
        (tmp_path / "others" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (72, 72), name).save(tmp_path / "others" / name / f"{i}.png")
    other = tmp_path / "other"
    train = ["train", str(tmp_path / "others"), *narrow_flags, "--max-steps", "1"]
    assert main([*train, "--out", str(other)]) == 0
    said = refused(capsys, runs[0], other)
    assert f"not the classes that {other / 'best.safetensors'} was trained on" in said
    # Images that one network held out of a folder, another one was trained on.
    assert main([*train, "--seed", "5", "--out", str(tmp_path / "seed")]) == 0
    said = refused(capsys, other, tmp_path / "seed")
    assert "give a data set that none of them has seen" in said


def test_a_committee_wants_the_same_images(runs: list[Path]) -> None:
    network = alexnet_scratch.load(runs[0])
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 72, 72, 3)).astype(np.uint8)
    labels = np.array([0, 1, 2, 0, 1])

    def batches(order: list[int]) -> DataLoader:
        return DataLoader(TensorDataset(images, labels[order]), 2)

    committee = Committee()
    with pytest.raises(NoImagesError, match="call add first"):
        committee.predictions()
    how = (network.recipe, "cpu", [CENTRE, TEN_CROP], network.pixels)
    alone = committee.add(network.model, batches([0, 1, 2, 3, 4]), *how)
    for said, expected in zip(alone, collect(network.model, batches([0, 1, 2, 3, 4]), *how),
                              strict=True):  # fmt: skip
        for field in vars(expected):
            np.testing.assert_array_equal(getattr(said, field), getattr(expected, field))
    with pytest.raises(ValueError, match="not the images that the others were shown"):
        committee.add(network.model, batches([4, 3, 2, 1, 0]), *how)
