"""The loop: a run's folder, exact resume, interrupts, bad images, divergence."""

import json
import math
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.data import DataError
from alexnet_scratch.evaluation import evaluate
from alexnet_scratch.model import VARIANTS
from alexnet_scratch.recipe import RECIPES, Recipe
from alexnet_scratch.recipe.fits import NOT_CIFAR, NOT_ONE_TOWER
from alexnet_scratch.trained import load_trained
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.folder import RunError, new_folder, run_name
from alexnet_scratch.training.input import Splits, open_splits, train_transform
from alexnet_scratch.training.pace import Pace
from alexnet_scratch.training.position import Position
from alexnet_scratch.training.trainer import Outcome, Trainer
from alexnet_scratch.training.watchdog import Diverged
from minigrad.data import Dataset, SkipSample, Subset

FIELDS = [
    "epoch", "train_loss", "train_top1", "val_loss", "val_top1", "val_top5", "lr",
    "images_per_second", "seconds",
]  # fmt: skip
TIMES = ("images_per_second", "seconds")


def trainer(folder: Path, recipe: Recipe, splits: Splits, **options: Any) -> Trainer:
    folder.mkdir(exist_ok=True)
    data = {"root": None, "train_images": len(splits.train)}
    return Trainer(folder, recipe, splits, data, **options)


def resumed(folder: Path, splits: Splits, **options: Any) -> Trainer:
    checkpoint = load_checkpoint(folder / "last.safetensors")
    return trainer(folder, checkpoint.recipe, splits, resume=checkpoint, **options)


def metrics(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def assert_same_end(folder: Path, other: Path) -> None:
    """The same parameters, velocities, generator and metrics, to the last bit."""
    one, two = (load_checkpoint(f / "last.safetensors") for f in (folder, other))
    assert list(one.tensors) == list(two.tensors)
    assert any(name.startswith("optimizer.") for name in one.tensors)
    for name, tensor in one.tensors.items():
        assert tensor.data.tobytes() == two.tensors[name].data.tobytes(), name
    for f in ("epoch", "batch", "step", "lr", "schedule", "generator"):
        assert getattr(one.position, f) == getattr(two.position, f), f
    rows = [
        [{k: v for k, v in row.items() if k not in TIMES} for row in metrics(f)]
        for f in (folder, other)
    ]
    assert rows[0] == rows[1]


@pytest.fixture(scope="module")
def splits(colours: Path, narrow: Recipe) -> Splits:
    return open_splits(colours, narrow)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, narrow: Recipe, splits: Splits) -> Path:
    """A whole run: 36 images, 5 steps an epoch, 2 epochs."""
    folder = tmp_path_factory.mktemp("run") / "whole"
    assert trainer(folder, narrow, splits).run() is Outcome.FINISHED
    return folder


def test_a_runs_folder_holds_what_is_promised(undisturbed: Path, narrow: Recipe) -> None:
    names = {file.name for file in undisturbed.iterdir()}
    assert names == {
        "recipe.json", "metrics.jsonl", "curves.png", "last.safetensors", "best.safetensors",
        "log.txt", "steps.jsonl",
    }  # fmt: skip
    assert Recipe.from_json((undisturbed / "recipe.json").read_text()) == narrow
    rows = metrics(undisturbed)
    assert [list(row) for row in rows] == [FIELDS, FIELDS]
    assert [row["epoch"] for row in rows] == [1, 2]
    for row in rows:
        assert all(0 <= row[name] <= 1 for name in ("train_top1", "val_top1", "val_top5"))
        assert row["val_top5"] == 1  # of three classes
        assert 0 < row["lr"] <= narrow.lr
        assert row["images_per_second"] > 0 < row["seconds"]
    assert (undisturbed / "curves.png").read_bytes()[:4] == b"\x89PNG"
    log = (undisturbed / "log.txt").read_text().splitlines()
    assert sum("val loss" in line for line in log) == 2


