"""docs/results.md and README's table say what the small files of the kept runs say."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import results

from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training.metrics import EpochMetrics

SMALL = replace(RECIPES["small"], input_size=128, image_size=144, epochs=2)
TREE = sorted(results.FOLDER.glob("*/*"))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Two seeds of a recipe and one of its twin, as `collect` leaves them."""
    published = "set,network,top-1,top-5,how,source\nbirds,another,50,,one view,https://one.org\n"
    (tmp_path / results.PUBLISHED).write_text(published)
    for name, seed, by, top1 in (("a", 0, "minigrad 1", 0.7), ("b", 1, "minigrad 1", 0.8),
                                 ("t", 0, "PyTorch 2", 0.76)):  # fmt: skip
        folder = tmp_path / "birds" / name
        folder.mkdir(parents=True)
        rows = [EpochMetrics(i, 1, 0.5, 1, top1 - 0.1, 0.9, 0.1, 100.0, 600.0) for i in (1, 2)]
        (folder / "recipe.json").write_text(replace(SMALL, seed=seed).to_json())
        (folder / "metrics.jsonl").write_text("".join(json.dumps(asdict(r)) + "\n" for r in rows))
        data = {"root": "birds", "train_images": 1000, "val_images": 100, "classes": 10}
        facts = {"framework": by, "command": ["alexnet", "train", "birds"], "device_name": "EPYC",
                 "threads": 2, "commit": "c" * 40, "data": data}  # fmt: skip
        (folder / "run.json").write_text(json.dumps(facts))
        views = {"centre": {"top1": top1, "top5": 0.95}, "ten crops": {"top1": top1 + 0.02}}
        (folder / "result.json").write_text(
            json.dumps({"checksum": f"{seed}" * 64, "epoch": 2, "scores": views})
        )
    return tmp_path


def test_the_page_has_each_recipe_beside_its_twin_and_what_was_published(kept: Path) -> None:
    text = results.page(kept)
    recipe = "`small --input-size 128 --image-size 144 --epochs 2`"
    assert (
        f"| {recipe} | minigrad 1 | 0, 1 | 75.0 (70.0 to 80.0) | 95.0 | 77.0 (72.0 to 82.0) | 20 | "
        "EPYC, 2 threads |\n"
        f"| {recipe} | PyTorch 2 | 0 | 76.0 | 95.0 | 78.0 | 20 | EPYC, 2 threads |\n"
    ) in text
    assert f"{recipe}: PyTorch's mean is +1.0 points from ours." in text
    assert "1,000 training and 100 validation images of 10 classes." in text
    assert "- [b](results/birds/b): `alexnet train birds`; seed 1, epoch 2; commit `cccccccccc`, " \
        "weights `sha256 1111111111111111`" in text  # fmt: skip
    assert "| another | 50 |  | one view | https://one.org |" in text


def test_readme_has_a_line_per_recipe_and_the_set_a_picture(kept: Path) -> None:
    readme = kept / "README.md"
    readme.write_text("before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n")
    results.write(kept, kept / "page.md", readme)
    lines = readme.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert lines[4] == (
        "| birds | `small --input-size 128 --image-size 144 --epochs 2` | 0, 1 | "
        "75.0 (70.0 to 80.0) | 77.0 (72.0 to 82.0) | 76.0 | 20 |"
    )
    assert (kept / "birds/curves.png").stat().st_size > 1000
    assert (kept / "page.md").read_text() == results.page(kept)


def test_what_anothers_weights_give_is_said_beside_as_many_steps_without(kept: Path) -> None:
    for name in ("a", "b"):
        file = kept / "birds" / name / "run.json"
        source = {"run": "/home/me/boxed", "checksum": "sha256 1"}
        facts = {**json.loads(file.read_text()), "init_from": source}
        facts["framework"] = "minigrad 1"
        file.write_text(json.dumps({**facts, "init_from": results.stripped(facts)["init_from"]}))
    own = kept / "birds" / "t" / "run.json"
    own.write_text(own.read_text().replace("PyTorch 2", "minigrad 1"))
    (kept / "birds" / results.ABOUT).write_text("Ten birds.\n")
    text = results.page(kept)
    assert "Ten birds.\n" in text
    flags = "--input-size 128 --image-size 144 --epochs 2"
    tuned, scratch = "`small --init-from boxed --epochs 2`", f"`small {flags}`"
    assert f"{tuned}: -1.0 points from {scratch}, in as many steps." in text


def test_no_folder_and_no_host_of_a_machine_is_kept() -> None:
    start = {"command": ["alexnet", "train", "/home/me/set", "--out", "runs/x"], "host": "box",
             "folder": "/home/me", "system": "Linux-1", "device": "cpu", "threads": 2}  # fmt: skip
    facts = {**start, "data": {"root": "/home/me/set", "classes": 3},
             "resumed": [{"at": {"step": 5}, **start}]}  # fmt: skip
    assert results.stripped(facts) == {
        "device": "cpu", "threads": 2, "command": ["alexnet", "train", "set", "--out", "runs/x"],
        "data": {"root": "set", "classes": 3},
        "resumed": [{"at": {"step": 5}, "device": "cpu", "threads": 2}],
    }  # fmt: skip


def test_a_path_is_known_behind_a_flag_and_with_a_slash() -> None:
    given = ["alexnet", "/a/set/", "--out=/home/me/x", "~/y", "../../z", "--lr=0.1", "runs/x", "-1"]
    assert results.without_folders(given) == [
        "alexnet", "set", "--out=x", "y", "z", "--lr=0.1", "runs/x", "-1"
    ]  # fmt: skip


def test_the_page_of_the_tree_is_what_the_script_writes() -> None:
    assert results.PAGE.read_text("utf-8") == results.page(results.FOLDER), "results.py write"
    (found,) = re.findall(
        r"<!-- results: begin -->\n(.*)\n<!-- results: end -->",
        results.README.read_text("utf-8"), re.DOTALL,
    )  # fmt: skip
    assert found == results.readme_table(results.FOLDER), "results.py write"


@pytest.mark.parametrize("run", [f for f in TREE if f.is_dir()], ids=lambda f: f.name)
def test_what_is_kept_of_a_run_names_no_place(run: Path) -> None:
    text = (run / "run.json").read_text("utf-8")
    assert not [word for word in re.findall(r'"([^"]*)"', text) if word.startswith("/")]
    assert '"host"' not in text
    assert '"folder"' not in text
