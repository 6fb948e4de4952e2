"""Does loading keep the GPU busy? Training from a prepared set against the same step alone.

Fed: the epochs of `alexnet train`, its own loop, on the paper's network with crops, flips and
colour noise, from the first batch asked for to the last loss read. Resident: the step alone, on one
batch of floats that stays on the device. The first epoch is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path

import data_pipeline
import gpu_device
from rounds import Result, ratio_line, spread

from alexnet_scratch.bench import TrainingStep
from alexnet_scratch.data.packed import open_packed
from alexnet_scratch.data.prepare import prepare
from alexnet_scratch.data.sources import open_source
from alexnet_scratch.recipe import RECIPES, Recipe, build_model
from alexnet_scratch.training.input import open_splits
from alexnet_scratch.training.trainer import Trainer
from minigrad.tools.text import align

FED, RESIDENT = "fed from the set", "resident batch"
SIDES = (FED, RESIDENT)
EPOCHS = 4  # the first is not counted
WORKERS = 2
LINE = 0.95  # of the resident rate


@contextmanager
def prepared(folder: Path | None, images: int) -> Iterator[Path]:
    """`folder`, or a set of so many made photos for as long as it is needed."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as made:
        photos, out = Path(made) / "photos", Path(made) / "set"
        print(f"making a set of {images} images", file=sys.stderr)
        data_pipeline.make_photos(photos, images)
        with closing(open_source(photos)) as source:
            prepare(source, out, name="photos", progress=False)
        yield out


def recipe(options: argparse.Namespace) -> Recipe:
    """The paper's, on the first variant and batch size that are asked for."""
    changes = {"variant": options.variant[0], "batch_size": options.batch[0], "epochs": EPOCHS}
    return replace(RECIPES["paper"], **changes)


class TimedTrainer(Trainer):
    """A trainer that knows how long its epochs of training took, validation not counted."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.epochs: list[float] = []

    def _train_epoch(self) -> None:
        begin = time.perf_counter()
        super()._train_epoch()  # ends when the last loss has been read
        self.epochs.append(time.perf_counter() - begin)


def work_fed(options: argparse.Namespace) -> Result:
    """Images/s of training on a prepared set."""
    chosen = recipe(options)
    splits = open_splits(options.set, chosen)
    data = {"root": str(options.set), "train_images": len(splits.train), "names": splits.names,
            "resize": splits.resize}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        trainer = TimedTrainer(
            Path(folder), chosen, splits, data,
            device="cuda", workers=WORKERS, precision=options.precision[0],
        )  # fmt: skip
        trainer.run()
    images = len(splits.train)
    what = f"{chosen.variant}, {options.precision[0]}, batch {chosen.batch_size}, {images} images"
    return {"rate": images / statistics.median(trainer.epochs[1:]), "what": what}


def work_resident(options: argparse.Namespace) -> Result:
    """Images/s of the same network's step alone."""
    chosen, clock = recipe(options), gpu_device.cupy_clock()
    classes = len(open_packed(options.set).classes)
    step = TrainingStep(
        build_model(chosen, classes).to("cuda"), chosen.batch_size, precision=options.precision[0]
    )
    gpu_device.step_seconds(step, 5, clock)
    seconds = gpu_device.step_seconds(step, options.steps, clock)
    return {"rate": chosen.batch_size / statistics.median(seconds)}


def report(rounds: list[dict[str, Result]]) -> str:
    """The table, and whether the line is held."""
    cells = [("", "images/s", "min..max")]
    cells += [(side, *spread([r[side]["rate"] for r in rounds], ".0f")) for side in SIDES]
    share = statistics.median(r[FED]["rate"] / r[RESIDENT]["rate"] for r in rounds)
    said = "held" if share >= LINE else "missed"
    return "\n".join([
        f"{rounds[0][FED]['what']} in the set, {WORKERS} loader threads: {len(rounds)} rounds of "
        f"{EPOCHS - 1} epochs",
        "", *align(cells, left=1),
        "", f"{ratio_line(rounds, FED, RESIDENT)}; the line is {LINE}: {said}",
    ])  # fmt: skip
