"""`alexnet compare` tells what differs between runs, and what came out."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from PIL import Image

from alexnet_scratch.cli import main
from alexnet_scratch.commands.compare import table
from alexnet_scratch.recipe import RECIPES, Recipe
from alexnet_scratch.runs import grouped, read_run
from alexnet_scratch.training.metrics import EpochMetrics


def write_run(
    folder: Path, recipe: Recipe = RECIPES["small"], top1: tuple[float, ...] = (), **facts: object
) -> Path:
    """The small files of a run that reached these accuracies."""
    folder.mkdir()
    rows = [EpochMetrics(i + 1, 2 - t, t / 2, 1 - t, t, t / 2 + 0.5, 0.01, 100.0, 90.0)
            for i, t in enumerate(top1)]  # fmt: skip
    (folder / "recipe.json").write_text(recipe.to_json())
    (folder / "metrics.jsonl").write_text("".join(json.dumps(asdict(r)) + "\n" for r in rows))
    given = {"framework": "minigrad 1", "data": {"root": "/some/where/set"}, **facts}
    (folder / "run.json").write_text(json.dumps(given))
    return folder


def test_seeds_stand_in_one_column_with_mean_and_range(tmp_path: Path) -> None:
    small = replace(RECIPES["small"], epochs=3)
    runs = [write_run(tmp_path / f"s{seed}", replace(small, seed=seed), (0.5, best, 0.4))
            for seed, best in enumerate((0.6, 0.7, 0.8))]  # fmt: skip
    other = write_run(tmp_path / "other", replace(small, lr=0.02, name="mine"), (0.9, 0.8))
    lines = table(grouped(map(read_run, [*runs, other])), 100)
    cells = {line[:15].strip(): line[15:].split("  ") for line in lines}
    values = {name: [v.strip() for v in found if v.strip()] for name, found in cells.items()}
    assert values[""] == [] or values[""] == ["s0 and 2 more", "other"]
    assert values["lr"] == ["0.01", "0.02"]
    assert values["recipe"] == ["small", "mine"]
    assert values["seeds"] == ["0, 1, 2", "0"]
    assert values["epochs"] == ["3", "2 of 3"]
    assert values["best top-1"] == ["70.0% (60.0% to 80.0%)", "90.0%"]
    assert values["last top-1"] == ["40.0%", "80.0%"]
    assert values["minutes"] == ["4.5", "3.0"]
    assert "momentum" not in values


def test_other_data_or_another_framework_is_no_other_seed(tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path / "a"),
        write_run(tmp_path / "b", framework="PyTorch 2"),
        write_run(tmp_path / "c", data={"root": "/some/where/set", "checksum": "of pixels abc"}),
    ]
    assert len(grouped(map(read_run, folders))) == 3


def test_the_table_fits_the_terminal(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, recipe, (0.5,)) for name, recipe in RECIPES.items()]
    lines = table(grouped(map(read_run, runs)), 80)
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("best top-1") for line in lines) > 1
    assert all(any(name in line for line in lines) for name in RECIPES)


def test_one_run_that_has_just_begun_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/recipe.json").write_text(RECIPES["small"].to_json())
    assert main(["compare", str(tmp_path / "run"), "--plot", str(tmp_path / "all.png")]) == 0
    assert "0 of 5" in capsys.readouterr().out
    with Image.open(tmp_path / "all.png") as picture:
        assert picture.width > 500


def test_json_has_every_run_and_what_came_out(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    runs = [write_run(tmp_path / name, top1=top1) for name, top1 in (("a", (0.5,)), ("b", ()))]
    assert main(["compare", *map(str, runs), "--json"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert group["runs"] == [str(run) for run in runs]
    assert group["epochs_done"] == [1, 0]
    assert group["results"]["best top-1"] == {"mean": 0.5, "low": 0.5, "high": 0.5}


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("recipe.json", None, "it has no recipe.json; expected the folder"),
        ("recipe.json", '{"new": 1}', "recipe.json: unknown field new"),
        ("metrics.jsonl", '{"epoch": 1}', "metrics.jsonl: it has no 'train_loss'"),
        ("metrics.jsonl", '{"epo', "metrics.jsonl: this is no JSON"),
        ("run.json", '{"data": {"root": 5}}', "run.json: data.root is 5, expected str"),
    ],
)
def test_what_is_no_run_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture, file: str, text: str | None, said: str
) -> None:
    run = write_run(tmp_path / "run")
    (run / file).write_text(text) if text is not None else (run / file).unlink()
    assert main(["compare", str(run)]) == 2
    assert said in capsys.readouterr().err


def test_the_network_that_comes_with_the_package_is_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "mine", top1=(0.5,))
    assert main(["compare", "boxed", "mine"]) == 0
    assert capsys.readouterr().out.split("\n")[0].split() == ["boxed", "mine"]