def test_steps_are_written_once_however_often_a_run_is_killed(
    tmp_path: Path, narrow: Recipe, splits: Splits, undisturbed: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A row and a line for each step, without a terminal; means since the row before."""
    monkeypatch.setattr("alexnet_scratch.training.tally.EVERY", 0.0)
    run = tmp_path / "run"
    trainer(run, narrow, splits, max_steps=3).run()
    with open(run / "steps.jsonl", "a") as file:  # steps after the checkpoint, then killed
        file.write('{"step": 4, "loss": 9}\n{"st')
    resumed(run, splits).run()
    assert_same_end(run, undisturbed)
    rows = [json.loads(line) for line in (run / "steps.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 11))
    assert [(row["epoch"], row["batch"]) for row in rows[3:7]] == [(1, 4), (1, 5), (2, 1), (2, 2)]
    sizes = [8, 8, 8, 8, 4]
    for epoch, metric in enumerate(metrics(run)):
        own = rows[5 * epoch : 5 * epoch + 5]
        for name in ("loss", "top1"):
            mean = np.average([row[name] for row in own], weights=sizes)
            assert mean == pytest.approx(metric[f"train_{name}"])
        assert own[-1]["lr"] == metric["lr"]
    assert all(0 <= row["waiting"] <= 1 and row["seconds_left"] >= 0 for row in rows)
    lines = [line for line in capsys.readouterr().out.splitlines() if "step 7:" in line]
    assert len(lines) == 1
    for word in ("epoch 2/2, ", "loss ", "top-1 ", "lr ", "images/s", "waiting for data", " left"):
        assert word in lines[0]
    assert lines[0] in (run / "log.txt").read_text()


def test_the_length_of_a_run_is_told_with_what_shortens_it(narrow: Recipe) -> None:
    recipe = replace(narrow, epochs=30, batch_size=100, input_size=224, image_size=256)
    pace = Pace(recipe, 50, 10, None)
    for _ in range(20):
        assert pace.first_estimate(Position(batch=pace.steps), True) is None
        pace.count(4.0, 1.0)
    at = Position(batch=20, step=20)
    assert pace.seconds_left(at) == pytest.approx(4 * (30 * 50 - 20) + 30 * 10 * 4 / 3)
    told = pace.first_estimate(at, True)
    assert told is not None
    assert "At 25 images/s the run has 1 h 45 min to go: to epoch 30" in told
    assert all(lever in told for lever in ("--input-size 112", "--per-class", "--device cuda"))
    assert "--per-class" not in (pace.first_estimate(at, False) or "--per-class")
    pace.seconds_per_validation = 60.0
    assert pace.seconds_left(at) == pytest.approx(4 * (30 * 50 - 20) + 30 * 60)
    pace.max_steps = 120  # ends in the third epoch
    assert pace.seconds_left(at) == pytest.approx(4 * 100 + 2 * 60)
    pace.count(4.0, 0.0)
    assert pace.first_estimate(at, True) is None  # once


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("preset", RECIPES)
def test_every_preset_and_variant_takes_steps(
    preset: str, variant: str, tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    has_not = {"one-tower": NOT_ONE_TOWER, "cifar": NOT_CIFAR}.get(variant, ())
    fixed = {name: getattr(Recipe, name) for name in has_not}
    if variant == "one-tower":
        fixed |= {"dropout": "inverted", "conv1_edge": "pad"}
    elif variant == "cifar":
        fixed |= {"widths": (8, 8, 8), "init": "source2012"}
    sizes = {name: getattr(narrow, name) for name in ("widths", "fc_width", "batch_size")}
    sizes |= {"input_size": 64, "image_size": 72}
    recipe = replace(RECIPES[preset], **{**sizes, "variant": variant, **fixed})
    it = trainer(tmp_path / "run", recipe, splits, max_steps=2)
    before = {name: p.data.copy() for name, p in it.model.named_parameters()}
    assert it.run() is Outcome.STEP_LIMIT
    assert 0 < it.tally.totals.mean_loss < 5
    for name, p in it.model.named_parameters():
        assert (p.grad.data != 0).any(), name
        if name.endswith("weight"):  # a bias of 1 may swallow a tiny step
            assert (p.data != before[name]).any(), name


def test_colour_noise_has_its_end(
    tmp_path: Path, narrow: Recipe, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = replace(narrow, colour_noise="deviation", mean="channel", colour_epochs=1)
    it = trainer(tmp_path, noisy, splits)
    seen, to_input = [], it.to_input

    def recorded(images: Any, places: Any, alphas: Any) -> Any:
        seen.append(alphas is not None)
        return to_input(images, places, alphas)

    monkeypatch.setattr(it, "to_input", recorded)
    it.run()
    assert seen == [True] * 5 + [False] * 5


def test_images_in_a_row_share_their_crop(tmp_path: Path, narrow: Recipe, splits: Splits) -> None:
    recipe = replace(narrow, crop_chunk=4, batch_size=12)
    for shared, expected in ((recipe, 3), (narrow, 8)):
        loader = trainer(tmp_path, shared, splits).loader
        _, _, places = next(iter(loader.batches(3)))
        assert len(np.unique(places.data, axis=0)) == pytest.approx(expected, abs=1)
        if shared is recipe:
            assert (places.data.reshape(3, 4, 3) == places.data.reshape(3, 4, 3)[:, :1]).all()


def test_more_epochs_stretch_a_replayed_schedule(
    tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    steps = {"schedule": "steps", "drop_epochs": (50,), "replayed_epochs": 100, "warmup_steps": 0}
    recipe = replace(narrow, **steps)  # type: ignore[arg-type]
    assert trainer(tmp_path, recipe, splits, max_steps=7).run() is Outcome.STEP_LIMIT
    checkpoint = load_checkpoint(tmp_path / "last.safetensors")
    longer = replace(recipe, epochs=4)
    it = trainer(tmp_path, longer, splits, resume=checkpoint)
    assert it.schedule.get_last_lr()[0] == recipe.lr  # half of 4 epochs are not over, of 2 they are
    assert it.run() is Outcome.FINISHED
    assert [row["lr"] for row in metrics(tmp_path)] == pytest.approx(
        [recipe.lr, recipe.lr, 0.1 * recipe.lr, 0.1 * recipe.lr]
    )


def test_best_is_the_best_epoch(undisturbed: Path) -> None:
    rows = metrics(undisturbed)
    best = max(rows, key=lambda row: (row["val_top1"], -row["val_loss"]))
    position = load_checkpoint(undisturbed / "best.safetensors").position
    assert position.epoch == position.best["epoch"] == best["epoch"]


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("steps", [3, 5, 8])
def test_resume_is_exact(
    steps: int, workers: int, tmp_path: Path, narrow: Recipe, splits: Splits, undisturbed: Path
) -> None:
    """Stopped in the first epoch, between the two, and in the second."""
    first = trainer(tmp_path / "run", narrow, splits, max_steps=steps, workers=workers)
    assert first.run() is Outcome.STEP_LIMIT
    stopped = load_checkpoint(tmp_path / "run/last.safetensors").position
    assert (stopped.step, stopped.epoch, stopped.batch) == (steps, steps // 5, steps % 5)
    del first
    assert resumed(tmp_path / "run", splits).run() is Outcome.FINISHED
    assert_same_end(tmp_path / "run", undisturbed)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_resume_is_exact_with_adam(
    optimizer: str, tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    recipe = replace(narrow, optimizer=optimizer, lr=0.001, weight_decay=0.1)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert trainer(whole, recipe, splits).run() is Outcome.FINISHED
    assert trainer(parts, recipe, splits, max_steps=3).run() is Outcome.STEP_LIMIT
    again = resumed(parts, splits)
    assert {entry["step"] for entry in again.optimizer.state.values()} == {3}
    assert again.run() is Outcome.FINISHED
    assert_same_end(parts, whole)


def test_averaged_weights_are_what_is_validated_and_used(
    tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    """A checkpoint holds both; training goes on from its own, everything else takes the average."""
    recipe = replace(narrow, average=0.9)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert trainer(whole, recipe, splits).run() is Outcome.FINISHED
    assert trainer(parts, recipe, splits, max_steps=3).run() is Outcome.STEP_LIMIT
    stopped = load_checkpoint(parts / "last.safetensors")
    again = resumed(parts, splits)
    assert again.average is not None
    assert int(again.average.n_averaged.data) == 3
    for name, value in again.model.state_dict().items():
        np.testing.assert_array_equal(value.data, stopped.tensors[f"model.{name}"].data)
    assert again.run() is Outcome.FINISHED
    assert_same_end(parts, whole)

    checkpoint, used = load_checkpoint(parts / "last.safetensors"), load_trained(parts)
    for name, value in checkpoint.model().state_dict().items():
        assert (value.data != checkpoint.tensors[f"model.{name}"].data).any(), name
        np.testing.assert_array_equal(value.data, again.average.module.state_dict()[name].data)
    scores = evaluate(checkpoint.model(), again.val_loader, recipe, pixels=checkpoint.pixels)
    assert scores.loss == pytest.approx(metrics(parts)[-1]["val_loss"])
    best = load_checkpoint(parts / "best.safetensors").model()
    np.testing.assert_array_equal(used.model.fc8.weight.data, best.fc8.weight.data)


def test_an_average_made_for_long_runs_serves_a_short_one(
    tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    """Ten steps with a decay for a hundred thousand: the average lies near the last weights."""
    it = trainer(tmp_path, replace(narrow, average=0.99999), splits)
    first = {name: p.data.copy() for name, p in it.model.named_parameters()}
    it.run()
    away, left = 0.0, 0.0
    for (name, now), average in zip(
        it.model.named_parameters(), it.tested.parameters(), strict=True
    ):
        away += float(((average.data - first[name]) ** 2).sum())
        left += float(((average.data - now.data) ** 2).sum())
    assert left < 0.5 * away


def test_gradients_are_clipped_together(tmp_path: Path, narrow: Recipe, splits: Splits) -> None:
    it = trainer(tmp_path, replace(narrow, clip=0.01, epochs=1), splits)
    it.run()
    [row] = (json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines())
    assert row["grad_norm"] > 0.1  # before
    norm = math.sqrt(sum(float((p.grad.data**2).sum()) for p in it.model.parameters()))
    assert norm == pytest.approx(0.01, rel=1e-3)


def test_a_norm_that_is_no_number_is_not_in_the_file(
    tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    """JSON has none; it comes with a step that is skipped."""
    it = trainer(tmp_path, replace(narrow, clip=1.0), splits)
    for norm in (math.nan, math.inf, 2.0):
        it.tally.totals.images += 1
        row = it.tally.pace.row(it.tally.totals, it.at, np.float32(norm))
        assert row is not None
        assert json.loads(row.json(), parse_constant=pytest.fail).get("grad_norm", 0) in (0, 2)


def test_resized_crops_have_the_recipes_area(narrow: Recipe, splits: Splits) -> None:
    recipe = replace(narrow, crop="resized", crop_area=(0.9, 1.0))
    assert train_transform(recipe).resized.scale == (0.9, 1.0)  # type: ignore[union-attr]
    torchvisions = replace(narrow, crop="resized")
    assert train_transform(torchvisions).resized.scale == (0.08, 1.0)  # type: ignore[union-attr]


class InterruptAt(Dataset):
    """A data set whose n-th sample comes with a signal."""

    def __init__(self, dataset: Dataset, n: int, number: int = signal.SIGINT) -> None:
        self.dataset, self.left, self.number = dataset, n, number

    def __len__(self) -> int:
        return len(self.dataset)

    def sample(self, index: int, rng: np.random.Generator) -> Any:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(self.number)
        return self.dataset.sample(index, rng)


@pytest.mark.parametrize("where", ["training", "SIGTERM", "last batch of the epoch", "validation"])
def test_ctrl_c_finishes_the_batch_and_saves(
    where: str, tmp_path: Path, narrow: Recipe, splits: Splits, undisturbed: Path
) -> None:
    """The signal comes while a batch is loaded in the main thread; the batch is still trained."""
    wrapped = {
        # The first batch of 8 is loaded twice: for the initialisation, too.
        "training": replace(splits, train=InterruptAt(splits.train, 8 + 12)),
        "last batch of the epoch": replace(splits, train=InterruptAt(splits.train, 8 + 34)),
        "SIGTERM": replace(splits, train=InterruptAt(splits.train, 8 + 12, signal.SIGTERM)),
        "validation": replace(splits, val=InterruptAt(splits.val, 3)),
    }[where]
    run = tmp_path / "run"
    before = signal.getsignal(signal.SIGINT)  # a shell's background job ignores it
    assert trainer(run, narrow, wrapped, workers=0).run() is Outcome.INTERRUPTED
    position = load_checkpoint(run / "last.safetensors").position
    assert (position.epoch, position.batch) == (0, 2 if where in ("training", "SIGTERM") else 5)
    assert signal.getsignal(signal.SIGINT) is before
    assert resumed(run, splits).run() is Outcome.FINISHED
    assert_same_end(run, undisturbed)


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path, narrow: Recipe, splits: Splits) -> None:
    it = trainer(tmp_path / "run", narrow, splits)
    it.signals.ask()
    with pytest.raises(KeyboardInterrupt):
        it.signals.ask()


def test_more_epochs_go_on_from_a_finished_run(
    tmp_path: Path, undisturbed: Path, splits: Splits
) -> None:
    run = shutil.copytree(undisturbed, tmp_path / "run")
    checkpoint = load_checkpoint(run / "last.safetensors")
    recipe = replace(checkpoint.recipe, epochs=3)
    assert trainer(run, recipe, splits, resume=checkpoint).run() is Outcome.FINISHED
    rows = metrics(run)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[:2] == metrics(undisturbed)
    # The cosine and its warm-up (3, a quarter) are those of 15 steps now.
    last = (1 + math.cos(math.pi * (14 - 3) / (15 - 3))) / 2
    assert rows[2]["lr"] == pytest.approx(recipe.lr * last)


def test_resume_wants_the_same_data(tmp_path: Path, undisturbed: Path, splits: Splits) -> None:
    fewer = replace(splits, train=Subset(splits.train, range(30)))
    with pytest.raises(RunError, match="30 training images, the run had 36"):
        resumed(undisturbed, fewer)
    renamed = replace(splits, classes=["a", "b", "c"])
    with pytest.raises(RunError, match="classes a, b, c, the run was trained on blue, green, red"):
        resumed(undisturbed, renamed)


class SomeBad(Dataset):
    """Samples of another data set, repeated; those of the given indices cannot be read."""

    def __init__(self, dataset: Dataset, length: int, bad: set[int]) -> None:
        self.dataset, self.length, self.bad = dataset, length, bad

    def __len__(self) -> int:
        return self.length

    def sample(self, index: int, rng: np.random.Generator) -> Any:
        if index in self.bad:
            raise SkipSample(f"image_{index}.jpg: cut short")
        return self.dataset.sample(index % len(self.dataset), rng)

    def describe(self, index: int) -> str:
        return f"image_{index}.jpg"


def test_a_bad_image_is_named_once_and_skipped(
    tmp_path: Path, narrow: Recipe, splits: Splits, capsys: pytest.CaptureFixture[str]
) -> None:
    some_bad = replace(splits, train=SomeBad(splits.train, 50, {7, 42}))  # more than 1%, but few
    it = trainer(tmp_path / "run", replace(narrow, batch_size=25), some_bad)
    assert it.run() is Outcome.FINISHED
    said = capsys.readouterr().out
    assert said.count("Skipped, cannot be read: image_42.jpg: cut short") == 1
    assert "image_42.jpg" in (tmp_path / "run/log.txt").read_text()


def test_too_many_bad_images_stop_training(tmp_path: Path, narrow: Recipe, splits: Splits) -> None:
    too_many = replace(splits, train=SomeBad(splits.train, 100, {4, 42, 43, 44}))
    with pytest.raises(DataError, match=r"4 of 100 images.*more than the 3 .*image_4"):
        trainer(tmp_path / "run", narrow, too_many).run()
    bad_val = replace(splits, val=SomeBad(splits.val, 3, {0, 1, 2}))
    with pytest.raises(DataError, match="3 of 3 images cannot be read"):
        trainer(tmp_path / "other", narrow, bad_val).run()


def test_a_batch_without_any_image_keeps_its_place(
    tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    """The loader yields no such batch; the cursor must count it, or resume would be off by one."""
    one_bad = replace(splits, train=SomeBad(splits.train, 100, {42}))
    it = trainer(tmp_path / "run", replace(narrow, batch_size=1), one_bad)
    place = it.loader.order(0).index(42)
    done = [number for number, _ in it.feed.batches(0, place - 2)]
    assert done == [place - 1, place, *range(place + 2, 101)]


def test_divergence_keeps_the_last_checkpoint(
    tmp_path: Path, narrow: Recipe, splits: Splits
) -> None:
    run = tmp_path / "run"
    trainer(run, narrow, splits, max_steps=2).run()
    before = (run / "last.safetensors").read_bytes()
    it = resumed(run, splits)
    it.model.fc8.bias.data[...] = np.nan
    with pytest.raises(Diverged, match=r"loss is nan at step 3.*--lr 0.00333"):
        it.run()
    assert (run / "last.safetensors").read_bytes() == before
    it.tally.totals.add(np.float32(np.inf), np.int64(0), 8)
    with pytest.raises(Diverged):
        it._save()
    assert (run / "last.safetensors").read_bytes() == before


def test_a_killed_run_gets_its_files_in_step_again(
    tmp_path: Path, undisturbed: Path, splits: Splits
) -> None:
    """Killed after the checkpoint, before the files that follow from it."""
    run = shutil.copytree(undisturbed, tmp_path / "run")
    (run / "metrics.jsonl").write_text("half a li")
    (run / "best.safetensors").unlink()
    resumed(run, splits).run()
    assert metrics(run) == metrics(undisturbed)
    last = load_checkpoint(run / "last.safetensors").position
    assert (run / "best.safetensors").exists() == (last.best["epoch"] == last.epoch)


def test_a_run_folder_is_never_shared(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = run_name("sets/imagenette", "small")
    taken = [new_folder(name, None) for _ in range(3)]
    assert [str(folder) for folder, _ in taken] == [
        "runs/imagenette-small", "runs/imagenette-small-2", "runs/imagenette-small-3",
    ]  # fmt: skip
    assert run_name(None, "paper") == "patterns-paper"
    assert run_name(".", "../x") == f"{tmp_path.name}-x"
    with pytest.raises(RunError, match=r"is not empty: go on with it \(--resume"):
        new_folder("small", str(undisturbed))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty: give the name"):
        new_folder("small", str(tmp_path))
    with pytest.raises(RunError, match="is a file"):
        new_folder("small", str(tmp_path / "notes.txt"))
    (tmp_path / "new").mkdir()
    (tmp_path / "new/log.txt").write_text("of a run that never began")
    folder, lock = new_folder("small", "new")
    assert folder == Path("new")
    for held in (lock, *(lock for _, lock in taken)):
        held.release()
