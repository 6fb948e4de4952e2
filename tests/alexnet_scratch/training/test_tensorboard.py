"""The event file is what TensorBoard reads, and a resumed run has nothing twice."""

import json
import math
from pathlib import Path

import pytest

from alexnet_scratch.recipe import Recipe
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.input import Splits, open_splits
from alexnet_scratch.training.metrics import EpochMetrics
from alexnet_scratch.training.tensorboard import FILE, Events, crc32c
from alexnet_scratch.training.trainer import Trainer


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard reads in a folder: steps and values by tag."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(folder), {reader.SCALARS: 0}).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]}  # fmt: skip


def run(folder: Path, recipe: Recipe, splits: Splits, resume: bool = False, **how: object) -> None:
    folder.mkdir(exist_ok=True)
    checkpoint = load_checkpoint(folder / "last.safetensors") if resume else None
    data = {"root": None, "train_images": len(splits.train)}
    Trainer(folder, recipe, splits, data, resume=checkpoint, workers=0, **how).run()


# RFC 3720, B.4.
@pytest.mark.parametrize(
    ("data", "crc"),
    [(bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)],
)
def test_the_checksum_is_that_of_the_standard(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc


def test_tensorboard_reads_each_step_and_epoch_once(
    colours: Path, narrow: Recipe, tmp_path: Path
) -> None:
    splits, folder = open_splits(colours, narrow), tmp_path / "run"
    run(folder, narrow, splits, max_steps=3, tensorboard=True)
    last = (folder / "last.safetensors").read_bytes()
    run(folder, narrow, splits, resume=True, max_steps=7)  # a run that has the file goes on with it
    (folder / "last.safetensors").write_bytes(last)  # killed: the steps after 3 are done again
    run(folder, narrow, splits, resume=True)
    found = scalars(folder)
    assert [step for step, _ in found["step/loss"]] == list(range(1, 11))
    assert [step for step, _ in found["step/lr"]] == list(range(1, 11))
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for name in ("train_loss", "train_top1", "val_loss", "val_top1", "val_top5"):
        assert found[f"epoch/{name}"] == [
            (row["epoch"], pytest.approx(row[name], rel=1e-6)) for row in rows
        ]
    first = sum(loss for step, loss in found["step/loss"][:4]) * 8 + found["step/loss"][4][1] * 4
    assert first / 36 == pytest.approx(rows[0]["train_loss"], rel=1e-6)


def test_a_run_has_no_such_file_unless_it_is_asked_for(
    colours: Path, narrow: Recipe, tmp_path: Path
) -> None:
    run(tmp_path / "run", narrow, open_splits(colours, narrow), max_steps=1)
    assert not (tmp_path / "run" / FILE).exists()


def test_half_a_record_of_a_killed_run_is_cut_off(tmp_path: Path) -> None:
    events = Events(tmp_path / FILE)
    events.steps(300, [1.0, math.nan], 0.01)
    events.flush()
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole + whole[:30])
    row = EpochMetrics(1, 2.0, 0.1, 2.0, 0.25, 0.5, 0.01, 100.0, 60.0)
    events.begin(299, [row])
    found = scalars(tmp_path)
    assert found["step/loss"] == [(299, 1.0)]
    assert found["epoch/val_top1"] == [(1, 0.25)]
